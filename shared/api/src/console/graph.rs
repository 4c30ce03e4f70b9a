//! A playbook as a graph: steps in layers from top to bottom, each layer ordered so that few edges cross. Laid out here, so that a page needs
//! no program for it.

use std::collections::BTreeMap;

mod svg;

pub(super) use svg::svg;

use super::page::Tone;

/// Steps up to which a graph is drawn; beyond it nobody reads it, and a page stays small.
pub(super) const DRAWN_STEPS: usize = 60;
/// Sweeps down and up that order the layers.
const SWEEPS: usize = 4;

/// A step as the graph shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Node {
    pub name: String,
    /// Its action.
    pub kind: String,
    /// How it stands, as a word; empty without a run.
    pub state: String,
    pub tone: Tone,
    /// Positions of the steps that it needs.
    pub needs: Vec<usize>,
}

/// Where everything is, in cells: a layer is a row, a place in it a column in halves, so that rows can be centred.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Layout {
    /// Row and centre of each step.
    pub places: Vec<Place>,
    /// Each edge as the places that it passes, from the needed step to the one that needs it.
    pub edges: Vec<Vec<Place>>,
    /// Rows.
    pub rows: usize,
    /// Columns of the widest row.
    pub columns: usize,
}

/// The centre of a cell.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Place {
    pub row: usize,
    /// Counted from the left, the first cell's centre at 0.5.
    pub x: f64,
}

/// A cell of a layer: a step, or a point where a long edge passes.
#[derive(Debug, Clone)]
struct Cell {
    row: usize,
    above: Vec<usize>,
    below: Vec<usize>,
}

/// Lays the steps out. A step stands one row below the lowest of those that it needs.
pub(super) fn layout(nodes: &[Node]) -> Layout {
    let rows = rows(nodes);
    let mut cells: Vec<Cell> =
        rows.iter().map(|row| Cell { row: *row, above: Vec::new(), below: Vec::new() }).collect();
    let mut chains = Vec::new();
    for (to, node) in nodes.iter().enumerate() {
        for from in &node.needs {
            chains.push(chain(&mut cells, *from, to));
        }
    }
    let layers = ordered(&cells);
    let columns = layers.iter().map(Vec::len).max().unwrap_or_default();
    let mut places = vec![Place { row: 0, x: 0.0 }; cells.len()];
    for (row, layer) in layers.iter().enumerate() {
        let margin = to_f64(columns - layer.len()) / 2.0;
        for (index, cell) in layer.iter().enumerate() {
            if let Some(place) = places.get_mut(*cell) {
                *place = Place { row, x: margin + to_f64(index) + 0.5 };
            }
        }
    }
    let at = |cell: &usize| places.get(*cell).copied().unwrap_or(Place { row: 0, x: 0.0 });
    let edges = chains.iter().map(|chain| chain.iter().map(at).collect()).collect();
    places.truncate(nodes.len());
    Layout { places, edges, rows: layers.len(), columns }
}

/// The row of each step. Steps only need earlier ones or later ones, never each other in a circle, which the lint refuses.
fn rows(nodes: &[Node]) -> Vec<usize> {
    let mut rows = vec![0_usize; nodes.len()];
    // Each round settles at least one more row, so there are at most as many rounds as steps.
    for _ in 0..nodes.len() {
        let mut changed = false;
        for (index, node) in nodes.iter().enumerate() {
            let below =
                node.needs.iter().filter_map(|need| rows.get(*need)).map(|row| row + 1).max().unwrap_or_default();
            if let Some(row) = rows.get_mut(index)
                && *row < below.min(nodes.len())
            {
                *row = below;
                changed = true;
            }
        }
        if !changed {
            break;
        }
    }
    rows
}

