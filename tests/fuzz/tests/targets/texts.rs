//! Texts: incidents, alerts, files that people write, templates, and what is stored or sent.

use std::sync::Arc;

use heal_engine::event::Event;
use heal_engine::format::{self, Format};
use heal_engine::message::{ActionCommand, ActionResult, AttemptResult};
use heal_engine::playbook::Playbook;
use heal_engine::template::{Lookup, Scope, Template};
use heal_engine::{Map, incident};
use heal_fuzz::fuzz;
use heal_guard::Guardrails;
use heal_hooks::{Headers, Hooks, HooksFile, Source};
use heal_runtime::dispatcher::{Dispatcher, Ports};
use heal_runtime::message::Inbound;
use heal_runtime::port::RunReader as _;
use heal_testkit::memory::{Faults, ManualClock, Queues, Runs, no_halts};
use heal_testkit::scripted::Counter;
use serde_json::{Value, json};

use crate::{catalog, library, text};

#[test]
fn incidents_are_read_or_refused() {
    fuzz("incidents", &["tests/events", "shared/engine/tests/incidents"], |input| {
        let text = text(input);
        let _ = incident::read(&text);
        let _ = incident::peek_incident_id(&text);
    });
}

#[test]
fn hooks_are_translated_or_refused() {
    let file = std::fs::read_to_string(heal_fuzz::root().join("playbooks/hooks.yaml")).unwrap();
    let file: HooksFile = heal_language::hooks::read("hooks", &file, None).hooks.unwrap();
    let hooks = Hooks::new(file).unwrap();
    let headers: Headers = [("ce-id", "1"), ("ce-type", "a"), ("ce-source", "b")].into_iter().collect();
    fuzz("hooks", &["tests/events"], |input| {
        for source in ["alertmanager", "grafana", "pagerduty", "cloudevents", "generic"] {
            let source = Source::named(source).unwrap();
            for alert in heal_hooks::read(source, &headers, input).into_iter().flatten() {
                let _ = hooks.translate(&alert);
            }
        }
    });
}

#[test]
fn playbooks_are_read_with_all_their_faults() {
    fuzz("playbooks", &["playbooks"], |input| {
        let reading = heal_language::playbook::read("fuzzed", &text(input), &catalog());
        let faults = reading.errors().count();
        assert_eq!(reading.playbook.is_none(), faults > 0, "a playbook is either usable or has errors");
    });
}

#[test]
fn guardrails_are_read_with_all_their_faults() {
    fuzz("guardrails", &["playbooks", "tests/stack"], |input| {
        let reading = heal_language::guardrails::read("guardrails", &text(input), &catalog(), None, None);
        let faults = reading.errors().count();
        assert_eq!(reading.guardrails.is_none(), faults > 0, "guardrails are either usable or have errors");
        let _ = Guardrails::from_json(&text(input));
        let _ = heal_language::check::read("check", &text(input), None);
        let _ = heal_language::hooks::read("hooks", &text(input), None);
        let _ = heal_language::notify::read("notify", &text(input), &catalog(), None);
    });
}

#[derive(Debug)]
struct Variables(Map);

impl Lookup for Variables {
    fn variable(&self, name: &str) -> Option<Value> {
        self.0.get(name).cloned()
    }
}

#[test]
fn templates_render_or_say_why_not() {
    let Value::Object(variables) = json!({
        "ticket_id": "t-1", "worker_id": "w-1", "severity": "HIGH", "n": 3, "flag": true, "items": [1, 2, 3], "deep": {"a": {"b": "c"}},
    }) else {
        panic!("an object")
    };
    let scope = Scope::new(Arc::new(Variables(variables)));
    fuzz("templates", &["tests/fuzz/corpus/templates"], |input| {
        if let Ok(template) = Template::compile(&text(input)) {
            let _ = template.render(&scope);
            let _ = template.names();
        }
    });
}

/// What is read is written and read as the same.
fn goes_round<T: Format + PartialEq + std::fmt::Debug>(text: &str) {
    if let Ok(value) = format::decode::<T>(text) {
        assert_eq!(format::decode::<T>(&format::encode(&value)).unwrap(), value);
    }
}

#[test]
fn stored_texts_are_read_or_refused_and_go_round() {
    let golden =
        ["events", "commands", "results", "answers", "plans"].map(|kind| format!("shared/engine/tests/golden/{kind}"));
    fuzz("events", &golden.each_ref().map(String::as_str), |input| {
        let text = text(input);
        goes_round::<Vec<Event>>(&text);
        goes_round::<ActionCommand>(&text);
        goes_round::<ActionResult>(&text);
        goes_round::<AttemptResult>(&text);
        goes_round::<Playbook>(&text);
    });
}

#[test]
fn messages_to_runs_are_read_or_refused() {
    fuzz("messages", &["shared/runtime/tests/messages", "shared/engine/tests/golden/results"], |input| {
        if let Ok(message) = Inbound::parse(&text(input)) {
            let again = Inbound::parse(&message.to_body()).unwrap();
            assert_eq!(again.run_id(), message.run_id());
        }
    });
}

/// What the API and the queue hand on: no body is an error of ours, and the same one again starts nothing more.
#[test]
fn any_body_is_accepted_or_rejected_and_once() {
    let library = library();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    fuzz("accepted", &["tests/events"], |input| {
        let (clock, runs) = (Arc::new(ManualClock::default()), Arc::new(Runs::default()));
        let ports = Ports {
            runs: runs.clone(),
            halts: no_halts(),
            sender: Arc::new(Queues::new(clock.clone(), Faults::default())),
            clock,
            entropy: Arc::new(Counter::default()),
            guardrails: Arc::default(),
        };
        let dispatcher = Dispatcher::new(ports, library.clone());
        let body = text(input);
        runtime.block_on(async {
            let count =
                async || runs.list(&heal_runtime::port::RunFilter::default(), 1_000, None).await.unwrap().runs.len();
            dispatcher.accept(&body, "message-1", None).await.unwrap();
            let first = count().await;
            dispatcher.accept(&body, "message-1", None).await.unwrap();
            assert_eq!(count().await, first, "the same body started another run");
        });
    });
}
