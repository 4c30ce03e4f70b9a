//! Which targets are admitted: facts, policy, cooldown and budgets, each target for itself. The guard decides.

use std::collections::{HashMap, HashSet};

use futures_util::{StreamExt as _, stream};
use heal_engine::Timestamp;
use heal_engine::catalog::Safety;
use heal_engine::message::{AttemptOutcome, AttemptResult, Violation};
use heal_guard::{Decision, DecisionRecord, PolicyAnswer, Question, Verdict};

use super::NotStarted;
use super::ask::log_approval_required;
use super::bounds::{Answer, Counted};
use super::merge::denied_by;
use super::record::Told;
use super::typed::Attempt;
use crate::action::{Action, Admitted, Target, log};
use crate::observe::Prevented;
use crate::port::Stage;

/// Targets whose facts are read and whose policy is asked at the same time.
const PARALLEL: usize = 10;

/// What was decided for the targets of one attempt.
#[derive(Debug)]
pub(super) struct Admission<F> {
    pub admitted: Vec<Admitted<F>>,
    /// What each of the admitted targets counts in, in the same order.
    pub counted: Vec<Counted>,
    pub refused: Vec<(Target, Refusal)>,
    /// The policy's, each once.
    pub warnings: Vec<String>,
    /// How many targets there were.
    pub asked: usize,
    /// What was decided on each target that is to be changed, for the log.
    pub decisions: Vec<DecisionRecord>,
    /// Whether the store has the intent already.
    pub intent_stored: bool,
}

impl<F> Admission<F> {
    /// Whether people have to be asked before anything is done.
    fn needs_approval(&self) -> bool {
        self.refused.iter().any(|(_, refusal)| matches!(refusal, Refusal::NeedsApproval { .. }))
    }
}

/// Why a target is left alone.
#[derive(Debug)]
pub(super) enum Refusal {
    Denied(Vec<Violation>),
    /// People have to be asked first.
    NeedsApproval {
        violations: Vec<Violation>,
        approvers: Vec<String>,
    },
    CoolingDown {
        until: Timestamp,
        /// Which rule, and how full it is.
        rule: String,
        /// Whether it is not the target's own cooldown, so that people have to be told which rule it is.
        is_budget: bool,
    },
    /// The facts could not be read, the policy could not be asked, or the guard wants a person to look.
    Ended(AttemptResult),
}

/// A target that nothing speaks against before its counters are asked.
struct Candidate<F> {
    admitted: Admitted<F>,
    /// Whether its service has another id for it than was given, so that the claim does not announce it.
    is_renamed: bool,
    counted: Counted,
    question: Question,
    told: Told,
}

/// What became of a target before its counters were asked.
enum Asked<F> {
    Candidate(Candidate<F>, Option<String>),
    /// The store is unavailable.
    Unasked(NotStarted),
    Refused(Target, Refusal, Option<DecisionRecord>),
}

