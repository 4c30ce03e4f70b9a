//! Mutated inputs for everything that reads a text from outside. No input may panic a reader, or keep it longer than [`INPUT_TIMEOUT`].
//!
//! The toolchain is the stable one, so there is no instrumentation that tells new paths from known ones: the mutations start from a corpus of
//! real texts instead, and know the tokens of JSON, YAML and templates. An input that a reader failed on is written to the corpus, which is
//! kept and runs first.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    reason = "a helper of tests fails by panicking"
)]

mod mutate;

use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use mutate::Mutator;
use tokio::time::Instant;

/// How long a reader may take for one input. Builds for tests are slow, and so are busy machines.
pub const INPUT_TIMEOUT: Duration = Duration::from_secs(5);
/// The time of a target unless `FUZZ_SECONDS` says otherwise, in seconds.
const SECONDS: u64 = 3;
/// Longest input, in bytes.
const INPUT_BYTES: usize = 64 * 1024;

#[expect(clippy::disallowed_methods, reason = "a person sets the time and repeats a seed")]
fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().filter(|text| !text.is_empty()).map(|text| text.parse().expect("a number"))
}

/// The repository.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Reads mutations of the target's corpus, and of the files in `folders` of the repository, for its time.
///
/// # Panics
/// As [`fuzz_texts`].
pub fn fuzz(target: &str, folders: &[&str], read: impl Fn(&[u8])) {
    fuzz_texts(target, folders.iter().flat_map(|folder| files(&root().join(folder))).collect(), read);
}

/// Reads mutations of the target's corpus, and of `texts`, for its time.
///
/// # Panics
/// An input makes `read` panic, or takes too long; it is in the corpus then.
pub fn fuzz_texts(target: &str, texts: Vec<Vec<u8>>, read: impl Fn(&[u8])) {
    assert!(!texts.is_empty(), "{target}: no text");
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
    let mut corpus = files(&kept);
    corpus.extend(texts);
    for input in &corpus {
        try_one(&kept, input, &read);
    }
    let seed = number("FUZZ_SEED").unwrap_or(7);
    let mut mutator = Mutator::new(seed);
    let (started, length) = (Instant::now(), Duration::from_secs(number("FUZZ_SECONDS").unwrap_or(SECONDS)));
    let mut inputs = 0_u64;
    while started.elapsed() < length {
        let mut input = mutator.mutate(&corpus);
        input.truncate(INPUT_BYTES);
        try_one(&kept, &input, &read);
        inputs += 1;
    }
    println!("{target}: {inputs} inputs from {} texts, seed {seed}", corpus.len());
}

fn try_one(kept: &Path, input: &[u8], read: &impl Fn(&[u8])) {
    let once = || {
        let started = Instant::now();
        let panicked = panic::catch_unwind(AssertUnwindSafe(|| read(input))).is_err();
        (panicked, started.elapsed())
    };
    let (mut panicked, mut took) = once();
    if !panicked && took > INPUT_TIMEOUT {
        // The machine may have been busy with something else.
        (panicked, took) = once();
    }
    if panicked || took > INPUT_TIMEOUT {
        let name = heal_engine::Digest::of(input).to_string();
        let path = kept.join(format!("found-{}", name.get(..16).unwrap_or_default()));
        std::fs::create_dir_all(kept).unwrap();
        std::fs::write(&path, input).unwrap();
        panic!("a reader {} on {}, after {took:?}", if panicked { "panics" } else { "is too slow" }, path.display());
    }
}

/// The files of a folder and of the folders in it, in the order of their names.
pub fn files(folder: &Path) -> Vec<Vec<u8>> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let read = |path: PathBuf| if path.is_dir() { files(&path) } else { vec![std::fs::read(&path).unwrap()] };
    paths.into_iter().flat_map(read).collect()
}
