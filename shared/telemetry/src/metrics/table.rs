//! Every metric: name, kind, unit, labels, help. The six of the guide ("Prometheus Metrics") come first.
//!
//! Names are complete as in Prometheus, with `_total` and `_seconds`, and a unit is given only if the name ends in it. A scrape and
//! Prometheus' OTLP receiver, which appends missing suffixes, therefore produce the same names.

use super::label::{Label, Values};
use super::values::{
    ALERT_REFUSALS, ALERT_SOURCES, ALERTS, APPROVALS, ATTEMPT_STATUSES, CALL_SECONDS, CHANNELS, COMMANDS_PER_RUN,
    GUARDED, INCIDENTS, JUMPS, NOTIFICATIONS, OPERATIONS, REASONS, REFUSALS, RESULTS, RUN_OUTCOMES, RUN_SECONDS,
    SERVICES, SEVERITIES, SOURCES, STATUSES, STEP_OUTCOMES, TICKET_STATUSES, VERDICTS,
};

/// One metric.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Metric {
    /// The complete name, such as `self_healing_attempts_total`.
    pub name: &'static str,
    /// Counter, gauge or histogram.
    pub kind: Kind,
    /// In OpenTelemetry's notation: `s`, or empty.
    pub unit: &'static str,
    /// In the order in which callers give their values.
    pub labels: &'static [Label],
    /// The help text of every export.
    pub help: &'static str,
}

/// The kind of a metric.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    /// A sum that only grows.
    Counter,
    /// A value that is set.
    Gauge,
    /// A distribution, with the upper bounds of its buckets.
    Histogram(&'static [f64]),
}

const fn closed(name: &'static str, values: &'static [&'static str]) -> Label {
    Label { name, values: Values::Closed(values) }
}

const STATUS: Label = closed("status", STATUSES);
const SEVERITY: Label = closed("severity", SEVERITIES);
const ACTION: Label = Label { name: "action", values: Values::Actions };
const RESULT_GUARDED: Label = closed("result", GUARDED);
const PLAYBOOK: Label = Label { name: "playbook", values: Values::Playbooks };

/// Labels by which alarms of CloudWatch ask, over all functions, playbooks and actions.
const ALARM_LABELS: [&str; 3] = ["outcome", "result", "service"];

impl Metric {
    /// The label that is also a dimension of its own in CloudWatch, where an alarm cannot search for combinations of labels.
    #[must_use]
    pub fn alarm_label(&self) -> Option<&'static str> {
        let is_closed = |label: &&Label| matches!(label.values, Values::Closed(_));
        self.labels.iter().filter(is_closed).map(|label| label.name).find(|name| ALARM_LABELS.contains(name))
    }
}

/// Declares [`Id`] and the table entry of each metric.
macro_rules! metrics {
    ($($id:ident = $name:literal, $kind:expr, $unit:literal, [$($label:expr),*], $help:literal;)+) => {
        /// Identifies a metric.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Id {
            $(#[doc = $help] $id,)+
        }

        impl Id {
            /// Every metric, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$id),+];

            /// The metric of this name.
            pub fn by_name(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|id| id.metric().name == name)
            }

            /// The metric's table entry.
            pub const fn metric(self) -> &'static Metric {
                match self {
                    $(Self::$id => {
                        const METRIC: Metric =
                            Metric { name: $name, kind: $kind, unit: $unit, labels: &[$($label),*], help: $help };
                        &METRIC
                    })+
                }
            }
        }
    };
}

