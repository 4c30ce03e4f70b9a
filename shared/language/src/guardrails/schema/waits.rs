//! What makes runs wait: admission, storms and sick dependencies.

use std::collections::BTreeSet;

use heal_engine::catalog::Catalog;
use heal_guard::{LiveBounds, limit};
use serde_json::{Map, Value, json};

use super::{name, rule, text, whole};

pub(super) fn admission(catalog: &Catalog) -> Value {
    let LiveBounds { per_playbook, per_service, .. } = LiveBounds::default();
    let runs = |description: &str| whole(description, 1, limit::LIVE_MAX.into());
    let services: Map<String, Value> = catalog
        .iter()
        .map(|spec| (spec.service.to_owned(), runs("Live runs that may change something at this service.")))
        .collect();
    json!({
        "description": "How many runs may be live at the same time; others wait, and their deadline does not run.",
        "type": ["object", "null"],
        "additionalProperties": false,
        "properties": {
            "live": {
                "type": ["object", "null"],
                "additionalProperties": false,
                "properties": {
                    "per_playbook": runs(&format!("Live runs of one playbook. Default: {per_playbook}.")),
                    "per_service": runs(&format!(
                        "Live runs that may change something at one service. Default: {per_service}."
                    )),
                    "playbooks": {
                        "description": "Playbooks with a bound of their own.",
                        "type": ["object", "null"],
                        "maxProperties": limit::LIVE_NAMES,
                        "additionalProperties": runs("Live runs of this playbook."),
                    },
                    "services": {
                        "description": "Services with a bound of their own.",
                        "type": ["object", "null"],
                        "additionalProperties": false,
                        "properties": services,
                    },
                },
            },
        },
    })
}

pub(super) fn storms(catalog: &Catalog) -> Value {
    let rule = json!({
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "targets": whole("Distinct targets in a window that are a storm; 0: never. Default: 5.", 0, limit::STORM_TARGETS.into()),
            "window_seconds": whole("Default: 300.", limit::STORM_WINDOW_LEAST_SECONDS, limit::STORM_WINDOW_SECONDS),
            "quiet_seconds": whole(
                "Seconds without a new target after which the storm is over, at least the window. Default: 600.",
                limit::STORM_WINDOW_LEAST_SECONDS,
                limit::STORM_WINDOW_SECONDS,
            ),
            "trickle": whole("Effects that go on in each window. Default: 1.", 0, limit::STORM_TRICKLE.into()),
        },
    });
    let services: BTreeSet<&str> = catalog.iter().map(|spec| spec.service).collect();
    let properties: Map<String, Value> = services.into_iter().map(|name| (name.to_owned(), rule.clone())).collect();
    json!({
        "description": "When so many targets of a service are sick that healing it is held but for a trickle. Default: kubernetes only.",
        "type": ["object", "null"],
        "additionalProperties": false,
        "properties": properties,
    })
}

pub(super) fn dependency(catalog: &Catalog) -> Value {
    let mut dependency = rule(
        catalog,
        &["name"],
        json!({
            "name": name("Unique; `heal halts` shows it."),
            "breaker": text("The service whose circuit breaker is open while the dependency is sick."),
            "check": name("The scheduled check that has raised an incident about a target which still fails while the dependency is sick."),
        }),
    );
    if let Value::Object(dependency) = &mut dependency {
        dependency.insert("anyOf".to_owned(), json!([{"required": ["breaker"]}, {"required": ["check"]}]));
    }
    dependency
}
