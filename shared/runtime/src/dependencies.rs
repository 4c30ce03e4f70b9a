//! Sick dependencies: while one that the guardrails name is sick, the engine halts what depends on it.
//!
//! It is sick while its circuit breaker is open, or while its scheduled check has raised an incident about a target that still fails. The halt
//! is stored like that of a person, so every worker reads it with the others, and held runs go on once it has ended. It lasts [`HELD_MS`] and is
//! prolonged at every look that finds the dependency sick; whoever looks may die without holding anything for ever.

use std::sync::Arc;

use heal_engine::Timestamp;
use heal_engine::check::State;
use heal_guard::{DependencyRule, Guardrails, Halt, HaltScope};
use tokio::sync::Mutex;

use crate::halts::{HaltCache, ID_PREFIX, REASON_BYTES};
use crate::port::{BackendError, BreakerStore, CheckStore};

/// Milliseconds from one look to the next: as long as a read of the halts counts.
const LOOK_MS: u64 = crate::halts::HALT_CACHE_MS;
/// Milliseconds for which one look holds what depends on a sick service: three ticks of a schedule of one minute.
pub const HELD_MS: u64 = 180_000;
/// Milliseconds after which what a check saw counts no more: it may not run any longer.
pub const CHECK_AGE_MS: u64 = 3_600_000;
/// Failing targets that a reason names; the others are counted.
const NAMED_TARGETS: usize = 3;

/// Looks at the dependencies of the guardrails.
#[expect(missing_debug_implementations, reason = "ports have no debug form")]
pub struct Dependencies {
    guardrails: Arc<Guardrails>,
    breakers: Arc<dyn BreakerStore>,
    checks: Arc<dyn CheckStore>,
    halts: Arc<HaltCache>,
    looked_at: Mutex<Option<Timestamp>>,
}

impl Dependencies {
    /// Over the stores of one home.
    pub fn new(
        guardrails: Arc<Guardrails>,
        breakers: Arc<dyn BreakerStore>,
        checks: Arc<dyn CheckStore>,
        halts: Arc<HaltCache>,
    ) -> Self {
        Self { guardrails, breakers, checks, halts, looked_at: Mutex::default() }
    }

    /// Halts what depends on a sick service, and ends the halts of those that are well again. Does nothing within [`LOOK_MS`] of the last look.
    ///
    /// # Errors
    /// A store failed. The halts stay as they are, and end by their time.
    pub async fn watch(&self, now: Timestamp) -> Result<(), BackendError> {
        if self.guardrails.dependencies.is_empty() {
            return Ok(());
        }
        let mut looked_at = self.looked_at.lock().await;
        // The second case: the clock was set back.
        if looked_at.is_some_and(|last| now.since_ms(last) < LOOK_MS && last.since_ms(now) < LOOK_MS) {
            return Ok(());
        }
        *looked_at = Some(now);
        let halts = self.halts.read(now).await?;
        for (index, rule) in self.guardrails.dependencies.iter().enumerate() {
            let lasting = halts.iter().find(|halt| is_of(rule, halt) && now < halt.until);
            match (self.sick(rule, now).await?, lasting) {
                (Some(why), None) => self.hold(rule, index, why, now).await?,
                (Some(why), Some(halt)) => self.prolong(halt, why, now).await?,
                (None, Some(halt)) => self.end(rule, halt, now).await?,
                (None, None) => {}
            }
        }
        Ok(())
    }

    /// Why the dependency is sick; `None` if it is well, as far as anybody knows.
    async fn sick(&self, rule: &DependencyRule, now: Timestamp) -> Result<Option<String>, BackendError> {
        if let Some(service) = &rule.breaker {
            // Once its time is over, a call has to try the service.
            let open = self.breakers.read(service).await?.filter(|record| now < record.open_until);
            if open.is_some() {
                return Ok(Some(format!("the circuit breaker of {service} is open")));
            }
        }
        let Some(check) = &rule.check else { return Ok(None) };
        let Some((_, text)) = self.checks.load(check).await? else { return Ok(None) };
        match State::parse(&text) {
            Ok(state) => Ok(failing(check, &state, now)),
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(check, error, "what a check saw cannot be read, so nothing waits for it");
                Ok(None)
            }
        }
    }

    async fn hold(&self, rule: &DependencyRule, index: usize, why: String, now: Timestamp) -> Result<(), BackendError> {
        // Never an id that was used: to store one that has ended changes nothing.
        let id = format!("{ID_PREFIX}dependency{index}{}", now.0);
        let halt = rule.halt(id, why, now, now.plus_ms(HELD_MS));
        if self.halts.halt(&halt).await? {
            let (dependency, why) = (&rule.name, &halt.reason);
            tracing::warn!(event = "dependency.sick", dependency, why, "what depends on it is held");
        } else {
            tracing::error!(dependency = rule.name, "a sick dependency holds nothing: too many halts last already");
        }
        Ok(())
    }

    /// Few writes: only once half of its time is over.
    async fn prolong(&self, halt: &Halt, why: String, now: Timestamp) -> Result<(), BackendError> {
        if halt.until.since_ms(now) < HELD_MS / 2 {
            self.halts.prolong(&Halt { until: now.plus_ms(HELD_MS), reason: why, ..halt.clone() }).await?;
        }
        Ok(())
    }

    /// The sweep releases the runs.
    async fn end(&self, rule: &DependencyRule, halt: &Halt, now: Timestamp) -> Result<(), BackendError> {
        if self.halts.resume(&halt.id, now).await? {
            tracing::warn!(event = "dependency.well", dependency = rule.name, "what depends on it goes on");
        }
        Ok(())
    }
}

fn is_of(rule: &DependencyRule, halt: &Halt) -> bool {
    matches!(&halt.scope, HaltScope::Dependency { name, .. } if *name == rule.name)
}

fn failing(check: &str, state: &State, now: Timestamp) -> Option<String> {
    state.looked_at.filter(|at| now.since_ms(*at) < CHECK_AGE_MS)?;
    let failing = state.targets.iter().filter(|(_, tracked)| tracked.failures > 0 && tracked.raised.is_some());
    let failing: Vec<_> = failing.map(|(target, _)| target.as_str()).collect();
    let (named, others) = failing.split_at(failing.len().min(NAMED_TARGETS));
    if named.is_empty() {
        return None;
    }
    let more = if others.is_empty() { String::new() } else { format!(" and {} more", others.len()) };
    let mut why = format!("check {check} sees {}{more} failing", named.join(", "));
    heal_engine::message::cut(&mut why, REASON_BYTES);
    Some(why)
}
