//! Texts that earlier builds stored or sent, and that every later build has to read.
//!
//! `golden/events`, `commands`, `results`, `answers` (an attempt's result as a claim keeps it), `check_memory` and `plans` hold one text a
//! file; a run's log is in `golden/runs`, one commit a line, and the report of the run, continued to its end, in `golden/reports`.
//! Once committed, a text is never changed: it is what an installation out there has in its store. The runs `release_0_1_…` and the plans
//! of the shipped playbooks were taken from the store of a released binary.
//!
//! A format that has changed fails here until it has a new file beside the old ones: `HEAL_GOLDEN=add cargo test -p heal-engine --test golden`
//! writes what is missing (`NAME.2.json` beside `NAME.json`), and writes the reports anew. Read the difference before you commit it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::pedantic)]

#[path = "run/fixture.rs"]
#[allow(dead_code)]
mod fixture;
#[path = "golden/log.rs"]
mod log;
#[path = "golden/runs.rs"]
mod runs;
#[path = "golden/texts.rs"]
mod texts;

use std::fs;
use std::path::{Path, PathBuf};

use heal_engine::event::Event;
use heal_engine::format::{self, Format};
use heal_engine::message::{ActionCommand, ActionResult, AttemptResult};
use heal_engine::playbook::Playbook;
use heal_engine::{Digest, Plan};

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

/// The files of a folder, in order, as name and text.
fn files(name: &str) -> Vec<(String, String)> {
    let mut paths: Vec<_> = fs::read_dir(folder(name)).unwrap().map(|file| file.unwrap().path()).collect();
    paths.sort();
    let read =
        |path: PathBuf| (path.file_stem().unwrap().to_str().unwrap().to_owned(), fs::read_to_string(&path).unwrap());
    paths.into_iter().map(read).collect()
}

fn plan(name: &str) -> Plan {
    let json = fs::read_to_string(folder("plans").join(name).with_extension("json")).unwrap();
    Plan::parse(&Digest::of(json.as_bytes()), &json).unwrap_or_else(|error| panic!("plan {name}: {error}"))
}

#[expect(clippy::disallowed_methods, reason = "a switch of the test, not configuration")]
fn is_adding() -> bool {
    std::env::var("HEAL_GOLDEN").is_ok_and(|value| value == "add")
}

/// Whether `text` is one of the files `name`, `name.2`, …; adds it where the switch asks for that.
fn is_golden(kind: &str, name: &str, text: &str) -> bool {
    let numbered = |number: usize| match number {
        1 => folder(kind).join(format!("{name}.json")),
        _ => folder(kind).join(format!("{name}.{number}.json")),
    };
    let mut number = 1;
    while let Ok(known) = fs::read_to_string(numbered(number)) {
        if known == text {
            return true;
        }
        number += 1;
    }
    if is_adding() {
        fs::create_dir_all(folder(kind)).unwrap();
        fs::write(numbered(number), text).unwrap();
    }
    is_adding()
}

#[test]
fn every_text_that_this_build_writes_has_a_golden_file() {
    let plans = files("plans").into_iter().map(|(name, text)| {
        let playbook: Playbook = format::decode(&text).unwrap_or_else(|error| panic!("plan {name}: {error}"));
        ("plans", name.split('.').next().unwrap().to_owned(), format::encode(&playbook))
    });
    let plans: Vec<_> = plans.collect();
    let missing: Vec<_> =
        texts::all().into_iter().chain(plans).filter(|(kind, name, text)| !is_golden(kind, name, text)).collect();
    assert!(missing.is_empty(), "formats changed; see the head of this file: {missing:#?}");
}

#[test]
fn every_event_has_a_golden_file() {
    if is_adding() {
        return;
    }
    let files = files("events");
    for event in Event::NAMES {
        assert!(files.iter().any(|(name, _)| name.starts_with(event)), "no golden file has an event {event}");
    }
}

#[test]
fn every_golden_text_is_read() {
    fn read_all<T: Format>(kind: &str) {
        for (name, text) in if is_adding() { Vec::new() } else { files(kind) } {
            format::decode::<T>(&text).unwrap_or_else(|error| panic!("{kind}/{name}: {error:?}"));
        }
    }
    read_all::<Vec<Event>>("events");
    read_all::<ActionCommand>("commands");
    read_all::<ActionResult>("results");
    read_all::<AttemptResult>("answers");
    read_all::<heal_engine::check::State>("check_memory");
    for (name, _) in files("plans") {
        plan(&name);
    }
}

#[test]
fn every_golden_run_goes_on_to_its_end_with_the_same_report() {
    if is_adding() {
        runs::write_missing();
    }
    for (name, text) in files("runs") {
        let report = log::Log::parse(&text).finish();
        let path = folder("reports").join(&name).with_extension("json");
        if is_adding() {
            fs::create_dir_all(folder("reports")).unwrap();
            fs::write(&path, &report).unwrap();
        }
        let expected = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert!(report == expected, "run {name}: expected\n{expected}\nobserved\n{report}");
    }
}
