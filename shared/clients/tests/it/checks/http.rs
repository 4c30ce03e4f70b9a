//! HTTP probes.

use std::time::Duration;

use heal_runtime::checks::{Http, Method, Observation, Probe};
use heal_sandbox::{Fault, FaultKind, Seed, Service};

use super::{failing, observe, start, unknown};
use crate::support::wire::{Act, Wire, closed_port, reply};

fn probe(url: &str) -> Http {
    Http {
        url: url.to_owned(),
        method: Method::Get,
        expect_status: vec![200],
        expect_body_contains: None,
        timeout_seconds: 1,
    }
}

#[tokio::test]
async fn an_expected_response_passes() {
    let (platform, prober) = start(Seed::default());
    let url = format!("{}/health", platform.endpoints().tickets_url);
    let well = [
        probe(&url),
        Http { expect_body_contains: Some("healthy".to_owned()), ..probe(&url) },
        Http { expect_status: vec![200, 404], ..probe(&format!("{url}/nowhere")) },
    ];
    for probe in well {
        assert_eq!(observe(&prober, &Probe::Http(probe.clone())).await, Observation::well(), "{probe:?}");
    }
}

#[tokio::test]
async fn an_unexpected_response_is_quoted_in_the_reason() {
    let (platform, prober) = start(Seed::default());
    let url = format!("{}/health", platform.endpoints().tickets_url);
    let probe = Probe::Http(Http { expect_body_contains: Some("\"UP\"".to_owned()), ..probe(&url) });
    let found = failing(&probe, observe(&prober, &probe).await);
    assert_eq!((&found.fields["status"], found.id.as_str()), (&200.into(), url.as_str()));
    assert!(found.reason.contains(r#"does not contain "\"UP\"""#), "{}", found.reason);
    platform
        .set_fault(Fault::new(Service::Tickets, FaultKind::Status { code: 503, retry_after_seconds: None }))
        .unwrap();
    let found = failing(&probe, observe(&prober, &probe).await);
    assert_eq!(found.fields["status"], 503);
    assert!(found.reason.ends_with("responds 503, expected 200"), "{}", found.reason);
}

#[tokio::test]
async fn a_service_that_is_down_hangs_or_breaks_off_has_no_status() {
    let (platform, prober) = start(Seed::default());
    let probe = Probe::Http(probe(&format!("{}/health", platform.endpoints().tickets_url)));
    for fault in [FaultKind::Refuse, FaultKind::Hang, FaultKind::DropAnswer, FaultKind::Drip { interval_ms: 500 }] {
        platform.set_fault(Fault::new(Service::Tickets, fault.clone())).unwrap();
        let found = failing(&probe, observe(&prober, &probe).await);
        assert_eq!(found.fields["status"], serde_json::Value::Null, "{fault:?}");
    }
    let closed = Probe::Http(self::probe(&format!("http://{}/", closed_port().await)));
    assert!(failing(&closed, observe(&prober, &closed).await).reason.contains("(connect)"));
    let nowhere = Probe::Http(self::probe("http://no-such-host.invalid/"));
    failing(&nowhere, observe(&prober, &nowhere).await);
}

#[tokio::test]
async fn a_redirect_is_not_followed_and_may_be_the_expected_status() {
    let wire = Wire::start([reply(302, "location: http://127.0.0.1:1/\r\n", "")]).await;
    let (_platform, prober) = start(Seed::default());
    let refused = Probe::Http(probe(&wire.url()));
    assert_eq!(failing(&refused, observe(&prober, &refused).await).fields["status"], 302);
    let expected = Probe::Http(Http { expect_status: vec![302], ..probe(&wire.url()) });
    assert_eq!(observe(&prober, &expected).await, Observation::well());
}

#[tokio::test]
async fn of_an_oversized_response_only_the_status_counts() {
    let wire = Wire::start([Act::Big { bytes: 64 << 20, announced: false }]).await;
    let (_platform, prober) = start(Seed::default());
    assert_eq!(observe(&prober, &Probe::Http(probe(&wire.url()))).await, Observation::well());
    let searched = Probe::Http(Http { expect_body_contains: Some("x".to_owned()), ..probe(&wire.url()) });
    assert!(failing(&searched, observe(&prober, &searched).await).reason.contains("is over 1048576 bytes"));
    assert!(wire.body_bytes_sent() < 32 << 20, "{} bytes were taken", wire.body_bytes_sent());
}

#[tokio::test]
async fn a_head_probe_sends_head() {
    let wire = Wire::start([reply(200, "", "")]).await;
    let (_platform, prober) = start(Seed::default());
    let head = Probe::Http(Http { method: Method::Head, ..probe(&wire.url()) });
    assert_eq!(observe(&prober, &head).await, Observation::well());
    assert_eq!(wire.seen()[0].method, "HEAD");
}

#[tokio::test]
async fn a_malformed_url_is_unknown() {
    let (_platform, prober) = start(Seed::default());
    let reason = unknown(observe(&prober, &Probe::Http(probe("http://[::1"))).await);
    assert!(reason.starts_with("http://[::1: "), "{reason}");
}

#[tokio::test]
async fn an_https_url_uses_tls() {
    // The server speaks plain HTTP, so the handshake fails.
    let wire = Wire::start([Act::DropAnswer]).await;
    let (_platform, prober) = start(Seed::default());
    let probe = Probe::Http(probe(&wire.url().replace("http://", "https://")));
    let answer = tokio::time::timeout(Duration::from_secs(5), observe(&prober, &probe)).await.unwrap();
    failing(&probe, answer);
}
