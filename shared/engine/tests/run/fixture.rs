//! Playbooks with defaults for tests, and a run that a test drives input by input, in virtual time.

use std::collections::BTreeMap;

use heal_engine::autonomy::{Autonomy, RunMode};
use heal_engine::catalog::Safety;
use heal_engine::event::{Commit, Event, RunStarted};
use heal_engine::message::{ActionResult, AttemptResult, HeldCommand, Hold, LateCommand};
use heal_engine::plan::PlannedStep;
use heal_engine::playbook::{
    Approval, Condition, ForEach, OnFailure, OnUnavailable, PlanGate, Playbook, Retry, Step, Until,
};
use heal_engine::turn::{self, Brakes, Input, Turn};
use heal_engine::{ApplyError, Command, Map, Plan, RunId, State, StepRef, Timestamp};
use serde::Deserialize;
use serde_json::Value;

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlaybookCase {
    #[serde(default)]
    pub approval: Option<Approval>,
    #[serde(default = "default_timeout")]
    pub timeout_seconds: u64,
    pub actions: Vec<StepCase>,
    #[serde(default)]
    pub verify: Vec<StepCase>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StepCase {
    pub name: String,
    #[serde(rename = "type")]
    pub kind: Option<String>,
    pub condition: Option<Condition>,
    #[serde(default)]
    pub approval: Option<Approval>,
    pub needs: Option<Vec<String>>,
    pub max_attempts: Option<u32>,
    #[serde(default = "default_timeout")]
    pub timeout_seconds: u64,
    #[serde(default)]
    pub on_failure: OnFailure,
    #[serde(default)]
    pub on_unavailable: OnUnavailable,
    pub for_each: Option<Value>,
    #[serde(default = "default_parallel")]
    pub max_parallel: u32,
    #[serde(default)]
    pub parameters: Map,
    pub until: Option<Condition>,
    #[serde(default = "default_timeout")]
    pub within_seconds: u64,
    #[serde(default)]
    pub safety: Safety,
    #[serde(default)]
    pub inherits: Vec<String>,
    #[serde(default)]
    pub outputs: Vec<String>,
}

fn default_timeout() -> u64 {
    60
}

fn default_parallel() -> u32 {
    2
}

impl PlaybookCase {
    pub fn into_plan(self) -> Plan {
        let chain = |steps: Vec<StepCase>| {
            let mut before: Option<String> = None;
            let link = |step: StepCase| {
                let needs = before.replace(step.name.clone()).into_iter().collect();
                step.into_step(needs)
            };
            steps.into_iter().map(link).collect::<Vec<_>>()
        };
        let playbook = Playbook {
            name: "case".to_owned(),
            description: String::new(),
            timeout_seconds: self.timeout_seconds,
            triggers: Vec::new(),
            parameters_schema: None,
            concurrency_key: None,
            approval: self.approval,
            actions: chain(self.actions),
            verify: chain(self.verify),
            plan_gate: PlanGate::default(),
        };
        Plan::compile(playbook).expect("the case's playbook compiles")
    }
}

impl StepCase {
    fn into_step(self, needs: Vec<String>) -> Step {
        let retry = Retry { max_attempts: self.max_attempts.unwrap_or(1), ..Retry::default() };
        let max_parallel = self.max_parallel;
        let within_seconds = self.within_seconds;
        Step {
            kind: self.kind.unwrap_or_else(|| "act".to_owned()),
            name: self.name,
            condition: self.condition,
            needs: self.needs.unwrap_or(needs),
            retry,
            timeout_seconds: self.timeout_seconds,
            on_failure: self.on_failure,
            on_unavailable: self.on_unavailable,
            for_each: self.for_each.map(|items| ForEach { items, max_parallel }),
            parameters: self.parameters,
            approval: self.approval,
            until: self.until.map(|condition| Until { condition, within_seconds, every_seconds: 5 }),
            safety: self.safety,
            critical: false,
            service: String::new(),
            inherits: self.inherits,
            outputs: self.outputs,
        }
    }
}

/// The hold of a halt of the step's action, if that is `halted`.
fn hold_of(halted: &[String], step: &PlannedStep) -> Option<Hold> {
    let (by, reason) = ("local:ann".to_owned(), format!("action {} is halted", step.spec.kind));
    let hold = Hold { by, reason, halt: Some("halt-1".to_owned()), until: None };
    halted.contains(&step.spec.kind).then_some(hold)
}

/// How a run is started.
#[derive(Debug, Default)]
pub struct Started {
    pub mode: RunMode,
    pub autonomy: Option<Autonomy>,
    pub requested_by: Option<String>,
    /// There is no room for the run.
    pub is_full: bool,
    /// The services whose effects are halted.
    pub halted: Vec<String>,
}

/// A run with its whole log.
#[derive(Debug)]
pub struct Run {
    pub plan: Plan,
    pub state: State,
    pub commits: Vec<Commit>,
    /// Tokens of every attempt that the log has authorised.
    pub tokens: BTreeMap<(StepRef, u32), heal_engine::Token>,
    pub entropy: u64,
    /// There is no room for a further run.
    pub is_full: bool,
    /// The actions whose effects are halted.
    pub halted: Vec<String>,
}

impl Run {
    fn started(plan: &Plan, variables: Map, approval: bool, requested_by: Option<String>) -> RunStarted {
        RunStarted {
            incident_id: "incident-1".to_owned(),
            incident_type: None,
            playbook: plan.playbook.name.clone(),
            plan_digest: plan.digest.clone(),
            variables,
            approval,
            mode: RunMode::Live,
            autonomy: None,
            named: false,
            gate: None,
            requested_by,
            concurrency_key: None,
            traceparent: None,
        }
    }

    /// A run that is escalated at once.
    pub fn escalated(plan: Plan, variables: Map, reason: &str, at: Timestamp) -> Self {
        let started = Self::started(&plan, variables, false, None);
        let (state, turn) =
            turn::escalate(&plan, RunId::new("run-1"), started, reason.to_owned(), at).expect("a run is escalated");
        let mut run = Self::new(plan, state, 7);
        run.commit(turn, at);
        run
    }

    fn new(plan: Plan, state: State, entropy: u64) -> Self {
        let (commits, tokens) = (Vec::new(), BTreeMap::new());
        Self { plan, state, commits, tokens, entropy, is_full: false, halted: Vec::new() }
    }

    pub fn start(plan: Plan, variables: Map, approval: bool, at: Timestamp, entropy: u64) -> Self {
        Self::start_as(plan, variables, approval, Started::default(), at, entropy)
    }

    /// As [`Run::start`], in another way.
    pub fn start_as(plan: Plan, variables: Map, approval: bool, how: Started, at: Timestamp, entropy: u64) -> Self {
        let run_id = RunId::new("run-1");
        let Started { mode, autonomy, requested_by, is_full, halted } = how;
        let started = RunStarted { mode, autonomy, ..Self::started(&plan, variables, approval, requested_by) };
        let halts = |step: &PlannedStep, _: &Map| hold_of(&halted, step);
        let brakes = Brakes { is_full, halted: Some(&halts) };
        let (state, turn) = turn::begin_under(&plan, run_id, started, None, brakes, at, entropy).expect("a run begins");
        let mut run = Self { is_full, halted, ..Self::new(plan, state, entropy) };
        run.commit(turn, at);
        run
    }

    pub fn take(&mut self, input: Input, at: Timestamp) -> Result<Vec<Event>, ApplyError> {
        self.entropy = self.entropy.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let halts = |step: &PlannedStep, _: &Map| hold_of(&self.halted, step);
        let brakes = Brakes { is_full: self.is_full, halted: Some(&halts) };
        let turn = turn::take_under(&self.plan, &mut self.state, input, brakes, at, self.entropy)?;
        let events = turn.events.clone();
        self.commit(turn, at);
        Ok(events)
    }

    pub fn result(&self, step: StepRef, attempt: u32, result: AttemptResult) -> Input {
        let token = self.tokens.get(&(step, attempt)).cloned().unwrap_or_else(|| heal_engine::Token::new("none"));
        Input::Result(Box::new(ActionResult {
            run_id: self.state.run_id.clone(),
            step: self.plan.name(step.step).to_owned(),
            item: step.item,
            attempt,
            token,
            finished_at: Timestamp(0),
            started_at: None,
            result,
        }))
    }

    /// As [`Run::result`], of an attempt on which a worker worked between these moments.
    pub fn worked(
        &self,
        step: StepRef,
        attempt: u32,
        result: AttemptResult,
        (started_at, finished_at): (Timestamp, Timestamp),
    ) -> Input {
        let Input::Result(result) = self.result(step, attempt, result) else { panic!("not a result") };
        Input::Result(Box::new(ActionResult { started_at: Some(started_at), finished_at, ..*result }))
    }

    /// A worker took the attempt's command too late.
    pub fn late(&self, step: StepRef, attempt: u32, taken_at: Timestamp) -> Input {
        let Input::Result(result) = self.result(step, attempt, AttemptResult::succeeded(Map::new())) else {
            unreachable!("a result")
        };
        let ActionResult { run_id, step, item, attempt, token, .. } = *result;
        Input::Late(Box::new(LateCommand { run_id, step, item, attempt, token, taken_at }))
    }

    /// The answer of a worker that found the attempt's effect halted by `hold`.
    pub fn held(&self, step: StepRef, attempt: u32, hold: Hold, may_have_acted: bool) -> Input {
        let result = self.result(step, attempt, AttemptResult::succeeded(Map::new()));
        let Input::Result(result) = result else { unreachable!("a result") };
        let ActionResult { run_id, step, item, attempt, token, .. } = *result;
        Input::Held(Box::new(HeldCommand { run_id, step, item, attempt, token, hold, may_have_acted }))
    }

    pub fn owed(&self, at: Timestamp) -> Vec<Command> {
        heal_engine::decide::decide(&self.plan, &self.state, at)
    }

    fn commit(&mut self, turn: Turn, at: Timestamp) {
        if turn.events.is_empty() {
            return;
        }
        for event in &turn.events {
            if let Event::AttemptStarted { step, attempt, token, .. }
            | Event::AttemptReissued { step, attempt, token, .. } = event
            {
                self.tokens.insert((*step, *attempt), token.clone());
            }
        }
        let first_seq = self.commits.last().map_or(1, |last| last.last_seq() + 1);
        let run_id = self.state.run_id.clone();
        self.commits.push(Commit {
            run_id,
            first_seq,
            cause_id: "test".to_owned(),
            at,
            events: turn.events,
            chain: None,
        });
    }
}