metrics! {
    TicketReallocation = "self_healing_ticket_reallocation_total", Kind::Counter, "", [STATUS, closed("reason", REASONS)],
        "Total ticket reallocations";
    TicketReallocationDuration = "self_healing_ticket_reallocation_duration_seconds", Kind::Histogram(CALL_SECONDS), "s", [],
        "Reallocation duration";
    TicketStatusUpdate = "self_healing_ticket_status_update_total", Kind::Counter, "",
        [STATUS, closed("new_status", TICKET_STATUSES)],
        "Status updates";
    OrchestratorCalls = "self_healing_orchestrator_calls_total", Kind::Counter, "",
        [closed("operation", OPERATIONS), STATUS],
        "gRPC calls to Orchestrator";
    OrchestratorCallDuration = "self_healing_orchestrator_call_duration_seconds", Kind::Histogram(CALL_SECONDS), "s",
        [closed("operation", OPERATIONS)],
        "gRPC call duration";
    OpaValidation = "self_healing_opa_validation_total", Kind::Counter, "", [ACTION, closed("result", RESULTS)],
        "OPA policy validations";
    OpaValidationDuration = "self_healing_opa_validation_duration_seconds", Kind::Histogram(CALL_SECONDS), "s",
        [closed("source", SOURCES)],
        "Time until the policy's decision, by who decided";
    BreakerState = "self_healing_circuit_breaker_state", Kind::Gauge, "", [closed("service", SERVICES)],
        "Circuit breaker of a service: 0 closed, 1 half open, 2 open";
    Incidents = "self_healing_incidents_total", Kind::Counter, "", [closed("result", INCIDENTS)],
        "Messages on the incidents queue, and tickets that get a run each, by what became of them";
    Alerts = "self_healing_alerts_total", Kind::Counter, "", [closed("source", ALERT_SOURCES), closed("result", ALERTS)],
        "Alerts of other systems, by what became of them";
    AlertDeliveriesRefused = "self_healing_alert_deliveries_refused_total", Kind::Counter, "",
        [closed("source", ALERT_SOURCES), closed("reason", ALERT_REFUSALS)],
        "Deliveries of alerts that were refused";
    RunsStarted = "self_healing_runs_started_total", Kind::Counter, "", [PLAYBOOK],
        "Runs started";
    RunsEnded = "self_healing_runs_ended_total", Kind::Counter, "", [PLAYBOOK, closed("outcome", RUN_OUTCOMES)],
        "Runs ended";
    RunDuration = "self_healing_run_duration_seconds", Kind::Histogram(RUN_SECONDS), "s",
        [PLAYBOOK, closed("outcome", RUN_OUTCOMES)],
        "From a run's start to its end";
    Approvals = "self_healing_approvals_total", Kind::Counter, "", [closed("result", APPROVALS), SEVERITY],
        "Runs and steps that await approval, by how far the wait is";
    RunsLeftWork = "self_healing_runs_left_work_total", Kind::Counter, "", [SEVERITY],
        "Runs that ended other than HEALED or COMPLETED, without those that were no longer needed";
    Escalations = "self_healing_escalations_total", Kind::Counter, "", [SEVERITY],
        "Runs that left work for a person and whose incident requires escalation";
    StepDuration = "self_healing_step_duration_seconds", Kind::Histogram(RUN_SECONDS), "s",
        [ACTION, closed("outcome", STEP_OUTCOMES)],
        "From a step's first attempt to its end";
    Attempts = "self_healing_attempts_total", Kind::Counter, "", [ACTION, closed("status", ATTEMPT_STATUSES)],
        "Attempts ended";
    IncidentToFirstAction = "self_healing_incident_to_first_action_seconds", Kind::Histogram(RUN_SECONDS), "s", [PLAYBOOK],
        "From the incident's creation to the run's first command";
    RunsActive = "self_healing_runs_active", Kind::Gauge, "", [],
        "Runs that have not ended";
    RunsAwaitingApproval = "self_healing_runs_awaiting_approval", Kind::Gauge, "", [],
        "Runs that await approval now";
    RunsWaiting = "self_healing_runs_waiting", Kind::Gauge, "", [],
        "Runs that wait for room among the live runs";
    RunsWaitingOldest = "self_healing_runs_waiting_oldest_seconds", Kind::Gauge, "s", [],
        "Age of the oldest run that waits for room; 0 if none waits";
    RunsHeld = "self_healing_runs_held", Kind::Gauge, "", [],
        "Runs that start nothing until they are released";
    HaltsActive = "self_healing_halts_active", Kind::Gauge, "", [],
        "Orders to stop that last";
    Decisions = "self_healing_decisions_total", Kind::Counter, "", [ACTION, closed("verdict", VERDICTS)],
        "Decisions of the guard on one target, those of shadow runs too";
    StormsActive = "self_healing_storms_active", Kind::Gauge, "", [],
        "Services so many targets of which are sick that healing is held but for a trickle";
    DependenciesSick = "self_healing_dependencies_sick", Kind::Gauge, "", [],
        "Dependencies of the guardrails that are sick, so that what depends on them is held";
    CooldownHits = "self_healing_cooldown_hits_total", Kind::Counter, "", [ACTION],
        "Targets left alone because they were touched too recently";
    BudgetHits = "self_healing_budget_hits_total", Kind::Counter, "", [ACTION],
        "Targets left alone because a budget had no place left";
    Guarded = "self_healing_guarded_total", Kind::Counter, "", [ACTION, RESULT_GUARDED],
        "Targets left alone, or asked about, by a window or by the scope";
    Demotions = "self_healing_demotions_total", Kind::Counter, "", [PLAYBOOK],
        "Levels of autonomy that went down by themselves, since too few runs healed";
    ClaimsLost = "self_healing_claims_lost_total", Kind::Counter, "", [ACTION],
        "Attempts whose result was not taken because their claim had run out";
    ClaimsRecovered = "self_healing_claims_recovered_total", Kind::Counter, "", [ACTION],
        "Attempts taken over from a worker that did not end them";
    DeadLetteredSteps = "self_healing_dead_lettered_steps_total", Kind::Counter, "", [ACTION],
        "Commands given up by their queue";
    ApiRefused = "self_healing_api_refused_total", Kind::Counter, "", [closed("reason", REFUSALS)],
        "Requests and connections that the HTTP API refused, by the door that refused them";
    ClockJumps = "self_healing_clock_jumps_total", Kind::Counter, "", [closed("direction", JUMPS)],
        "Times that this machine's clock was set by more than a second";
    RunHops = "self_healing_run_hops", Kind::Histogram(COMMANDS_PER_RUN), "", [PLAYBOOK],
        "Commands of a run, told at its end";
    HopBudgetExceeded = "self_healing_hop_budget_exceeded_total", Kind::Counter, "", [PLAYBOOK],
        "Runs stopped because they had used up their budget";
    Notifications = "self_healing_notifications_total", Kind::Counter, "",
        [closed("channel", CHANNELS), closed("result", NOTIFICATIONS)],
        "Notices by kind of channel, and notices that no channel gets or that their queue refused";
    NotificationDuration = "self_healing_notification_duration_seconds", Kind::Histogram(CALL_SECONDS), "s",
        [closed("channel", CHANNELS)],
        "One sending of one notice";
    BuildInfo = "self_healing_build_info", Kind::Gauge, "",
        [Label { name: "service", values: Values::Build }, Label { name: "version", values: Values::Build }],
        "1, for this build of this service";
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The guide's table, word for word.
    const GUIDE: [(&str, &str, &str); 6] = [
        ("self_healing_ticket_reallocation_total", "Counter", "status, reason"),
        ("self_healing_ticket_reallocation_duration_seconds", "Histogram", "-"),
        ("self_healing_ticket_status_update_total", "Counter", "status, new_status"),
        ("self_healing_orchestrator_calls_total", "Counter", "operation, status"),
        ("self_healing_orchestrator_call_duration_seconds", "Histogram", "operation"),
        ("self_healing_opa_validation_total", "Counter", "action, result"),
    ];

    fn kind(kind: Kind) -> &'static str {
        match kind {
            Kind::Counter => "Counter",
            Kind::Gauge => "Gauge",
            Kind::Histogram(_) => "Histogram",
        }
    }

    #[test]
    fn the_metrics_of_the_guide_have_its_names_kinds_and_labels() {
        for (name, expected_kind, labels) in GUIDE {
            let id = Id::ALL.iter().find(|id| id.metric().name == name).unwrap_or_else(|| panic!("{name}"));
            let names: Vec<_> = id.metric().labels.iter().map(|label| label.name).collect();
            assert_eq!(kind(id.metric().kind), expected_kind, "{name}");
            assert_eq!(if names.is_empty() { "-".to_owned() } else { names.join(", ") }, labels, "{name}");
        }
    }

    #[test]
    fn names_end_in_the_suffixes_of_their_kind_and_unit() {
        for id in Id::ALL {
            let Metric { name, kind, unit, help, .. } = *id.metric();
            assert!(name.starts_with("self_healing_"), "{name}");
            assert_eq!(name.ends_with("_total"), kind == Kind::Counter, "{name}");
            assert_eq!(name.ends_with("_seconds"), unit == "s", "{name}");
            assert!(!help.is_empty() && !help.ends_with('.'), "{name}: {help}");
        }
        let names: std::collections::BTreeSet<_> = Id::ALL.iter().map(|id| id.metric().name).collect();
        assert_eq!(names.len(), Id::ALL.len(), "a name occurs twice");
    }

    #[test]
    fn bucket_bounds_increase() {
        for bounds in [CALL_SECONDS, RUN_SECONDS, COMMANDS_PER_RUN] {
            assert!(bounds.windows(2).all(|pair| pair[0] < pair[1]), "{bounds:?}");
        }
    }
}
