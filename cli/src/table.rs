//! Columns of text.

/// A head and rows, each cell filled up to the width of its column, two spaces between; the last column as it is.
pub(crate) fn lines<const N: usize>(head: [&str; N], rows: Vec<[String; N]>) -> impl Iterator<Item = String> {
    let mut widths = head.map(|cell| cell.chars().count());
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    std::iter::once(head.map(ToOwned::to_owned)).chain(rows).map(move |row| line(&row, &widths))
}

fn line(row: &[String], widths: &[usize]) -> String {
    let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}", width = *width));
    cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = vec![["a".to_owned(), "long one".to_owned()], ["wide".to_owned(), "x".to_owned()]];
        let lines: Vec<_> = super::lines(["N", "M"], rows).collect();
        assert_eq!(lines, ["N     M", "a     long one", "wide  x"]);
    }
}
