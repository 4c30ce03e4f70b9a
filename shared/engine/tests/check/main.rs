//! Scheduled checks: which incidents and which state follow from a sequence of probes.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm
)]

mod bounds;
mod decisions;
mod laws;
mod words;

use std::path::Path;

use heal_engine::check::{Check, Compiled, Failing};
use heal_engine::{Map, Timestamp};
use serde_json::json;

const T0: u64 = 1_800_000_000_000;

fn at(seconds: u64) -> Timestamp {
    Timestamp(T0 + seconds * 1_000)
}

/// The YAML files of `tests/checks`, in the order of their names.
fn texts() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/checks");
    let paths = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut texts: Vec<_> =
        paths.map(|path| (path.display().to_string(), std::fs::read_to_string(&path).unwrap())).collect();
    texts.sort();
    texts
}

/// A check of one dependency, with these YAML keys and the defaults of the language.
fn compiled(keys: &str) -> Compiled {
    let mut check = json!({
        "name": "test", "description": "", "every_seconds": 60, "for": 3, "raise_once_in_seconds": 900,
        "probe": {"type": "dependency", "service": "opa", "timeout_seconds": 10},
        "incident": {"incident_type": "DEPENDENCY_DOWN", "service_name": "{{ target.id }}"},
    });
    let keys: Map = serde_saphyr::from_str(keys).unwrap();
    check.as_object_mut().unwrap().extend(keys);
    Compiled::new(serde_json::from_value::<Check>(check).unwrap()).unwrap()
}

fn failing(id: &str) -> Failing {
    let fields = serde_json::json!({"id": id, "service": id});
    Failing { id: id.to_owned(), fields: fields.as_object().unwrap().clone(), reason: format!("{id} does not answer") }
}
