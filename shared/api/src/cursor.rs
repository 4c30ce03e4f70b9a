//! Opaque cursors: a reader hands back what it got, and reads nothing into it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use heal_runtime::port::RunFilter;

use crate::problem::Problem;

/// The store's cursor as readers see it.
pub(crate) fn seal(cursor: &str) -> String {
    URL_SAFE_NO_PAD.encode(cursor)
}

/// The store's cursor of a listing by `filter`.
///
/// # Errors
/// 422 if no listing of this order gave it.
pub(crate) fn open(filter: &RunFilter, cursor: &str) -> Result<String, Problem> {
    let fault = || Problem::field("cursor", "is not the `next` of an earlier page with the same filters");
    let bytes = URL_SAFE_NO_PAD.decode(cursor).map_err(|_| fault())?;
    let text = String::from_utf8(bytes).map_err(|_| fault())?;
    filter.parse_cursor("runs.list", &text).map_err(|_| fault())?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_of_another_order_or_none_at_all_is_refused() {
        let newest = RunFilter::default();
        let urgent = RunFilter { needs_attention: true, ..RunFilter::default() };
        let sealed = seal("7:run-1");
        assert_eq!(open(&newest, &sealed).unwrap(), "7:run-1");
        assert!(open(&urgent, &sealed).is_err());
        for wrong in ["", "7:run-1", "%%%", &seal("nonsense")] {
            assert!(open(&newest, wrong).is_err(), "{wrong}");
        }
    }
}
