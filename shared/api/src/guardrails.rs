//! `/api/v1/guardrails`: what bounds the engine, and how much of it is left.
//!
//! The logs of the latest runs name the effects, and so the counters; the store says how full each counter is now.

use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use futures_util::future::try_join_all;
use heal_engine::event::Commit;
use heal_engine::{Event, Timestamp, format};
use heal_guard::{Budget, DecisionRecord, Effect, Guardrails};
use heal_runtime::dispatcher::budget_counter;
use heal_runtime::port::{BudgetKey, CooldownKey, RunFilter};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::cached::tagged;
use crate::problem::Problem;
use crate::renderer;
use crate::request::Service;

/// Runs whose effects name the counters.
pub(crate) const RUNS: usize = 50;
/// Different effects that are asked about.
const EFFECTS: usize = 200;

/// How much of one budget one key has used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = BudgetCounter)]
pub(crate) struct CounterView {
    /// What the budget counts by, rendered; empty if there is one counter for all.
    pub key: String,
    /// Places that are taken now.
    pub used: u32,
    /// Places that are left. A budget with `max_percent` may have more, where the population is large.
    pub left: u32,
    /// When the next place is free, in milliseconds since the epoch; null if one is.
    pub full_until: Option<u64>,
}

/// A budget, with the keys that were used lately.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = BudgetStanding)]
pub(crate) struct BudgetView {
    /// Its name.
    pub name: String,
    /// Places that there are for each key.
    pub max: u32,
    /// The share of the target's population that is allowed where it is more, in percent.
    pub max_percent: Option<u32>,
    /// Seconds for which an effect takes a place; null if a place is free once the attempt has ended.
    pub window_seconds: Option<u64>,
    /// The keys, the fullest first; those that no run has used lately are left out, and nothing of them is used.
    pub counters: Vec<CounterView>,
}

/// A target that an action leaves alone now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = CooldownStanding)]
pub(crate) struct CooldownView {
    /// The action.
    pub action: String,
    /// The target.
    pub target: String,
    /// When it was touched, in milliseconds since the epoch.
    pub since: u64,
    /// When it may be touched again, in milliseconds since the epoch.
    pub until: u64,
}

/// The guardrails and how they stand.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = Guardrails)]
pub(crate) struct GuardrailsView {
    /// The digest of the guardrails, as the records of runs name it.
    pub digest: String,
    /// The guardrails, every default filled in.
    #[schema(value_type = Object)]
    pub guardrails: Value,
    /// The budgets, as they stand in the file.
    pub budgets: Vec<BudgetView>,
    /// The running cooldowns of targets that were touched lately, the one that ends last first.
    pub cooldowns: Vec<CooldownView>,
    /// Runs that were read for their effects: the latest ones.
    pub runs_read: usize,
}

/// Shows the guardrails, and how much of each budget is left.
#[utoipa::path(get, path = "/api/v1/guardrails", operation_id = "showGuardrails", tag = "brakes",
    responses((status = 200, description = "The guardrails and how they stand", body = GuardrailsView)))]
pub(crate) async fn show(State(service): State<Arc<Service>>, headers: HeaderMap) -> Result<Response, Problem> {
    tagged(&headers, &standing(&service).await?)
}

