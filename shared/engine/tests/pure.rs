//! The engine stays pure: time, entropy and answers come in as arguments, and nothing else comes in.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::path::{Path, PathBuf};

/// Names of clocks, of the environment, and of libraries that reach for either.
const IMPURE: [&str; 15] = [
    "SystemTime",
    "Instant",
    "std::env",
    "std::fs",
    "std::io",
    "TcpListener",
    "TcpStream",
    "ToSocketAddrs",
    "UdpSocket",
    "std::process",
    "std::thread",
    // A grouped import would hide the names above.
    "use std::{",
    "getrandom",
    "rand::",
    "tokio",
];

/// What the engine builds on: data, templates, hashes.
const DEPENDENCIES: [&str; 6] = ["minijinja", "serde", "serde_json", "sha2", "strsim", "thiserror"];

fn crate_folder() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { sources(&path) } else { vec![path] }).collect()
}

#[test]
fn no_source_file_names_a_clock_the_environment_or_chance() {
    let files = sources(&crate_folder().join("src"));
    assert!(files.len() > 20, "only {} files were found", files.len());
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        let code = text.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with("//"));
        for (number, line) in code {
            let named = IMPURE.iter().find(|name| line.contains(*name));
            assert_eq!(named, None, "{}:{}: {line}", file.display(), number + 1);
        }
    }
}

#[test]
fn the_engine_depends_on_no_runtime_and_no_source_of_chance() {
    let manifest = fs::read_to_string(crate_folder().join("Cargo.toml")).unwrap();
    let lines = manifest.lines().skip_while(|line| *line != "[dependencies]").skip(1);
    let own = lines.take_while(|line| !line.starts_with('[')).filter(|line| !line.is_empty());
    let names: Vec<_> = own.filter_map(|line| line.split(['.', ' ', '=']).next()).collect();
    assert!(names.contains(&"serde"), "the manifest reads otherwise than this test expects");
    for name in names {
        assert!(DEPENDENCIES.contains(&name), "{name} is a new dependency: does it leave the engine pure?");
    }
}
