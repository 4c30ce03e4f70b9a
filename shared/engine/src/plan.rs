//! A playbook compiled: its steps by index, their edges, and their templates ready to render.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::format::{self, Format};
use crate::id::{Digest, StepIndex};
use crate::playbook::{Playbook, Step};
use crate::template::{Template, TemplateError, Test, Tree};
use crate::{Map, limit};

/// What a run follows. Equal digests mean equal plans.
#[derive(Debug)]
pub struct Plan {
    /// Of [`Plan::to_json`].
    pub digest: Digest,
    pub playbook: Playbook,
    json: String,
    steps: Vec<PlannedStep>,
    by_name: BTreeMap<String, StepIndex>,
    pub concurrency_key: Option<Template>,
}

/// One step of a plan.
#[derive(Debug)]
pub struct PlannedStep {
    pub spec: Step,
    pub condition: Option<Test>,
    pub items: Option<Tree>,
    pub parameters: Tree,
    pub until: Option<Test>,
    pub needs: Vec<StepIndex>,
    pub dependents: Vec<StepIndex>,
    keep: Keep,
}

/// Which outputs of a step the state has to keep, because a template may name them.
#[derive(Debug)]
enum Keep {
    All,
    Named(Arc<BTreeSet<String>>),
}

/// A playbook that cannot be compiled. Reading a file finds these faults first; a pinned plan has none, unless it was tampered with.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    #[error("playbook {playbook}, step {step}, {field}")]
    Template {
        playbook: String,
        step: String,
        field: String,
        #[source]
        cause: TemplateError,
    },
    #[error("playbook {playbook}, step {step} needs `{needed}`, and there is no such step before it")]
    UnknownNeed { playbook: String, step: String, needed: String },
    #[error("playbook {playbook} has {observed} steps, the limit is {}", limit::STEPS)]
    TooManySteps { playbook: String, observed: usize },
    #[error("the stored plan {digest} cannot be read")]
    Unreadable {
        digest: Digest,
        #[source]
        cause: format::Error,
    },
    #[error("the stored plan has digest {observed}, the run pinned {pinned}")]
    Tampered { pinned: Digest, observed: Digest },
}

/// A plan is stored as its playbook.
impl Format for Playbook {
    const NAME: &'static str = "plan";
}

impl Plan {
    /// The plan of a playbook, stored and pinned in this build's text.
    ///
    /// # Errors
    /// See [`PlanError`].
    pub fn compile(playbook: Playbook) -> Result<Self, PlanError> {
        // Field order is the struct's, maps are sorted: one playbook has one text.
        let json = format::encode(&playbook);
        Self::from_parts(playbook, json)
    }

    fn from_parts(playbook: Playbook, json: String) -> Result<Self, PlanError> {
        let observed = playbook.steps().count();
        if observed > limit::STEPS {
            return Err(PlanError::TooManySteps { playbook: playbook.name, observed });
        }
        let digest = Digest::of(json.as_bytes());
        let index = |(index, step): (usize, &Step)| (step.name.clone(), index_of(index));
        let by_name: BTreeMap<_, _> = playbook.steps().enumerate().map(index).collect();
        let mut steps = playbook
            .steps()
            .map(|step| PlannedStep::compile(&playbook.name, step, &by_name))
            .collect::<Result<Vec<_>, _>>()?;
        link_dependents(&mut steps);
        let concurrency_key =
            playbook.concurrency_key.as_deref().map(Template::compile).transpose().map_err(|cause| {
                PlanError::Template {
                    playbook: playbook.name.clone(),
                    step: "-".into(),
                    field: "concurrency_key".into(),
                    cause,
                }
            })?;
        keep_what_is_named(&mut steps);
        Ok(Self { digest, playbook, json, steps, by_name, concurrency_key })
    }

    /// The text of the plan, which [`Plan::parse`] reads back.
    pub fn to_json(&self) -> &str {
        &self.json
    }

    /// Reads a stored plan. The digest is that of the text as it was stored, so a plan keeps its digest when a later build's model has
    /// fields more or fewer.
    ///
    /// # Errors
    /// The text is not a plan, or not the one with this digest.
    pub fn parse(digest: &Digest, json: &str) -> Result<Self, PlanError> {
        let observed = Digest::of(json.as_bytes());
        if observed != *digest {
            return Err(PlanError::Tampered { pinned: digest.clone(), observed });
        }
        let unreadable = |cause| PlanError::Unreadable { digest: digest.clone(), cause };
        Self::from_parts(format::decode(json).map_err(unreadable)?, json.to_owned())
    }

