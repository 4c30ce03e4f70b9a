//! A collector of metrics and traces.

use std::time::Duration;

use heal_peers::acts::acts;
use heal_peers::hostile::Hostile;
use heal_peers::ordeal::{Outcome, undergo};
use heal_telemetry::export::{Settings, Setup};
use heal_telemetry::metrics::Id;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collector_that_does_harm_holds_up_nothing() {
    for (name, act) in acts() {
        // A flush says nothing of its success.
        undergo(&format!("telemetry: {name}"), act, Outcome::Any, async |server: &Hostile| {
            let url = format!("http://{}", server.addr);
            move |time: Duration| {
                let get = |name: &str| (name == "OTEL_EXPORTER_OTLP_ENDPOINT").then(|| url.clone());
                let telemetry = Setup::new(Settings::read("heal", &get)).with_cap(time).build().unwrap();
                async move {
                    telemetry.metrics().count(Id::RunsStarted, &["other"]);
                    telemetry.flush().await;
                    Ok(())
                }
            }
        })
        .await;
    }
}