/// The cells that an edge passes, with a new one in each row between its ends.
fn chain(cells: &mut Vec<Cell>, from: usize, to: usize) -> Vec<usize> {
    let row = |cells: &[Cell], cell: usize| cells.get(cell).map_or(0, |cell| cell.row);
    let (first, last) = (row(cells, from), row(cells, to));
    let mut passed = vec![from];
    for row in first + 1..last {
        passed.push(cells.len());
        cells.push(Cell { row, above: Vec::new(), below: Vec::new() });
    }
    passed.push(to);
    for (upper, lower) in passed.iter().zip(passed.iter().skip(1)) {
        if let Some(cell) = cells.get_mut(*upper) {
            cell.below.push(*lower);
        }
        if let Some(cell) = cells.get_mut(*lower) {
            cell.above.push(*upper);
        }
    }
    passed
}

/// The cells of each row, each near the middle of its neighbours.
fn ordered(cells: &[Cell]) -> Vec<Vec<usize>> {
    let mut layers: Vec<Vec<usize>> = vec![Vec::new(); cells.iter().map(|cell| cell.row + 1).max().unwrap_or_default()];
    for (index, cell) in cells.iter().enumerate() {
        if let Some(layer) = layers.get_mut(cell.row) {
            layer.push(index);
        }
    }
    for sweep in 0..SWEEPS {
        let down = sweep % 2 == 0;
        let order: Vec<usize> = if down { (0..layers.len()).collect() } else { (0..layers.len()).rev().collect() };
        for row in order {
            let places: BTreeMap<usize, f64> = layers
                .iter()
                .flat_map(|layer| layer.iter().enumerate().map(|(place, cell)| (*cell, to_f64(place))))
                .collect();
            let middle = |cell: &usize| -> f64 {
                let neighbours = cells.get(*cell).map(|cell| if down { &cell.above } else { &cell.below });
                let found: Vec<f64> =
                    neighbours.into_iter().flatten().filter_map(|cell| places.get(cell).copied()).collect();
                if found.is_empty() {
                    places.get(cell).copied().unwrap_or_default()
                } else {
                    found.iter().sum::<f64>() / to_f64(found.len())
                }
            };
            if let Some(layer) = layers.get_mut(row) {
                layer.sort_by(|a, b| middle(a).total_cmp(&middle(b)));
            }
        }
    }
    layers
}

/// Numbers of cells are small.
fn to_f64(number: usize) -> f64 {
    f64::from(u32::try_from(number).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nodes(needs: &[&[usize]]) -> Vec<Node> {
        let node = |(index, needs): (usize, &&[usize])| Node {
            name: format!("step{index}"),
            kind: "wait".to_owned(),
            state: String::new(),
            tone: Tone::None,
            needs: needs.to_vec(),
        };
        needs.iter().enumerate().map(node).collect()
    }

    #[test]
    fn a_step_stands_below_all_that_it_needs() {
        let layout = layout(&nodes(&[&[], &[0], &[0], &[1, 2], &[]]));
        let rows: Vec<_> = layout.places.iter().map(|place| place.row).collect();
        assert_eq!((rows, layout.rows, layout.columns), (vec![0, 1, 1, 2, 0], 3, 2));
        assert!((layout.places[3].x - 1.0).abs() < f64::EPSILON, "a lone step is centred: {:?}", layout.places);
    }

    #[test]
    fn a_long_edge_passes_every_row_between_its_ends_beside_the_steps_there() {
        let layout = layout(&nodes(&[&[], &[0], &[1], &[0, 2]]));
        let long = layout.edges.iter().find(|edge| edge.len() > 2).expect("an edge over two rows");
        assert_eq!(long.iter().map(|place| place.row).collect::<Vec<_>>(), [0, 1, 2, 3]);
        for place in &long[1..3] {
            assert!(!layout.places.contains(place), "the edge runs through a step: {layout:?}");
        }
    }

    #[test]
    fn edges_do_not_cross_where_they_need_not() {
        // Two pairs, written so that the first order crosses.
        let layout = layout(&nodes(&[&[], &[], &[1], &[0]]));
        let x = |step: usize| layout.places[step].x;
        assert_eq!(x(0) < x(1), x(3) < x(2), "{layout:?}");
    }

    #[test]
    fn steps_that_need_each_other_end_the_layout_too() {
        let circle = layout(&nodes(&[&[1], &[0]]));
        assert!(circle.rows <= 4, "{circle:?}");
        assert_eq!(layout(&[]).rows, 0);
    }
}