    pub fn step(&self, index: StepIndex) -> Option<&PlannedStep> {
        self.steps.get(index as usize)
    }

    /// The steps with their indices, actions first.
    pub fn steps(&self) -> impl Iterator<Item = (StepIndex, &PlannedStep)> {
        self.steps.iter().enumerate().map(|(index, step)| (index_of(index), step))
    }

    pub fn find(&self, name: &str) -> Option<StepIndex> {
        self.by_name.get(name).copied()
    }

    /// How many steps are actions; the verify entries have the indices from here on.
    pub fn actions(&self) -> StepIndex {
        index_of(self.playbook.actions.len())
    }

    pub fn is_verify(&self, index: StepIndex) -> bool {
        index >= self.actions()
    }

    /// A step's name for people; every index in a log has one.
    pub fn name(&self, index: StepIndex) -> &str {
        self.step(index).map_or("?", |step| &step.spec.name)
    }
}

impl PlannedStep {
    fn compile(playbook: &str, step: &Step, by_name: &BTreeMap<String, StepIndex>) -> Result<Self, PlanError> {
        let fault = |field: String, cause| PlanError::Template {
            playbook: playbook.into(),
            step: step.name.clone(),
            field,
            cause,
        };
        let needs = step.needs.iter().map(|needed| {
            by_name.get(needed).copied().ok_or_else(|| PlanError::UnknownNeed {
                playbook: playbook.into(),
                step: step.name.clone(),
                needed: needed.clone(),
            })
        });
        Ok(Self {
            condition: step
                .condition
                .as_ref()
                .map(Test::compile)
                .transpose()
                .map_err(|cause| fault("condition".into(), cause))?,
            items: (step.for_each.as_ref().map(|each| Tree::compile(&each.items)).transpose())
                .map_err(|(path, cause)| fault(join("for_each", &path), cause))?,
            parameters: Tree::compile(&serde_json::Value::Object(step.parameters.clone()))
                .map_err(|(path, cause)| fault(join("parameters", &path), cause))?,
            until: (step.until.as_ref().map(|until| Test::compile(&until.condition)).transpose())
                .map_err(|cause| fault("until".into(), cause))?,
            needs: needs.collect::<Result<_, _>>()?,
            dependents: Vec::new(),
            keep: Keep::Named(Arc::default()),
            spec: step.clone(),
        })
    }

    /// Everything that the step's templates read, with attributes as far as they are fixed.
    pub fn names(&self) -> BTreeSet<String> {
        let tests = [&self.condition, &self.until].into_iter().flatten().flat_map(Test::names);
        let items = self.items.iter().flat_map(Tree::names);
        tests.chain(items).chain(self.parameters.names()).chain(self.spec.inherits.iter().cloned()).collect()
    }

    /// The part of `output` that some template of the playbook may ask for.
    pub fn kept(&self, output: &Map) -> Map {
        match &self.keep {
            Keep::All => output.clone(),
            Keep::Named(names) => {
                let named = output.iter().filter(|(key, _)| names.contains(*key));
                named.map(|(key, value)| (key.clone(), value.clone())).collect()
            }
        }
    }
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

/// A bare name keeps that output of every step; `steps.NAME` keeps all of that one's, and `steps` alone keeps everything.
fn keep_what_is_named(steps: &mut [PlannedStep]) {
    let names: BTreeSet<String> = steps.iter().flat_map(PlannedStep::names).collect();
    let bare: Arc<BTreeSet<String>> =
        Arc::new(names.iter().filter_map(|name| name.split('.').next()).map(ToOwned::to_owned).collect());
    let whole: BTreeSet<&str> =
        names.iter().filter_map(|name| name.strip_prefix("steps.")?.split('.').next()).collect();
    for step in steps {
        let all = names.contains("steps") || whole.contains(step.spec.name.as_str());
        step.keep = if all { Keep::All } else { Keep::Named(Arc::clone(&bare)) };
    }
}

fn index_of(position: usize) -> StepIndex {
    StepIndex::try_from(position).unwrap_or(StepIndex::MAX)
}

fn join(field: &str, path: &str) -> String {
    match path {
        "" => field.to_owned(),
        index if index.starts_with('[') => format!("{field}{index}"),
        _ => format!("{field}.{path}"),
    }
}
