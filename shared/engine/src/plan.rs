//! A compiled playbook: its steps by index, their edges, and their templates, ready to render.

mod error;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::catalog::{Safety, WAIT};
use crate::format::{self, Format};
use crate::id::{Digest, StepIndex};
use crate::playbook::{Approval, Playbook, Step};
use crate::template::{Scope, Template, TemplateError, Test, Tree, join};
use crate::{Map, limit};

pub use error::Error;

/// What a run follows. Equal digests mean equal plans.
#[derive(Debug)]
pub struct Plan {
    /// The digest of [`Plan::to_json`].
    pub digest: Digest,
    /// The playbook that the plan was compiled from.
    pub playbook: Playbook,
    /// Renders the key that keeps two runs for one target from being live at the same time.
    pub concurrency_key: Option<Template>,
    /// The compiled `approval.when` of the playbook.
    approval_when: Option<Test>,
    json: String,
    steps: Vec<PlannedStep>,
    by_name: BTreeMap<String, StepIndex>,
}

/// One step of a plan.
#[derive(Debug)]
pub struct PlannedStep {
    /// The step as the playbook has it.
    pub spec: Step,
    /// The compiled `condition`.
    pub condition: Option<Test>,
    /// The compiled `for_each.items`.
    pub items: Option<Tree>,
    /// The compiled `parameters`.
    pub parameters: Tree,
    /// The compiled `until.condition`.
    pub until: Option<Test>,
    /// The compiled `approval.when`.
    pub approval_when: Option<Test>,
    /// The steps that have to end before this one starts.
    pub needs: Vec<StepIndex>,
    /// The steps that need this one.
    pub dependents: Vec<StepIndex>,
    kept: Kept,
}

/// Which outputs of a step the state keeps, because a template may read them.
#[derive(Debug)]
enum Kept {
    All,
    Named(Arc<BTreeSet<String>>),
}

/// A plan is stored as its playbook. Version 2 adds `approval`: an older build would start without asking anybody.
impl Format for Playbook {
    const NAME: &'static str = "plan";
    const VERSION: u32 = 2;

    fn needed_version(&self) -> u32 {
        let asks = self.approval.is_some() || self.steps().any(|step| step.approval.is_some());
        if asks { 2 } else { 1 }
    }
}

impl Plan {
    /// The plan of a playbook, with the text and the digest that this build gives it.
    ///
    /// # Errors
    /// A fault of the playbook.
    pub fn compile(playbook: Playbook) -> Result<Self, Error> {
        // Fields are in the order of the struct and maps are sorted, so one playbook has one text.
        let json = format::encode(&playbook);
        let digest = Digest::of(json.as_bytes());
        Self::from_parts(playbook, json, digest)
    }

    /// Reads a stored plan. Its digest is that of the stored text, so it does not change if a later build's model has more or fewer
    /// fields.
    ///
    /// # Errors
    /// The text does not have this digest, or is not a plan that this build can read.
    pub fn parse(digest: &Digest, json: &str) -> Result<Self, Error> {
        let observed = Digest::of(json.as_bytes());
        if observed != *digest {
            return Err(Error::Tampered { pinned: digest.clone(), observed });
        }
        let unreadable = |cause| Error::Unreadable { digest: digest.clone(), cause };
        Self::from_parts(format::decode(json).map_err(unreadable)?, json.to_owned(), observed)
    }

    fn from_parts(playbook: Playbook, json: String, digest: Digest) -> Result<Self, Error> {
        let observed = playbook.steps().count();
        if observed > limit::STEPS {
            return Err(Error::TooManySteps { playbook: playbook.name, observed });
        }
        let named = |(index, step): (usize, &Step)| (step.name.clone(), index_of(index));
        let by_name: BTreeMap<_, _> = playbook.steps().enumerate().map(named).collect();
        let steps = playbook.steps().map(|step| PlannedStep::compile(&playbook.name, step, &by_name));
        let mut steps = steps.collect::<Result<Vec<_>, _>>()?;
        link_dependents(&mut steps);
        keep_named_outputs(&mut steps);
        let fault =
            |cause| Error::Template { playbook: playbook.name.clone(), place: "concurrency_key".to_owned(), cause };
        let concurrency_key = playbook.concurrency_key.as_deref().map(Template::compile).transpose().map_err(fault)?;
        let fault =
            |cause| Error::Template { playbook: playbook.name.clone(), place: "approval.when".to_owned(), cause };
        let approval_when = compile_when(playbook.approval.as_ref()).map_err(fault)?;
        Ok(Self { digest, playbook, concurrency_key, approval_when, json, steps, by_name })
    }

    /// Whether the playbook asks people before the first step of a run with these variables. If the condition cannot be
    /// evaluated, people are asked.
    pub fn asks_approval(&self, scope: &Scope) -> bool {
        let holds = |when: &Test| when.holds(scope).unwrap_or(true);
        self.playbook.approval.is_some() && self.approval_when.as_ref().is_none_or(holds)
    }

    /// The plan's text, which [`Plan::parse`] reads.
    pub fn to_json(&self) -> &str {
        &self.json
    }

