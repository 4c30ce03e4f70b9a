//! The account of a soak: what was sent, what the logs say, what the services saw, and whether they agree.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use heal_runtime::port::DeadLetter;

use crate::entry::{Claimed, Effect, Entry};

/// Faults of one kind that are shown; the others are counted.
const SHOWN: usize = 20;

/// Everything that is held against each other.
#[derive(Debug, Clone, Default)]
pub(crate) struct Account {
    /// Incidents that were sent, and accepted by the engine or by its queue.
    pub sent: BTreeSet<String>,
    /// Messages that nobody can read.
    pub unreadable: usize,
    /// Every run.
    pub runs: Vec<Entry>,
    /// The effects that the services saw: when each happened, in epoch milliseconds.
    pub seen: BTreeMap<Effect, Vec<u64>>,
    /// Messages still on a queue.
    pub queued: u64,
    /// Bodies of the dead letters.
    pub dead_letters: Vec<String>,
    /// The text that every unreadable message has, and no other.
    pub unreadable_mark: &'static str,
}

/// Numbers of an account.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    pub by_outcome: BTreeMap<&'static str, usize>,
    pub joined: usize,
    /// Effects that the services saw.
    pub seen: usize,
    /// Effects that attempts report as done.
    pub reported: usize,
    /// Effects that were seen, and that no attempt reports, though one says that it may have acted.
    pub unreported: usize,
    /// Commands that were delivered too often without an answer.
    pub dead_lettered: usize,
}

impl Account {
    pub(crate) fn totals(&self) -> Totals {
        let mut totals = Totals { seen: self.seen.values().map(Vec::len).sum(), ..Totals::default() };
        for run in &self.runs {
            *totals.by_outcome.entry(run.outcome.unwrap_or("live")).or_default() += 1;
            totals.joined += run.joined.len();
            totals.dead_lettered += run.dead_lettered;
            for (effect, claimed) in &run.effects {
                totals.reported += usize::from(claimed.is_reported);
                totals.unreported += usize::from(!claimed.is_reported && self.seen.contains_key(effect));
            }
        }
        totals
    }

    /// Everything that does not agree, as sentences; empty if the account balances.
    pub(crate) fn faults(&self) -> Vec<String> {
        let mut faults = self.wrong_incidents();
        faults.extend(self.wrong_effects());
        faults.extend(self.left_over());
        faults
    }

    /// Each incident has one run, or joined one; and no run is without an incident.
    fn wrong_incidents(&self) -> Vec<String> {
        let mut runs: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        let (mut rejected, mut faults) = (0, Vec::new());
        for run in &self.runs {
            if run.is_rejected && !self.sent.contains(&run.incident_id) {
                rejected += 1;
                continue;
            }
            // Each message that no playbook is for has a record of its own, a repeated one too.
            if run.is_rejected {
                runs.entry(&run.incident_id).or_default();
                continue;
            }
            for incident in std::iter::once(&run.incident_id).chain(&run.joined) {
                runs.entry(incident).or_default().push(&run.run_id);
            }
        }
        let lost = self.sent.iter().filter(|incident| !runs.contains_key(incident.as_str()));
        faults.extend(some("lost incidents", lost.cloned()));
        let foreign = runs.keys().filter(|incident| !self.sent.contains(**incident));
        faults.extend(some("runs for incidents that nobody sent", foreign.map(|incident| (*incident).to_owned())));
        let twice = runs.iter().filter(|(_, runs)| runs.len() > 1);
        faults
            .extend(some("incidents with several runs", twice.map(|(incident, runs)| format!("{incident}: {runs:?}"))));
        if rejected != self.unreadable {
            faults.push(format!("{rejected} runs keep an unreadable message, expected {}", self.unreadable));
        }
        faults
    }

