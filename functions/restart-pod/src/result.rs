//! The results of an attempt, and what is left for a person.

use heal_clients::kubernetes::{PodHealth, Replacement};
use heal_clients::port::Manual;
use heal_runtime::action::{Call, log};
use heal_runtime::{AttemptOutcome, AttemptResult, Map};
use serde_json::Value;

use crate::Parameters;

/// This attempt, or an earlier worker of it, deleted the pod.
pub(crate) fn deleted(call: &Call, name: &str, replacement: &Replacement) -> AttemptResult {
    match replacement {
        Replacement::Ready(new) => {
            let what = format!("pod {name:?} was replaced by {:?}, which is ready", new.name);
            log::done(call, "playbook_executor.pod_restarted", name, &what);
            AttemptResult::succeeded(output(Some(&new.name)))
        }
        Replacement::Missing { .. } => not_back(call, name, "was deleted", replacement),
    }
}

/// Somebody else had deleted the pod, and it was still there.
pub(crate) fn deleted_by_another(call: &Call, name: &str, replacement: &Replacement) -> AttemptResult {
    match replacement {
        Replacement::Ready(new) => {
            let reason = format!("pod {name:?} was being deleted already; {:?} took its place and is ready", new.name);
            AttemptResult::no_op(reason, output(Some(&new.name)))
        }
        Replacement::Missing { .. } => not_back(call, name, "was being deleted already", replacement),
    }
}

/// The pod does not exist.
pub(crate) fn already_gone(name: &str) -> AttemptResult {
    AttemptResult::no_op(format!("pod {name:?} is already gone"), output(None))
}

/// The pod is healthy, and the call does not force its restart.
pub(crate) fn healthy(name: &str) -> AttemptResult {
    let reason = format!("pod {name:?} is healthy; force: true would restart it all the same");
    AttemptResult::no_op(reason, output(None))
}

/// The name belongs to a later pod than the one that was found unhealthy.
pub(crate) fn replaced_since_found(uid: &str, new: &PodHealth) -> AttemptResult {
    let name = &new.name;
    let reason = format!("pod {name:?} was replaced since it was found: its uid is {}, expected {uid}", new.uid);
    AttemptResult::no_op(reason, output(new.healthy.then_some(name)))
}

/// The pod was replaced between the last read and the deletion.
pub(crate) fn replaced_just_now(name: &str) -> AttemptResult {
    let reason = format!("pod {name:?} was replaced since it was found, just before its deletion");
    AttemptResult::no_op(reason, output(None))
}

/// No replacement was ready before the deadline.
fn not_back(call: &Call, name: &str, what: &str, replacement: &Replacement) -> AttemptResult {
    let seen = match replacement {
        Replacement::Missing { last_seen: Some(PodHealth { name, phase, reason, .. }), .. } => {
            let reason = reason.as_ref().map_or_else(String::new, |reason| format!(", {reason}"));
            format!("the last one seen is {name:?}: {phase}{reason}")
        }
        Replacement::Missing { last_seen: None, .. } | Replacement::Ready(_) => "none was seen".to_owned(),
    };
    let count = match replacement {
        Replacement::Missing { gone, ready, .. } if *gone > 1 => {
            format!("; {gone} pods of its controller are gone, and {ready} new ones are ready")
        }
        Replacement::Missing { .. } | Replacement::Ready(_) => String::new(),
    };
    let message = format!("pod {name:?} {what}, and no ready one took its place in time: {seen}{count}");
    let follow_up = format!("find out why no ready pod takes the place of {name:?}: {seen}{count}");
    log::failed(call, name, &message, Some(&follow_up));
    AttemptResult::new(AttemptOutcome::TimedOut { message }).follow_up(follow_up)
}

fn output(replaced_by: Option<&str>) -> Map {
    [("replaced_by".to_owned(), Value::from(replaced_by))].into_iter().collect()
}

/// What a person has to do if the API did not answer.
pub(crate) fn manual(parameters: &Parameters) -> Manual {
    let name = &parameters.pod_name;
    let namespace =
        parameters.namespace.as_ref().map_or_else(String::new, |namespace| format!(" in namespace {namespace:?}"));
    let act = format!(
        "restart pod {name:?}{namespace} by hand (kubectl delete pod), or run the playbook again when Kubernetes answers"
    );
    let check = format!("check whether pod {name:?}{namespace} was replaced and is ready; only if it was not, {act}");
    Manual { act, check }
}
