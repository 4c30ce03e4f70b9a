//! The words of check files, and what every probe has.

use std::collections::BTreeSet;

use heal_engine::check::{Method, Probe, ProbeKind, Service};
use serde_json::{Value, json};

/// One probe of each kind, with its own timeout.
fn probes() -> [Value; 5] {
    let probe = |kind: ProbeKind, seconds: u64, keys: Value| {
        let mut probe = json!({"type": kind.as_str(), "timeout_seconds": seconds});
        probe.as_object_mut().unwrap().extend(keys.as_object().unwrap().clone());
        probe
    };
    [
        probe(ProbeKind::Http, 1, json!({"url": "http://a", "method": "GET", "expect_status": [200]})),
        probe(ProbeKind::GrpcHealth, 2, json!({"host": "a", "port": 1, "service": "", "tls": false})),
        probe(ProbeKind::OverdueTickets, 3, json!({"status": "RUNNING", "overdue_seconds": 1, "limit": 1})),
        probe(
            ProbeKind::StuckWorkflows,
            4,
            json!({"workflow_ids": [], "state": "RUNNING", "stuck_seconds": 1, "limit": 1}),
        ),
        probe(ProbeKind::Dependency, 5, json!({"service": "opa"})),
    ]
}

#[test]
fn a_probe_has_the_kind_that_its_word_names_and_its_own_timeout() {
    for ((probe, kind), seconds) in probes().into_iter().zip(ProbeKind::ALL).zip(1..) {
        let read: Probe = serde_json::from_value(probe.clone()).unwrap();
        assert_eq!((read.kind(), read.timeout_seconds()), (kind, seconds));
        assert_eq!(serde_json::to_value(read).unwrap(), probe);
    }
}

#[test]
fn every_kind_of_target_has_an_id_and_no_field_twice() {
    for kind in ProbeKind::ALL {
        let names: Vec<_> = kind.fields().iter().map(|(name, _)| *name).collect();
        assert_eq!(names.first(), Some(&"id"), "{kind:?}");
        assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len(), "{kind:?}");
    }
}

#[test]
fn services_and_methods_have_the_words_of_check_files() {
    for service in Service::ALL {
        assert_eq!(serde_json::to_value(service).unwrap(), service.as_str());
    }
    for method in [Method::Get, Method::Head] {
        assert_eq!(serde_json::to_value(method).unwrap(), method.as_str());
    }
}
