//! What the attempts of a test ask and notify: a policy that the test scripts, and an observer that records.

use std::sync::Mutex;

use async_trait::async_trait;
use heal_runtime::Violation;
use heal_runtime::action::CallMetric;
use heal_runtime::observe::{Observer, Prevented};
use heal_runtime::port::{Decision, DecisionSource, Policy, PolicyInput};

/// A policy that decides by the test's function, and records its inputs.
pub struct Judge {
    asked: Mutex<Vec<PolicyInput>>,
    verdict: Mutex<Verdict>,
}

type Verdict = Box<dyn Fn(&PolicyInput) -> Decision + Send + Sync>;

pub fn allow() -> Decision {
    Decision::Allow { source: DecisionSource::Server, warning: None }
}

pub fn deny(rule: &str) -> Decision {
    let violation = Violation {
        policy: "test".to_owned(),
        rule: rule.to_owned(),
        msg: "the test says no".to_owned(),
        severity: "high".to_owned(),
    };
    Decision::Deny { source: DecisionSource::Server, violations: vec![violation], warning: None }
}

impl Judge {
    pub fn decide_by(&self, verdict: impl Fn(&PolicyInput) -> Decision + Send + Sync + 'static) {
        *self.verdict.lock().unwrap() = Box::new(verdict);
    }

    pub fn asked(&self) -> Vec<PolicyInput> {
        self.asked.lock().unwrap().clone()
    }
}

impl Default for Judge {
    /// Allows everything.
    fn default() -> Self {
        Self { asked: Mutex::default(), verdict: Mutex::new(Box::new(|_| allow())) }
    }
}

#[async_trait]
impl Policy for Judge {
    fn validates(&self, _: &str) -> bool {
        true
    }

    async fn decide(&self, input: &PolicyInput) -> Decision {
        self.asked.lock().unwrap().push(input.clone());
        (self.verdict.lock().unwrap())(input)
    }
}

/// Records the calls that were prevented.
#[derive(Debug, Default)]
pub struct Recorder(Mutex<Vec<(CallMetric, Prevented)>>);

impl Recorder {
    /// What was prevented, in order, and why.
    pub fn prevented(&self) -> Vec<(CallMetric, Prevented)> {
        self.0.lock().unwrap().clone()
    }
}

impl Observer for Recorder {
    fn call_prevented(&self, metric: &CallMetric, why: Prevented) {
        self.0.lock().unwrap().push((metric.clone(), why));
    }
}
