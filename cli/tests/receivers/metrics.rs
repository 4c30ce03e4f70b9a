//! Every series arrives, and every query of the dashboard and the alerts has data.

use std::collections::BTreeSet;

use heal_telemetry::metrics::{Id, Kind, Metric};

use crate::approvals;
use crate::asked;
use crate::promql::Store;
use crate::receiver::installed;
use crate::scenario;
use crate::site::{Endpoints, Site};
use crate::support::PATIENCE;

/// Labels that a scrape adds.
const OF_SCRAPE: [&str; 3] = ["__name__", "instance", "job"];
/// Labels that the receiver of OTLP makes of the resource and of the scope.
const OF_RESOURCE: [&str; 8] = [
    "__name__",
    "instance",
    "job",
    "scope_name",
    "service_instance_id",
    "service_name",
    "service_version",
    "scope_version",
];
/// Alerts that wait for nothing, and that the scenario gives a reason.
const FIRE_AT_ONCE: [&str; 10] = [
    "SelfHealingApprovalExpiring",
    "SelfHealingApprovalRequested",
    "SelfHealingBudgetExceeded",
    "SelfHealingDeadLetters",
    "SelfHealingEscalation",
    "SelfHealingIncidentsRejected",
    "SelfHealingPolicyUndecided",
    "SelfHealingRunsDegraded",
    "SelfHealingRunsEscalated",
    "SelfHealingStepsSkipped",
];

#[tokio::test(flavor = "multi_thread")]
async fn every_metric_arrives_at_a_scrape_and_by_otlp_and_answers_what_dashboard_and_alerts_ask() {
    let Some([prometheus, victoria_metrics]) = installed(["prometheus", "victoria-metrics"]) else { return };
    let otlp = Store::victoria_metrics(&victoria_metrics);
    let site = Site::start(&Endpoints { metrics: otlp.otlp_metrics(), ..Endpoints::default() });
    let scraped = Store::prometheus(&prometheus, &[&site.open.serve.url, &site.closed.serve.url]);
    // What happens before the first scrape is in no rate.
    scraped.eventually("count(self_healing_build_info) == 2").await;
    scenario::play(&site).await;
    approvals::await_one(&site).await;

    every_series_is_there(&scraped, &OF_SCRAPE).await;
    every_panel_shows_something(&scraped).await;
    every_alert_looks_at_something(&scraped).await;
    for alert in FIRE_AT_ONCE {
        scraped.eventually(&format!(r#"ALERTS{{alertname="{alert}", alertstate="firing"}}"#)).await;
    }
    every_series_is_there(&otlp, &OF_RESOURCE).await;
    every_counter_is_the_same(&scraped, &otlp).await;
    assert_eq!((site.open.serve.terminate(), site.closed.serve.terminate()), (0, 0));
}

/// The series that make up `metric`.
fn series(metric: &Metric) -> Vec<String> {
    match metric.kind {
        Kind::Counter | Kind::Gauge => vec![metric.name.to_owned()],
        Kind::Histogram(_) => ["bucket", "sum", "count"].map(|part| format!("{}_{part}", metric.name)).to_vec(),
    }
}

/// Each with its own labels and the receiver's, and no others; and each has counted something.
async fn every_series_is_there(store: &Store, added: &[&str]) {
    for metric in Id::ALL.iter().map(|id| id.metric()) {
        for series in series(metric) {
            let found = match metric.kind {
                Kind::Counter if NEVER_COUNTED.contains(&&*series) => store.eventually(&series).await,
                Kind::Counter | Kind::Histogram(_) => store.eventually(&format!("{series} > 0")).await,
                Kind::Gauge => store.eventually(&series).await,
            };
            let mut own: BTreeSet<_> = metric.labels.iter().map(|label| label.name).collect();
            if series.ends_with("_bucket") {
                own.insert("le");
            }
            for sample in found {
                let labels: BTreeSet<_> = sample.labels.keys().map(String::as_str).collect();
                let surplus: Vec<_> = labels.difference(&own).filter(|label| !added.contains(label)).collect();
                assert!(own.is_subset(&labels) && surplus.is_empty(), "{} has {sample:?}", store.name);
            }
        }
    }
}

async fn every_panel_shows_something(scraped: &Store) {
    for (panel, query) in asked::queries_of_dashboard() {
        assert!(!scraped.eventually(&query).await.is_empty(), "{panel}");
        every_selector_has_counted(scraped, &query).await;
    }
}

async fn every_alert_looks_at_something(scraped: &Store) {
    let rules = scraped.rules().await;
    assert!(rules.len() >= 10, "{rules:?}");
    for [alert, query, health] in rules {
        assert_eq!(health, "ok", "{alert}: {query}");
        assert!(!scraped.eventually(asked::without_threshold(&query)).await.is_empty(), "{alert}");
        every_selector_has_counted(scraped, &query).await;
    }
}

/// Counters that stay at 0 here: a notice could only be lost together with the state file, and the test does not set the machine's clock.
const NEVER_COUNTED: [&str; 2] =
    ["self_healing_notifications_total{result=\"lost\"}", "self_healing_clock_jumps_total"];

/// Gauges may stand at zero.
async fn every_selector_has_counted(scraped: &Store, query: &str) {
    for selector in asked::selectors(query) {
        let is_gauge = Id::ALL.iter().any(|id| id.metric().kind == Kind::Gauge && selector == id.metric().name);
        let counted =
            if is_gauge || NEVER_COUNTED.contains(&selector.as_str()) { selector } else { format!("{selector} > 0") };
        scraped.eventually(&counted).await;
    }
}

/// Both ways tell the same, as soon as the next flush has come.
async fn every_counter_is_the_same(scraped: &Store, otlp: &Store) {
    for metric in Id::ALL.iter().map(|id| id.metric()).filter(|metric| metric.kind == Kind::Counter) {
        let labels: Vec<_> = metric.labels.iter().map(|label| label.name).collect();
        let query = format!("sum by ({}) ({}) > 0", labels.join(", "), metric.name);
        let give_up = tokio::time::Instant::now() + PATIENCE;
        loop {
            let (here, there) = (scraped.values(&query).await, otlp.values(&query).await);
            if here == there {
                break;
            }
            assert!(tokio::time::Instant::now() < give_up, "{query}: {here:?} scraped, {there:?} by OTLP");
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
    }
}
