//! The numbers of all rounds: medians with their ranges, and the ratio of the two.

use crate::load::Times;
use crate::peer::Kind;

/// What one engine took in one round, a run.
pub struct Measured {
    pub one: Times,
    pub many: Times,
    pub calls: f64,
    pub syncs: Option<f64>,
    pub written_one_kb: f64,
    pub written_many_kb: f64,
    pub cpu_one_ms: f64,
    pub cpu_many_ms: f64,
    pub resident_mb: f64,
}

/// A row: its name, and the number of one round.
type Row = (&'static str, fn(&Measured) -> f64);

const ROWS: [Row; 13] = [
    ("runs/s at 64", |found| found.many.per_second()),
    ("p50 at 64, ms", |found| found.many.quantile(0.5)),
    ("p99 at 64, ms", |found| found.many.quantile(0.99)),
    ("runs/s at 1", |found| found.one.per_second()),
    ("p50 at 1, ms", |found| found.one.quantile(0.5)),
    ("p99 at 1, ms", |found| found.one.quantile(0.99)),
    ("syncs a run at 1", |found| found.syncs.unwrap_or(f64::NAN)),
    ("KB written a run at 1", |found| found.written_one_kb),
    ("KB written a run at 64", |found| found.written_many_kb),
    ("CPU ms a run at 1", |found| found.cpu_one_ms),
    ("CPU ms a run at 64", |found| found.cpu_many_ms),
    ("resident MB, the most", |found| found.resident_mb),
    ("HTTP calls a run", |found| found.calls),
];

impl Measured {
    /// The most important of it, while more is measured.
    pub fn line(&self) -> String {
        format!(
            "{:.0} runs/s at 64 (p99 {:.0} ms), p50 {:.1} ms at 1, {:.1} and {:.1} KB written a run",
            self.many.per_second(),
            self.many.quantile(0.99),
            self.one.quantile(0.5),
            self.written_one_kb,
            self.written_many_kb
        )
    }
}

/// A table in Markdown: each median, its range, and heal's median as a part of Restate's and of the bare loop's.
pub fn print(measured: &[(Kind, Measured)]) {
    println!("\n| median of the rounds (range) | Restate | heal | bare loop | heal / Restate | heal / bare loop |\n|---|---|---|---|---|---|");
    for (name, number) in ROWS {
        let of = |kind: Kind| -> Vec<f64> {
            let mut all: Vec<f64> =
                measured.iter().filter(|(found, _)| *found == kind).map(|(_, found)| number(found)).collect();
            all.sort_by(f64::total_cmp);
            all
        };
        let (restate, heal, bare) = (of(Kind::Restate), of(Kind::Heal), of(Kind::Bare));
        let (to_restate, to_bare) = (median(&heal) / median(&restate), median(&heal) / median(&bare));
        println!(
            "| {name} | {} | {} | {} | {to_restate:.2} | {to_bare:.2} |",
            show(&restate),
            show(&heal),
            show(&bare)
        );
    }
}

fn median(sorted: &[f64]) -> f64 {
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}

fn show(sorted: &[f64]) -> String {
    match (sorted.first(), sorted.last()) {
        (Some(least), Some(most)) => format!("{:.1} ({least:.1}–{most:.1})", median(sorted)),
        _ => "–".to_owned(),
    }
}
