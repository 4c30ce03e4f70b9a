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
    pub switches_one: f64,
    pub switches_many: f64,
    pub resident_mb: f64,
}

/// What heal is to reach.
enum Goal {
    /// At least so many times Restate's number.
    Times(f64),
    /// At most such a part of Restate's number.
    Part(f64),
    /// At most so much.
    Most(f64),
}

impl Goal {
    /// The goal, and whether medians meet it.
    fn judge(&self, heal: f64, restate: f64) -> String {
        let (text, is_met) = match self {
            Self::Times(times) => (format!("{times:.0} at least"), heal >= times * restate),
            Self::Part(part) => (format!("{part:.2} at most"), heal <= part * restate),
            Self::Most(most) => (format!("{most:.0} of its own at most"), heal <= *most),
        };
        format!("{text}: {}", if is_met { "met" } else { "missed" })
    }
}

/// A row: its name, the number of one round, and what is wanted of it.
type Row = (&'static str, fn(&Measured) -> f64, Option<Goal>);

const ROWS: [Row; 15] = [
    ("runs/s at 64", |found| found.many.per_second(), Some(Goal::Times(4.0))),
    ("p50 at 64, ms", |found| found.many.quantile(0.5), None),
    ("p99 at 64, ms", |found| found.many.quantile(0.99), Some(Goal::Part(0.25))),
    ("runs/s at 1", |found| found.one.per_second(), None),
    ("p50 at 1, ms", |found| found.one.quantile(0.5), Some(Goal::Part(0.5))),
    ("p99 at 1, ms", |found| found.one.quantile(0.99), None),
    ("syncs a run at 1", |found| found.syncs.unwrap_or(f64::NAN), None),
    ("KB written a run at 1", |found| found.written_one_kb, Some(Goal::Part(2.0))),
    ("KB written a run at 64", |found| found.written_many_kb, Some(Goal::Part(2.0))),
    ("CPU ms a run at 1", |found| found.cpu_one_ms, None),
    ("CPU ms a run at 64", |found| found.cpu_many_ms, Some(Goal::Part(1.0 / 3.0))),
    ("context switches a run at 1", |found| found.switches_one, None),
    ("context switches a run at 64", |found| found.switches_many, None),
    ("resident MB, the most", |found| found.resident_mb, Some(Goal::Most(40.0))),
    ("HTTP calls a run", |found| found.calls, None),
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
    println!(
        "\n| median of the rounds (range) | Restate | heal | bare loop | heal / Restate | heal / bare loop | goal |\n|---|---|---|---|---|---|---|"
    );
    for (name, number, goal) in ROWS {
        let of = |kind: Kind| -> Vec<f64> {
            let mut all: Vec<f64> =
                measured.iter().filter(|(found, _)| *found == kind).map(|(_, found)| number(found)).collect();
            all.sort_by(f64::total_cmp);
            all
        };
        let (restate, heal, bare) = (of(Kind::Restate), of(Kind::Heal), of(Kind::Bare));
        let (to_restate, to_bare) = (median(&heal) / median(&restate), median(&heal) / median(&bare));
        let goal = goal.map(|goal| goal.judge(median(&heal), median(&restate))).unwrap_or_default();
        println!(
            "| {name} | {} | {} | {} | {to_restate:.2} | {to_bare:.2} | {goal} |",
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
