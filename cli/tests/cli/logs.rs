//! The logs of a state file, as they are stored: in the file they are packed.

use std::path::Path;
use std::sync::Arc;

use heal_embedded::{Location, Store};
use heal_runtime::port::{RunFilter, RunReader as _, SystemClock};
use heal_runtime::{RunId, StoredCommit};

/// Runs that are looked for.
const RUNS: usize = 1_000;

fn open(state: &Path) -> Store {
    Store::open(Location::File(state.to_owned()), Arc::new(SystemClock)).unwrap()
}

pub(crate) async fn of_run(state: &Path, run_id: &str) -> Vec<StoredCommit> {
    open(state).stored(&RunId::new(run_id)).await.unwrap()
}

/// The events of all runs as one text.
pub(crate) async fn of_all(state: &Path) -> String {
    let store = open(state);
    let page = store.list(&RunFilter::default(), RUNS, None).await.unwrap();
    assert!(page.next.is_none(), "more than {RUNS} runs");
    let mut texts = String::new();
    for head in page.runs {
        store.stored(&head.run_id).await.unwrap().iter().for_each(|commit| texts.push_str(&commit.events));
    }
    texts
}
