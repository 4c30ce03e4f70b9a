//! The requests that a collector receives.

use std::collections::BTreeMap;

use heal_telemetry::export::Setup;
use heal_telemetry::logs::{Filter, Format, Lines};
use heal_telemetry::metrics::{Id, Kind};
use heal_telemetry::{Telemetry, trace};
use opentelemetry_proto::tonic::metrics::v1::{AggregationTemporality, metric::Data};

use crate::support::{Sink, count_all, names, settings};
use heal_otlp_receiver::{Collector, Reply, text};

const PARENT: &str = "00-58406520a006649127e371903a2de979-4c721bf33e3caf8f-01";

fn telemetry(collector: &Collector) -> Telemetry {
    let endpoint =
        [("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url.as_str()), ("AWS_LAMBDA_FUNCTION_NAME", "heal-dispatcher")];
    Setup::new(settings(&endpoint)).build().unwrap()
}

/// The name that Prometheus 3 gives a metric: it appends a missing `_total` to a monotonic sum, a missing unit to the name, and
/// `_ratio` for the unit `1`.
fn prometheus_name(name: &str, unit: &str, grows: bool) -> String {
    let word = match unit {
        "" => None,
        "s" => Some("seconds"),
        other => Some(other),
    };
    let mut parts: Vec<_> =
        name.split('_').filter(|part| Some(*part) != word && !(grows && *part == "total")).collect();
    parts.extend(word);
    parts.extend(grows.then_some("total"));
    parts.join("_")
}

#[tokio::test]
async fn every_metric_arrives_cumulative_under_the_name_that_prometheus_keeps() {
    let collector = Collector::start(Reply::Ok).await;
    let telemetry = telemetry(&collector);
    count_all(&telemetry.metrics().with_names(names()));
    telemetry.flush().await;

    let (_, metrics) = collector.metrics();
    let metrics: BTreeMap<_, _> = metrics.into_iter().map(|metric| (metric.name.clone(), metric)).collect();
    for id in Id::ALL {
        let entry = id.metric();
        let sent = metrics.get(entry.name).unwrap_or_else(|| panic!("{} did not arrive", entry.name));
        let (points, grows) = match (sent.data.as_ref().unwrap(), entry.kind) {
            (Data::Sum(sum), Kind::Counter) => {
                assert_eq!(sum.aggregation_temporality(), AggregationTemporality::Cumulative, "{}", sent.name);
                assert!(sum.is_monotonic, "{}", sent.name);
                (sum.data_points.iter().map(|point| &point.attributes).collect::<Vec<_>>(), true)
            }
            (Data::Gauge(gauge), Kind::Gauge) => {
                (gauge.data_points.iter().map(|point| &point.attributes).collect(), false)
            }
            (Data::Histogram(histogram), Kind::Histogram(bounds)) => {
                assert_eq!(histogram.aggregation_temporality(), AggregationTemporality::Cumulative, "{}", sent.name);
                assert_eq!(histogram.data_points[0].explicit_bounds, bounds, "{}", sent.name);
                (histogram.data_points.iter().map(|point| &point.attributes).collect(), false)
            }
            (data, kind) => panic!("{}: {kind:?} arrived as {data:?}", sent.name),
        };
        assert_eq!(prometheus_name(&sent.name, &sent.unit, grows), entry.name);
        let mut labels: Vec<_> = points[0].iter().map(|label| label.key.as_str()).collect();
        labels.sort_unstable();
        let mut expected: Vec<_> = entry.labels.iter().map(|label| label.name).collect();
        expected.sort_unstable();
        assert_eq!(labels, expected, "{}", sent.name);
    }
}

#[tokio::test]
async fn a_second_flush_carries_the_sum_and_two_processes_are_two_instances() {
    let collector = Collector::start(Reply::Ok).await;
    let (first, second) = (telemetry(&collector), telemetry(&collector));
    let mut instances = Vec::new();
    for telemetry in [&first, &second] {
        for times in 1..=2_u64 {
            telemetry.metrics().count(Id::OpaValidation, &["unknown", "allow"]);
            telemetry.flush().await;
            let (resource, metrics) = collector.metrics();
            let metric = metrics.iter().find(|metric| metric.name == Id::OpaValidation.metric().name).unwrap();
            let Some(Data::Sum(sum)) = &metric.data else { panic!("{metric:?}") };
            let value = sum.data_points[0].value.unwrap();
            assert_eq!(format!("{value:?}"), format!("AsInt({times})"));
            assert_eq!(text(&sum.data_points[0].attributes, "action").as_deref(), Some("other"));
            assert_eq!(text(&resource, "service.name").as_deref(), Some("dispatcher"));
            assert_eq!(text(&resource, "faas.name").as_deref(), Some("heal-dispatcher"));
            assert!(text(&resource, "service.version").is_some());
            instances.push(text(&resource, "service.instance.id").unwrap());
        }
    }
    assert_eq!(instances[0], instances[1]);
    assert_ne!(instances[1], instances[2]);
}

#[tokio::test]
async fn spans_have_their_parent_and_links_and_outgoing_calls_carry_them() {
    let collector = Collector::start(Reply::Ok).await;
    let telemetry = telemetry(&collector);
    let subscriber =
        telemetry.subscriber(Filter::parse("error", "error").unwrap(), Lines::new(Format::Json, Sink::default));
    let outgoing = tracing::subscriber::with_default(subscriber, || {
        let attempt = tracing::info_span!("self_healing.attempt", step = "check");
        trace::continue_from(&attempt, Some(PARENT));
        trace::link(&attempt, ["00-00000000000000000000000000000001-0000000000000002-01", "nonsense"]);
        attempt.in_scope(|| {
            let noise = tracing::info_span!("hyper.request");
            noise.in_scope(|| {
                tracing::info_span!("self_healing.reallocate_ticket").in_scope(|| trace::current().unwrap())
            })
        })
    });
    telemetry.flush().await;

    let spans = collector.spans();
    let named = |name: &str| spans.iter().find(|span| span.name == name).unwrap_or_else(|| panic!("{name}: {spans:?}"));
    let (attempt, call) = (named("self_healing.attempt"), named("self_healing.reallocate_ticket"));
    assert_eq!(spans.len(), 2, "a foreign span was sent: {spans:?}");
    assert_eq!(hex(&attempt.trace_id), "58406520a006649127e371903a2de979");
    assert_eq!(hex(&attempt.parent_span_id), "4c721bf33e3caf8f");
    assert_eq!(attempt.links.len(), 1);
    assert_eq!(hex(&attempt.links[0].span_id), "0000000000000002");
    assert_eq!((hex(&call.trace_id), hex(&call.parent_span_id)), (hex(&attempt.trace_id), hex(&attempt.span_id)));
    assert_eq!(outgoing, format!("00-{}-{}-01", hex(&call.trace_id), hex(&call.span_id)));
    assert_eq!(text(&attempt.attributes, "step").as_deref(), Some("check"));
}

#[tokio::test]
async fn a_trace_that_begins_here_has_an_id_that_xray_accepts() {
    let collector = Collector::start(Reply::Ok).await;
    let telemetry = telemetry(&collector);
    let subscriber = telemetry.subscriber(Filter::default(), Lines::new(Format::Json, Sink::default));
    let parent = tracing::subscriber::with_default(subscriber, || {
        tracing::info_span!("self_healing.accept").in_scope(|| trace::current().unwrap())
    });
    let begins = u64::from_str_radix(&trace::trace_id(&parent).unwrap()[..8], 16).unwrap();
    #[expect(clippy::disallowed_methods, reason = "the id contains the wall time")]
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    assert!(now.abs_diff(begins) < 60, "{parent}");
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}
