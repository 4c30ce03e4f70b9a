//! Alerts of other systems as incidents, without a transport: who may send them, what they say, and what they become.
//!
//! 1. [`Verifier::verify`] decides whether a delivery is from whom it claims.
//! 2. [`read`] turns a delivery into [`Alert`]s, one for each alert of a group.
//! 3. [`Hooks::translate`] turns an alert into the [`Message`] of an incident by the first rule of the mapping file that fits. A firing alert
//!    raises, a resolved one withdraws, and the id of both follows from the alert's fingerprint, so that repeats start nothing.
//!
//! It deliberately has no I/O: the API receives and sends, `heal hook test` shows. `heal-language` reads the mapping file from YAML.
//!
//! ```
//! use heal_hooks::{Hooks, HooksFile, Source, Translation};
//!
//! let file = r#"{"rules": [{"name": "down", "sources": ["alertmanager"], "match": {"alertname": ["WorkerDown"]},
//!     "incident": {"incident_type": "WORKER_FAILURE", "worker_id": "{{ labels.worker }}"}}]}"#;
//! let hooks = Hooks::new(HooksFile::from_json(file).unwrap()).unwrap();
//! let body = r#"{"version": "4", "alerts": [{"status": "firing", "fingerprint": "f1", "startsAt": "2026-11-28T10:00:00Z",
//!     "labels": {"alertname": "WorkerDown", "worker": "worker-1"}}]}"#;
//! let alerts = heal_hooks::read(Source::Alertmanager, &heal_hooks::Headers::default(), body.as_bytes()).unwrap();
//! let Translation::Raise(message) = hooks.translate(&alerts[0]) else { panic!() };
//! assert_eq!(message.incident_id, "alertmanager:f1@2026-11-28T10:00:00Z");
//! ```

#![warn(missing_docs)]

mod alert;
mod file;
pub mod limit;
mod read;
mod signature;
mod source;
mod translate;

pub use alert::{Alert, AlertStatus};
pub use file::{BadHooks, HooksFile, Rule, SecretRef, SourceRule};
pub use read::{Headers, ReadError, read};
pub use signature::{Refused, Secrets, Verified, Verifier, sign};
pub use source::Source;
pub use translate::{Hooks, Message, Translation};