/// The guardrails of this home as they stand now.
///
/// # Errors
/// The runs or the counters cannot be read.
pub(crate) async fn standing(service: &Service) -> Result<GuardrailsView, Problem> {
    let (guardrails, now) = (service.dispatcher.guardrails(), service.dispatcher.now());
    let (effects, runs_read) = effects(service).await?;
    let mut cooldowns: Vec<CooldownKey> = effects.iter().map(cooldown_of).collect();
    cooldowns.sort();
    cooldowns.dedup();
    let counters: Vec<Vec<BudgetKey>> = guardrails.budgets.iter().map(|budget| counters(budget, &effects)).collect();
    let asked: Vec<BudgetKey> = counters.iter().flatten().cloned().collect();
    let peeked = service.claims.peek(&cooldowns, &asked).await?;
    let mut places = peeked.budgets.iter();
    let budgets = guardrails.budgets.iter().zip(counters).map(|(budget, keys)| {
        let mut counters: Vec<CounterView> = keys
            .into_iter()
            .zip(places.by_ref())
            .map(|(BudgetKey { key, .. }, places)| {
                let used = places.taken(now);
                let full_until = places.full_until(budget.max, now).map(|until| until.0);
                CounterView { key, used, left: budget.max.saturating_sub(used), full_until }
            })
            .collect();
        counters.sort_by(|one, other| (one.left, &one.key).cmp(&(other.left, &other.key)));
        let Budget { name, max, max_percent, window_seconds, concurrent, .. } = budget;
        let window_seconds = (!concurrent).then_some(*window_seconds);
        BudgetView { name: name.clone(), max: *max, max_percent: *max_percent, window_seconds, counters }
    });
    let budgets = budgets.collect();
    let running = cooldowns.into_iter().zip(peeked.cooldowns).filter_map(|(key, cooling)| {
        let cooling = cooling.filter(|cooling| cooling.until > now)?;
        let CooldownKey { action, target } = key;
        Some(CooldownView { action, target, since: cooling.since.0, until: cooling.until.0 })
    });
    let mut cooldowns: Vec<CooldownView> = running.collect();
    cooldowns.sort_by(|one, other| (other.until, &one.target).cmp(&(one.until, &other.target)));
    Ok(GuardrailsView {
        digest: guardrails.digest().to_string(),
        guardrails: json(guardrails),
        budgets,
        cooldowns,
        runs_read,
    })
}

/// The effects of the latest runs, each once, and the number of the runs.
async fn effects(service: &Service) -> Result<(Vec<Effect>, usize), Problem> {
    let found = service.runs.list(&RunFilter::default(), RUNS, None).await?.runs;
    let read = async {
        let logs = try_join_all(found.iter().map(|head| service.dispatcher.read(&head.run_id))).await?;
        Ok::<_, Problem>(logs.into_iter().flat_map(|(_, commits)| commits).collect())
    };
    let effects = renderer::apart(read, |commits: Vec<Commit>| Ok(effects_of(&commits))).await?;
    Ok((effects, found.len()))
}

/// The effects that were decided on, each once.
fn effects_of(commits: &[Commit]) -> Vec<Effect> {
    let events = commits.iter().flat_map(|commit| &commit.events);
    let results =
        events.filter_map(|event| if let Event::AttemptEnded { result, .. } = event { Some(result) } else { None });
    let records = results.flat_map(|result| &result.decisions);
    let mut effects: Vec<Effect> = Vec::new();
    for record in records {
        let Ok(record) = format::decode::<DecisionRecord>(&record.to_string()) else { continue };
        if effects.len() < EFFECTS && !effects.contains(&record.question.effect) {
            effects.push(record.question.effect);
        }
    }
    effects
}

fn cooldown_of(effect: &Effect) -> CooldownKey {
    CooldownKey { action: effect.action.clone(), target: effect.target.clone() }
}

/// The counters of `budget` that the effects count in, each once; the one for all even if none does.
fn counters(budget: &Budget, effects: &[Effect]) -> Vec<BudgetKey> {
    let for_all = budget.key.is_empty().then(Effect::default);
    let admitted = effects.iter().filter(|effect| budget.applies_to.admits(effect));
    let mut keys: Vec<BudgetKey> = Vec::new();
    for key in admitted.chain(&for_all).filter_map(|effect| budget_counter(budget, effect)) {
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
    keys
}

fn json(guardrails: &Guardrails) -> Value {
    serde_json::to_value(guardrails).unwrap_or_default()
}

impl CounterView {
    /// The end of the wait for a place, if there is none.
    pub fn full_until(&self) -> Option<Timestamp> {
        self.full_until.map(Timestamp)
    }
}
