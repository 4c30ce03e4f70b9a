//! Storms: the sick targets of a service are counted as their incidents arrive. Too many within a window raise one group incident, and hold
//! healing of the service but for a trickle.
//!
//! A storm is a halt of its service, so every worker reads it with the others, and runs wait for its end as they wait for any halt's. The
//! group incident is a run that ends `ESCALATED`: the count of repeated runs, which every process asks, lets only one of them start.

use heal_engine::event::{Commit, RunOutcome, RunStarted};
use heal_engine::state::follow_up::ESCALATION;
use heal_engine::time::seconds_to_ms;
use heal_engine::turn;
use heal_engine::{Map, Plan, RunId, State, Timestamp, limit};
use heal_guard::limit::STORM_SECONDS;
use heal_guard::{Halt, HaltScope, STORM_BY, Storm, StormRule};
use serde_json::json;

use super::cache::Live;
use super::{DispatchError, Dispatcher, Prepared};
use crate::halts::{self, ID_PREFIX};
use crate::observe;
use crate::port::{BackendError, Created, NewRun, Repeat, RunFilter, Subject};

/// Runs of one playbook that are read at a time, the newest first; twice the targets of a storm if that is more.
const READ_RUNS: usize = 200;
/// Targets that the group incident names; the others are counted.
const NAMED_TARGETS: usize = 20;
/// A storm is prolonged once this part of its quiet period is gained, so that it costs few writes however many targets it has.
const PROLONGED_BY: u64 = 10;

/// Whether a run of the plan changes something of the rule's service.
fn concerns(rule: &StormRule, plan: &Plan) -> bool {
    plan.playbook.steps().any(|step| rule.actions.contains(&step.kind))
}

impl Dispatcher {
    /// Counts the target of a run that is about to start, and raises or prolongs the storm of its service.
    ///
    /// # Errors
    /// The runs or the halts cannot be read or written. Then no run starts, and the message is delivered again.
    pub(super) async fn watch_for_storms(&self, prepared: &Prepared, now: Timestamp) -> Result<(), DispatchError> {
        let Some(target) = Subject::from_variables(&prepared.intake.variables).target() else { return Ok(()) };
        for rule in self.ports.guardrails.storms.active().filter(|rule| concerns(rule, &prepared.entry.plan)) {
            if !self.sick_targets.is_read(rule, now) {
                self.read_started(rule, now).await?;
            }
            let (is_new, targets) = self.sick_targets.note(rule, target.clone(), now);
            let halts = self.ports.halts.read(now).await?;
            match halts.iter().find(|halt| halt.is_storm_of(&rule.service, now)) {
                Some(halt) if is_new => self.prolong(rule, halt, targets, now).await?,
                None if targets >= rule.targets as usize => self.raise(rule, prepared, now).await?,
                Some(_) | None => {}
            }
        }
        Ok(())
    }

    /// Reads what all processes have started in the window.
    async fn read_started(&self, rule: &StormRule, now: Timestamp) -> Result<(), BackendError> {
        let since = Timestamp(now.0.saturating_sub(seconds_to_ms(rule.window_seconds)));
        let mut started = Vec::new();
        for entry in self.library.entries().filter(|entry| concerns(rule, &entry.plan)) {
            let playbook = Some(entry.plan.playbook.name.clone());
            let filter = RunFilter { playbook, since: Some(since), ..RunFilter::default() };
            let limit = READ_RUNS.max(2 * rule.targets as usize);
            let page = self.ports.runs.list(&filter, limit, None).await?;
            // A shadow run changes nothing, whatever it finds.
            let acting = page.runs.into_iter().filter(|head| head.outcome != Some(RunOutcome::Shadowed));
            started.extend(acting.filter_map(|head| Some((head.subject.target()?, head.started_at))));
        }
        self.sick_targets.add(rule, started.into_iter(), now);
        Ok(())
    }