    /// The step with this index.
    pub fn step(&self, index: StepIndex) -> Option<&PlannedStep> {
        self.steps.get(index as usize)
    }

    /// The steps with their indices, actions first.
    pub fn steps(&self) -> impl Iterator<Item = (StepIndex, &PlannedStep)> {
        self.steps.iter().enumerate().map(|(index, step)| (index_of(index), step))
    }

    /// The index of the step with this name.
    pub fn find(&self, name: &str) -> Option<StepIndex> {
        self.by_name.get(name).copied()
    }

    /// How many steps are actions; the verify entries have the indices from here on.
    pub fn actions(&self) -> StepIndex {
        index_of(self.playbook.actions.len())
    }

    /// Whether the step belongs to the verification.
    pub fn is_verify(&self, index: StepIndex) -> bool {
        index >= self.actions()
    }

    /// A step's name for people; every index in a log has one.
    pub fn name(&self, index: StepIndex) -> &str {
        self.step(index).map_or("?", |step| &step.spec.name)
    }
}

impl PlannedStep {
    fn compile(playbook: &str, step: &Step, by_name: &BTreeMap<String, StepIndex>) -> Result<Self, Error> {
        let fault = |field: String, cause| Error::Template {
            playbook: playbook.to_owned(),
            place: format!("{field} of step {}", step.name),
            cause,
        };
        let needs = step.needs.iter().map(|needed| {
            by_name.get(needed).copied().ok_or_else(|| Error::UnknownNeed {
                playbook: playbook.to_owned(),
                step: step.name.clone(),
                needed: needed.clone(),
            })
        });
        Ok(Self {
            condition: (step.condition.as_ref().map(Test::compile).transpose())
                .map_err(|cause| fault("condition".to_owned(), cause))?,
            items: (step.for_each.as_ref().map(|each| Tree::compile(&each.items)).transpose())
                .map_err(|(path, cause)| fault(join("for_each", &path), cause))?,
            parameters: Tree::compile(&serde_json::Value::Object(step.parameters.clone()))
                .map_err(|(path, cause)| fault(join("parameters", &path), cause))?,
            until: (step.until.as_ref().map(|until| Test::compile(&until.condition)).transpose())
                .map_err(|cause| fault("until".to_owned(), cause))?,
            approval_when: compile_when(step.approval.as_ref())
                .map_err(|cause| fault("approval.when".to_owned(), cause))?,
            needs: needs.collect::<Result<_, _>>()?,
            dependents: Vec::new(),
            kept: Kept::Named(Arc::default()),
            spec: step.clone(),
        })
    }

    /// Whether the step may change its target. A `wait` and an action that only reads do not.
    pub fn is_change(&self) -> bool {
        self.spec.kind != WAIT && self.spec.safety != Safety::ReadOnly
    }

    /// Every name that the step's templates read, with attributes as far as they are fixed.
    pub fn names(&self) -> BTreeSet<String> {
        let tests = [&self.condition, &self.until, &self.approval_when].into_iter().flatten().flat_map(Test::names);
        let items = self.items.iter().flat_map(Tree::names);
        tests.chain(items).chain(self.parameters.names()).chain(self.spec.inherits.iter().cloned()).collect()
    }

    /// The part of `output` that a template of the playbook may read.
    pub fn kept(&self, output: &Map) -> Map {
        match &self.kept {
            Kept::All => output.clone(),
            Kept::Named(names) => {
                let named = output.iter().filter(|(key, _)| names.contains(*key));
                named.map(|(key, value)| (key.clone(), value.clone())).collect()
            }
        }
    }
}

fn compile_when(approval: Option<&Approval>) -> Result<Option<Test>, TemplateError> {
    approval.and_then(|approval| approval.when.as_ref()).map(Test::compile).transpose()
}

fn link_dependents(steps: &mut [PlannedStep]) {
    let edges: Vec<_> = steps
        .iter()
        .enumerate()
        .flat_map(|(index, step)| step.needs.iter().map(move |need| (*need, index_of(index))))
        .collect();
    for (need, dependent) in edges {
        if let Some(step) = steps.get_mut(need as usize) {
            step.dependents.push(dependent);
        }
    }
}

/// A bare name keeps the output of that name of every step; `steps.NAME` keeps all outputs of that step, and `steps` alone keeps everything.
fn keep_named_outputs(steps: &mut [PlannedStep]) {
    let names: BTreeSet<String> = steps.iter().flat_map(PlannedStep::names).collect();
    let bare: Arc<BTreeSet<String>> =
        Arc::new(names.iter().filter_map(|name| name.split('.').next()).map(ToOwned::to_owned).collect());
    let whole: BTreeSet<&str> =
        names.iter().filter_map(|name| name.strip_prefix("steps.")?.split('.').next()).collect();
    for step in steps {
        let all = names.contains("steps") || whole.contains(step.spec.name.as_str());
        step.kept = if all { Kept::All } else { Kept::Named(Arc::clone(&bare)) };
    }
}

fn index_of(position: usize) -> StepIndex {
    StepIndex::try_from(position).unwrap_or(StepIndex::MAX)
}