impl<A: Action> Attempt<'_, A> {
    pub(super) async fn admit(&self, targets: Vec<Target>) -> Result<Admission<A::Facts>, NotStarted> {
        let mut admission = Admission {
            admitted: Vec::new(),
            counted: Vec::new(),
            refused: Vec::new(),
            warnings: Vec::new(),
            asked: targets.len(),
            decisions: Vec::new(),
            intent_stored: false,
        };
        let last_touched = self.last_touched(&targets).await?;
        let asked = stream::iter(targets.into_iter().zip(last_touched))
            .map(|(target, last)| self.ask(target, last))
            .buffered(PARALLEL)
            .collect::<Vec<_>>()
            .await;
        let (mut known, mut named) = (HashSet::new(), HashSet::new());
        let mut candidates = Vec::new();
        for asked in asked {
            match asked {
                // A target that was given by two of its names is one.
                Asked::Candidate(candidate, _) if !named.insert(candidate.counted.key.clone()) => admission.asked -= 1,
                Asked::Candidate(candidate, warning) => {
                    admission.warnings.extend(warning.filter(|warning| known.insert(warning.clone())));
                    candidates.push(candidate);
                }
                Asked::Unasked(not_started) => return Err(not_started),
                Asked::Refused(target, refusal, decided) => {
                    admission.decisions.extend(decided);
                    admission.refused.push((target, refusal));
                }
            }
        }
        // One approval is for all that the command is to do: without it nothing is reserved and nothing is done, not even a part.
        if !admission.needs_approval() {
            self.reserve_and_decide(candidates, &mut admission).await?;
        }
        Ok(admission)
    }

    /// Reads the facts, then asks the policy and the guard.
    async fn ask(&self, target: Target, last_touched: Option<Timestamp>) -> Asked<A::Facts> {
        let facts = match self.action.facts(self.call, self.parameters, &target).await {
            Ok(facts) => facts,
            Err(ended) => {
                let refusal = self.without_facts(&target, ended);
                return Asked::Refused(target, refusal, None);
            }
        };
        let is_renamed = facts.answered.is_some();
        let (target, last_touched) = match facts.answered {
            None => (target, last_touched),
            Some(answered) => match self.last_touched(std::slice::from_ref(&answered)).await {
                Ok(touched) => (answered, touched.into_iter().next().flatten()),
                Err(not_started) => return Asked::Unasked(not_started),
            },
        };
        let (policy, warning, told) = match self.ask_policy(&target, facts.policy, last_touched).await {
            Ok(answer) => answer,
            Err(refusal) => return Asked::Refused(target, refusal, None),
        };
        let counted = match self.worker.bounds.count(self.action.spec(), self.call, &target, self.storms) {
            Ok(counted) => counted,
            Err(error) => {
                let message = format!("nothing was done: failed to render the key of a budget: {error}");
                self.log_failed([&target], &message);
                let refusal = Refusal::Ended(AttemptResult::failed("bad_guardrails", message));
                return Asked::Refused(target, refusal, None);
            }
        };
        let (spec, now) = (self.action.spec(), self.worker.ports.clock.now());
        let question = Question {
            policy,
            parameters_digest: Some(self.call.command.parameters_digest.clone()),
            approved: self.call.command.approved.clone(),
            ..self.worker.bounds.question(spec, &counted.effect, &facts.marks, now)
        };
        let decision = heal_guard::decide(&question);
        match self.refusal(&target, &counted, &question, &decision) {
            None => {
                let admitted = Admitted { target, facts: facts.own };
                Asked::Candidate(Candidate { admitted, is_renamed, counted, question, told }, warning)
            }
            Some(refusal) => {
                self.worker.observer.decided(self.worker.name(), &decision.verdict);
                Asked::Refused(target, refusal, Some(told.record(question, decision)))
            }
        }
    }

    /// A service that cannot be read cannot be changed either.
    fn without_facts(&self, target: &Target, ended: AttemptResult) -> Refusal {
        if let AttemptOutcome::Unavailable { .. } = ended.outcome {
            self.observe_prevented(target, Prevented::Unavailable);
        }
        Refusal::Ended(ended)
    }

    /// Reserves what the candidates count in, and lets the guard decide on each with what the store answered.
    async fn reserve_and_decide(
        &self,
        candidates: Vec<Candidate<A::Facts>>,
        admission: &mut Admission<A::Facts>,
    ) -> Result<(), NotStarted> {
        let (mut admitted, mut asked) = (Vec::new(), Vec::new());
        let mut populations = HashMap::new();
        let is_announced = !candidates.iter().any(|candidate| candidate.is_renamed);
        let stage = if is_announced { Stage::Reserve } else { Stage::Full };
        for Candidate { admitted: this, mut counted, question, told, .. } in candidates {
            self.allow_shares(&mut counted, &this.facts, &mut populations).await;
            admitted.push(this);
            asked.push((counted, question, told));
        }
        let counted: Vec<&Counted> = asked.iter().map(|(counted, ..)| counted).filter(|one| !one.is_free()).collect();
        let mut answer = Answer::default();
        if !counted.is_empty() {
            let intent = self.intent(&admitted).filter(|_| !self.is_shadow());
            admission.intent_stored = intent.is_some();
            answer = if self.is_shadow() {
                self.peek(&counted).await?
            } else {
                self.reserve(&counted, intent, stage).await?
            };
            self.unless_trickle_is_full(&counted, &answer)?;
        }
        let now = self.worker.ports.clock.now();
        for (admitted, (counted, question, told)) in admitted.into_iter().zip(asked) {
            let question = Question { now, counters: counted.counters(&answer), ..question };
            let decision = heal_guard::decide(&question);
            match self.refusal(&admitted.target, &counted, &question, &decision) {
                None => {
                    admission.admitted.push(admitted);
                    admission.counted.push(counted);
                }
                // Only a full counter refuses here, and of a target with a full counter nothing was reserved.
                Some(refusal) => {
                    // What was stored names more than what is done.
                    admission.intent_stored = false;
                    admission.refused.push((admitted.target, refusal));
                }
            }
            if self.action.spec().safety != Safety::ReadOnly || question.policy != PolicyAnswer::NotAsked {
                self.worker.observer.decided(self.worker.name(), &decision.verdict);
                admission.decisions.push(told.record(question, decision));
            }
        }
        Ok(())
    }

    /// Why the guard leaves `target` alone; `None` if it does not. Tells metrics and log.
    fn refusal(&self, target: &Target, counted: &Counted, question: &Question, decision: &Decision) -> Option<Refusal> {
        let refusal = match &decision.verdict {
            Verdict::Proceed => return None,
            Verdict::Hold { until } => {
                let is_budget = counted.budget_is_full(&question.counters);
                if let Some(is_budget) = is_budget {
                    self.observe_full(is_budget);
                }
                let holds = |reason: &&heal_guard::Reason| reason.verdict == decision.verdict;
                let rule = decision.reasons.iter().find(holds).map(|reason| reason.text.clone());
                Refusal::CoolingDown {
                    until: until.unwrap_or(question.now),
                    rule: rule.unwrap_or_default(),
                    is_budget: is_budget != Some(false),
                }
            }
            Verdict::Deny { rules } => {
                self.observe_prevented(target, Prevented::Denied);
                log::denied(self.call, &target.id, rules);
                // The guide looks for the action's own event, whoever found the target in a terminal state.
                let told = rules.iter().map(|violation| format!("{} ({})", violation.rule, violation.msg));
                let message = format!("{}: {}", denied_by(rules), told.collect::<Vec<_>>().join(", "));
                self.observe_guarded(decision);
                self.log_failed([target], &message);
                return Some(Refusal::Denied(rules.clone()));
            }
            Verdict::Escalate { why } => Refusal::Ended(AttemptResult::failed("escalated", why.clone())),
            // Nobody is asked about what is not done.
            Verdict::NeedsApproval { .. } if self.is_shadow() => return None,
            Verdict::NeedsApproval { who } => {
                let violations = question.asking();
                self.observe_guarded(decision);
                log_approval_required(target, &violations, who);
                return Some(Refusal::NeedsApproval { violations, approvers: who.clone() });
            }
        };
        self.log_failed([target], &refusal.to_string());
        Some(refusal)
    }

    /// What the action is about to do, for a probe after this worker's death.
    pub(super) fn intent(&self, targets: &[Admitted<A::Facts>]) -> Option<serde_json::Value> {
        let Self { action, call, parameters, .. } = self;
        (action.spec().safety == Safety::Probe).then(|| action.intent(call, parameters, targets)).flatten()
    }
}