    /// Each effect belongs to one run, which authorised it before; it happened once at most, and once if it is reported.
    fn wrong_effects(&self) -> Vec<String> {
        let mut claims: BTreeMap<&str, Vec<(&str, &Claimed)>> = BTreeMap::new();
        for run in &self.runs {
            for (effect, claimed) in &run.effects {
                claims.entry(effect).or_default().push((&run.run_id, claimed));
            }
        }
        let by = |effect: &str| claims.get(effect).map_or(String::new(), |by| format!("{effect} of {}", names(by)));
        let seen = |effect: &str| self.seen.get(effect).map_or(&[][..], Vec::as_slice);
        let shared =
            claims.iter().filter(|(_, by)| by.len() > 1).map(|(effect, by)| format!("{effect}: {}", names(by)));
        let repeated = self.seen.iter().filter(|(_, times)| times.len() > 1);
        let repeated = repeated.map(|(effect, times)| format!("{} at {times:?}", by(effect)));
        let unauthorised = self.seen.iter().filter(|(effect, times)| {
            let earliest =
                claims.get(effect.as_str()).and_then(|by| by.iter().map(|(_, claimed)| claimed.authorised_ms).min());
            times.iter().any(|at| earliest.is_none_or(|authorised| *at < authorised))
        });
        let unauthorised = unauthorised.map(|(effect, times)| format!("{effect} at {times:?}; {}", by(effect)));
        let all = || claims.iter().flat_map(|(effect, by)| by.iter().map(move |(_, claimed)| (*effect, *claimed)));
        let missing = all().filter(|(effect, claimed)| claimed.is_reported && seen(effect).is_empty());
        let denied =
            all().filter(|(effect, claimed)| !claimed.is_reported && !claimed.may_be && !seen(effect).is_empty());
        let kinds = [
            some("effects that several runs claim", shared),
            some("effects that happened more than once", repeated),
            some("effects that no log authorised before", unauthorised),
            some("effects that a log reports and no service saw", missing.map(|(effect, _)| by(effect))),
            some("effects that happened, and the log proves that they did not", denied.map(|(effect, _)| by(effect))),
        ];
        kinds.into_iter().flatten().collect()
    }

    /// Every run has ended, every queue is empty, and each dead letter is a message that nobody can read.
    fn left_over(&self) -> Vec<String> {
        let live = self.runs.iter().filter(|run| run.outcome.is_none()).map(|run| run.run_id.clone());
        let mut faults: Vec<_> = some("runs that did not end", live).into_iter().collect();
        // Nobody knows what became of such a command, so a person has to see it.
        let silent = |run: &&Entry| run.dead_lettered > 0 && matches!(run.outcome, Some("HEALED" | "COMPLETED"));
        let silent = self.runs.iter().filter(silent).map(|run| run.run_id.clone());
        faults.extend(some("runs that ended well over a dead-lettered command", silent));
        if self.queued > 0 {
            faults.push(format!("{} messages are left on the queues, expected 0", self.queued));
        }
        let others = self.dead_letters.iter().filter(|body| !body.contains(self.unreadable_mark));
        faults.extend(some("dead letters of readable messages", others.cloned()));
        let unreadable = self.dead_letters.iter().filter(|body| body.contains(self.unreadable_mark)).count();
        if unreadable != self.unreadable {
            faults.push(format!("{unreadable} dead letters keep an unreadable message, expected {}", self.unreadable));
        }
        faults
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Totals { by_outcome, joined, seen, reported, unreported, dead_lettered } = self.totals();
        let outcomes: Vec<_> = by_outcome.iter().map(|(outcome, runs)| format!("{runs} {outcome}")).collect();
        writeln!(f, "incidents     {} sent and accepted, {} unreadable messages", self.sent.len(), self.unreadable)?;
        writeln!(f, "runs          {}: {}; {joined} incidents joined one", self.runs.len(), outcomes.join(", "))?;
        writeln!(
            f,
            "effects       {seen} at the services = {reported} reported in the logs + {unreported} of attempts that say they may have acted"
        )?;
        write!(
            f,
            "left over     {} messages on queues, {} dead letters; {dead_lettered} commands that ended their step as dead letters",
            self.queued,
            self.dead_letters.len()
        )
    }
}

/// What the dead letters say. A function that is killed between parking a message and acknowledging it parks it again.
pub(crate) fn bodies(letters: Vec<DeadLetter>) -> Vec<String> {
    let by_id: BTreeMap<_, _> = letters.into_iter().map(|letter| (letter.message_id, letter.body)).collect();
    by_id.into_values().collect()
}

fn names(by: &[(&str, &Claimed)]) -> String {
    by.iter().map(|(run_id, _)| *run_id).collect::<Vec<_>>().join(", ")
}

/// One sentence for all faults of a kind; `None` if there are none.
fn some(what: &str, found: impl Iterator<Item = String>) -> Option<String> {
    let found: Vec<_> = found.collect();
    if found.is_empty() {
        return None;
    }
    let shown = found.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join("\n    ");
    let more = if found.len() > SHOWN { "\n    …" } else { "" };
    Some(format!("{} {what}:\n    {shown}{more}", found.len()))
}

#[cfg(test)]
mod tests;