    /// A new target: the quiet period starts anew. A storm that has lasted [`STORM_SECONDS`] ends all the same.
    async fn prolong(&self, rule: &StormRule, halt: &Halt, targets: usize, now: Timestamp) -> Result<(), BackendError> {
        let quiet_ms = seconds_to_ms(rule.quiet_seconds);
        let until = now.plus_ms(quiet_ms).min(halt.since.plus_ms(seconds_to_ms(STORM_SECONDS)));
        let Some(storm) = halt.storm.as_ref().filter(|_| quiet_ms / PROLONGED_BY < until.since_ms(halt.until)) else {
            return Ok(());
        };
        let targets = storm.targets.max(u32::try_from(targets).unwrap_or(u32::MAX));
        let storm = Storm { targets, ..storm.clone() };
        let longer = Halt { until, reason: reason(rule, &storm), storm: Some(storm), ..halt.clone() };
        // False: another process did it, or somebody has just ended the storm.
        self.ports.halts.prolong(&longer).await?;
        Ok(())
    }

    /// Raises the group incident unless one stands for the service already, and halts the service.
    async fn raise(&self, rule: &StormRule, prepared: &Prepared, now: Timestamp) -> Result<(), DispatchError> {
        if self.ports.halts.confirm(now).await?.iter().any(|halt| halt.is_storm_of(&rule.service, now)) {
            return Ok(());
        }
        let Some(run_id) = self.group_incident(rule, prepared, now).await? else { return Ok(()) };
        let storm = Storm {
            run_id,
            targets: u32::try_from(self.sick_targets.targets(rule).len()).unwrap_or(u32::MAX),
            trickle: rule.trickle,
            window_ms: seconds_to_ms(rule.window_seconds),
        };
        let quiet_ms = seconds_to_ms(rule.quiet_seconds);
        let name: String = rule.service.chars().filter(char::is_ascii_alphanumeric).collect();
        let halt = Halt {
            // Processes that find the storm at the same time mostly store one row.
            id: format!("{ID_PREFIX}storm{name}{}", now.0 / quiet_ms.max(1)),
            scope: HaltScope::Service { name: rule.service.clone() },
            since: now,
            until: now.plus_ms(quiet_ms),
            reason: reason(rule, &storm),
            by: STORM_BY.to_owned(),
            storm: Some(storm),
        };
        if self.ports.halts.halt(&halt).await? {
            self.tell_storm(&halt, &rule.service, &why(rule, &self.sick_targets.targets(rule))).await;
        } else {
            tracing::error!(service = rule.service, "a storm is not held: too many halts last already; resume some");
        }
        Ok(())
    }

    /// The run that stands for the storm; `None` if somebody acknowledged it, and too few targets were sick since.
    async fn group_incident(
        &self,
        rule: &StormRule,
        prepared: &Prepared,
        now: Timestamp,
    ) -> Result<Option<RunId>, DispatchError> {
        let mut acknowledged = None;
        for _ in 0..super::CONFLICTS {
            let (run_id, is_old) = match self.create_group_incident(rule, prepared, acknowledged.take(), now).await? {
                (run_id, Created::Created) => return Ok(Some(run_id)),
                (_, Created::Duplicate { run_id }) => (run_id, true),
                (_, Created::Escalated { run_id }) => (run_id, false),
                // It has no concurrency key and takes no room, and an escalation is not counted.
                (_, Created::Busy { .. } | Created::Repeated { .. } | Created::Full) => continue,
            };
            let state = match self.load(&run_id).await {
                Ok(live) => live.state,
                Err(DispatchError::UnknownRun { .. }) => {
                    acknowledged = Some(run_id);
                    continue;
                }
                Err(error) => return Err(error),
            };
            let Some(done) = state.follow_up.done(ESCALATION) else { return Ok(Some(run_id)) };
            let left = self.sick_targets.acknowledged(rule, done.at, now);
            if is_old || left < rule.targets as usize {
                return Ok(None);
            }
            acknowledged = Some(run_id);
        }
        Ok(None)
    }

