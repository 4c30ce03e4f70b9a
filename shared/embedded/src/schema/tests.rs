//! Every statement of the store finds its rows by an index, so that none slows down as the tables grow.

use rusqlite::Connection;

use crate::open;
use crate::runs::{HEAD_COLUMNS, listing_statements};

/// The store's files with statements in them.
const SOURCES: [&str; 20] = [
    include_str!("../autonomy.rs"),
    include_str!("../breaker.rs"),
    include_str!("../checks.rs"),
    include_str!("../claims/announced.rs"),
    include_str!("../claims/budget.rs"),
    include_str!("../claims/claim.rs"),
    include_str!("../claims/cooldown.rs"),
    include_str!("../claims/place.rs"),
    include_str!("../garbage.rs"),
    include_str!("../queue/dead.rs"),
    include_str!("../queue/deliver.rs"),
    include_str!("../queue/settle.rs"),
    include_str!("../runs/held.rs"),
    include_str!("../runs/listing.rs"),
    include_str!("../runs/live.rs"),
    include_str!("../runs/read.rs"),
    include_str!("../runs/repeats.rs"),
    include_str!("../runs/rooms.rs"),
    include_str!("../runs/write.rs"),
    include_str!("../switches.rs"),
];

/// The text literals of `source` that are statements.
fn statements(source: &str) -> Vec<String> {
    let verbs = ["SELECT ", "INSERT ", "UPDATE ", "DELETE "];
    let literals = source.split('"').skip(1).step_by(2);
    let found = literals
        .filter(|literal| verbs.iter().any(|verb| literal.starts_with(verb)) && !literal.contains("{selected}"));
    found.map(|literal| literal.replace("{COLUMNS}", HEAD_COLUMNS)).collect()
}

/// How SQLite would carry out `sql`, step by step.
fn plan(connection: &Connection, sql: &str) -> Vec<String> {
    let mut explain =
        connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap_or_else(|error| panic!("{sql}: {error}"));
    // The plan does not depend on the values, so none is bound.
    explain.raw_query().mapped(|row| row.get(3)).map(Result::unwrap).collect()
}

#[test]
fn every_statement_finds_its_rows_by_an_index() {
    let connection = open::memory().unwrap();
    let written: Vec<String> = SOURCES.iter().flat_map(|source| statements(source)).collect();
    assert!(written.len() > 40, "only {} statements were found", written.len());
    for sql in written.into_iter().chain(listing_statements()) {
        for step in plan(&connection, &sql) {
            // A listing goes through its index from one end, and stops at its limit.
            let in_order = sql.contains("LIMIT") && (step.contains(" INDEX ") || sql.contains("ORDER BY no "));
            assert!(!step.starts_with("SCAN") || in_order, "{sql}\nlooks at every row: {step}");
            assert!(!step.contains("TEMP B-TREE"), "{sql}\nsorts: {step}");
        }
    }
}