    async fn create_group_incident(
        &self,
        rule: &StormRule,
        prepared: &Prepared,
        acknowledged: Option<RunId>,
        now: Timestamp,
    ) -> Result<(RunId, Created), DispatchError> {
        let (plan, service) = (&prepared.entry.plan, &rule.service);
        let targets = self.sick_targets.targets(rule);
        let dedupe_key = format!("storm\n{service}\n{}", prepared.intake.dedupe_key);
        let run_id = RunId::derive(&dedupe_key, now, self.ports.entropy.next()?);
        let started = RunStarted {
            incident_id: format!("storm-{service}-{}", now.0),
            incident_type: Some("STORM".to_owned()),
            playbook: plan.playbook.name.clone(),
            plan_digest: plan.digest.clone(),
            variables: variables(rule, &targets),
            approval: false,
            mode: heal_guard::RunMode::Live,
            autonomy: None,
            named: false,
            gate: None,
            requested_by: None,
            concurrency_key: None,
            traceparent: Some(self.traceparent(None, now)?),
        };
        let why = why(rule, &targets);
        let log = |cause| DispatchError::Log { run_id: run_id.clone(), cause };
        let (state, turn) = turn::escalate(plan, run_id.clone(), started, why.clone(), now).map_err(log)?;
        let (cause_id, events) = (dedupe_key.clone(), turn.events);
        let commit = Commit { run_id: run_id.clone(), first_seq: 1, cause_id, at: now, events, chain: None };
        let commit = commit.chained(None);
        let live = Live { plan: plan.clone(), state, chain: commit.chain.clone() };
        let repeat = Repeat {
            key: format!("storm\n{service}"),
            max: 1,
            window_ms: seconds_to_ms(rule.quiet_seconds),
            escalates: true,
            acknowledged,
        };
        let run = NewRun {
            head: super::commit::head(&live, &commit),
            commit,
            dedupe_key,
            dedupe_until: now.plus_ms(seconds_to_ms(limit::DEDUPE_SECONDS)),
            concurrency_key: None,
            repeat: Some(repeat),
            room: None,
        };
        self.store_plan(plan, now).await?;
        let created = self.ports.runs.create(&run).await?;
        if created == Created::Created {
            observe::committed(&*self.observer, &live.plan, &live.state, &run.commit);
            tracing::warn!(event = "storm.started", run_id = %run_id, service, targets = targets.len(), why, "healing is held");
        }
        Ok((run_id, created))
    }

    /// Ends the storm that `state`'s run stands for, if somebody has acknowledged it. The sweep releases its runs.
    pub(super) async fn end_acknowledged_storm(&self, state: &State) -> Result<(), BackendError> {
        if state.outcome() != Some(RunOutcome::Escalated) || state.awaits_acknowledgement() {
            return Ok(());
        }
        let now = self.now();
        let halts = self.ports.halts.confirm(now).await?;
        for (halt, _) in halts::storms(&halts, now).filter(|(_, storm)| storm.run_id == state.run_id) {
            self.ports.halts.resume(&halt.id, now).await?;
            tracing::warn!(event = "storm.acknowledged", run_id = %state.run_id, id = halt.id, "a storm has ended");
        }
        Ok(())
    }
}

/// Why the service is halted, for `heal halts` and for the runs that it holds.
fn reason(rule: &StormRule, storm: &Storm) -> String {
    let StormRule { window_seconds, quiet_seconds, .. } = rule;
    let Storm { run_id, targets, trickle, .. } = storm;
    let mut reason = format!(
        "storm: {targets} targets within {window_seconds} s; {trickle} effects in {window_seconds} s go on, the others after \
         {quiet_seconds} s without a new target, or once run {run_id} is acknowledged"
    );
    heal_engine::message::cut(&mut reason, halts::REASON_BYTES);
    reason
}

/// Why the group incident is escalated.
fn why(rule: &StormRule, targets: &[String]) -> String {
    let StormRule { service, window_seconds, .. } = rule;
    let named: Vec<_> = targets.iter().take(NAMED_TARGETS).map(String::as_str).collect();
    let more = targets.len() - named.len();
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!(
        "storm of {service}: {} targets within {window_seconds} s: {}{more}; healing of the service is held but for a trickle",
        targets.len(),
        named.join(", ")
    )
}

fn variables(rule: &StormRule, targets: &[String]) -> Map {
    let named: Vec<_> = targets.iter().take(NAMED_TARGETS).collect();
    Map::from_iter([
        ("severity".to_owned(), json!("HIGH")),
        ("escalation_required".to_owned(), json!(true)),
        ("service".to_owned(), json!(rule.service)),
        ("targets".to_owned(), json!(named)),
        ("target_count".to_owned(), json!(targets.len())),
    ])
}
