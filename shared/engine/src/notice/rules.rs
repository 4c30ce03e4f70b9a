//! Whom to tell of what: channels, and routes to them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Notice, NoticeEvent};
use crate::event::RunOutcome;
use crate::format::{self, Format};
use crate::severity::Severity;

mod channel;
mod secret;

pub use channel::{Channel, ChannelKind, Setting, Shape};
pub use secret::SecretRef;

/// The bounds of a file of rules.
pub mod limit {
    /// Channels of one home.
    pub const CHANNELS: usize = 32;
    /// Routes of one home.
    pub const ROUTES: usize = 64;
    /// Names in one list of a route.
    pub const NAMES: usize = 64;
    /// Times of one digest in a day.
    pub const DIGEST_TIMES: usize = 24;
    /// Bytes of one setting of a channel.
    pub const SETTING_BYTES: usize = 2_048;
}

/// The channels of a home, and what each is told. The default tells nobody anything.
///
/// A text with a key that this build does not know is refused: a filter that is silently ignored would tell too many, or nobody.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Rules {
    /// The channels by name.
    pub channels: BTreeMap<String, Channel>,
    /// A notice goes to the channels of every route that admits it, once to each.
    pub routes: Vec<Route>,
}

/// Some notices, and the channels that get them. An empty list admits everything.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Route {
    /// Names of channels.
    pub to: Vec<String>,
    /// Events.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<NoticeEvent>,
    /// Severities, as words in lower case. A notice without a severity, or with an unknown one, is admitted: better told once too often.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub severities: Vec<String>,
    /// Names of playbooks. A notice that is about no playbook is not admitted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub playbooks: Vec<String>,
    /// Names of services, as they stand in the file.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub services: Vec<String>,
    /// The actions that call these services. A notice that is about none of them is not admitted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub actions: Vec<String>,
    /// Outcomes of runs. A notice that is not about the end of a run is not admitted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub outcomes: Vec<RunOutcome>,
    /// Hours in which the route's notices wait; `None`: they never do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quiet: Option<Quiet>,
    /// When the route's notices are told, all at once; `None`: each is told as it happens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<DigestTimes>,
}

/// Hours of every day in which nobody is to be told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quiet {
    /// When they begin, as `HH:MM`.
    pub from: String,
    /// When they end, as `HH:MM`: before `from`, it is that of the next day.
    pub to: String,
    /// A name of the IANA time zone database, such as `Europe/Berlin`.
    pub time_zone: String,
}

/// Times of every day at which what was collected is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DigestTimes {
    /// The times, each as `HH:MM`; one at least.
    pub at: Vec<String>,
    /// A name of the IANA time zone database, such as `Europe/Berlin`.
    pub time_zone: String,
}

/// A compiled text that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RulesError {
    /// It cannot be read.
    #[error(transparent)]
    Format(#[from] format::Error),
    /// A route names a channel that the text does not have.
    #[error("route {number} of the notification rules goes to channel `{name}`, which does not exist")]
    UnknownChannel {
        /// Counted from 1.
        number: usize,
        /// The channel's name.
        name: String,
    },
}

impl Format for Rules {
    const NAME: &'static str = "compiled notification rules";
}

impl Rules {
    /// Reads the text of [`Rules::to_json`].
    ///
    /// # Errors
    /// See [`RulesError`].
    pub fn from_json(text: &str) -> Result<Self, RulesError> {
        let rules: Self = format::decode(text)?;
        for (number, route) in (1..).zip(&rules.routes) {
            if let Some(name) = route.to.iter().find(|name| !rules.channels.contains_key(*name)) {
                return Err(RulesError::UnknownChannel { number, name: name.clone() });
            }
        }
        Ok(rules)
    }

    /// The canonical text.
    pub fn to_json(&self) -> String {
        format::encode(self)
    }

    /// The routes to a channel that admit `notice`.
    pub fn routes_to<'r>(&'r self, channel: &'r str, notice: &'r Notice) -> impl Iterator<Item = &'r Route> {
        self.routes.iter().filter(move |route| route.to.iter().any(|name| name == channel) && route.admits(notice))
    }

    /// The channels that get `notice`, in the order of their names.
    pub fn channels_of(&self, notice: &Notice) -> Vec<&str> {
        let names = self.channels.keys().map(String::as_str);
        names.filter(|name| self.routes_to(name, notice).next().is_some()).collect()
    }
}

impl Route {
    /// Whether the route's channels get `notice`.
    pub fn admits(&self, notice: &Notice) -> bool {
        let severity = notice.severity.as_deref().and_then(Severity::parse);
        let is_severe = severity.is_none_or(|severity| self.severities.iter().any(|word| word == severity.as_str()));
        let has = |wanted: &[String], found: Option<&String>| {
            wanted.is_empty() || found.is_some_and(|name| wanted.contains(name))
        };
        let calls = self.services.is_empty() || notice.actions.iter().any(|action| self.actions.contains(action));
        let ended = self.outcomes.is_empty() || notice.outcome.is_some_and(|outcome| self.outcomes.contains(&outcome));
        (self.events.is_empty() || self.events.contains(&notice.event))
            && (self.severities.is_empty() || is_severe)
            && has(&self.playbooks, notice.playbook.as_ref())
            && calls
            && ended
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Timestamp;

    fn rules(routes: Vec<Route>) -> Rules {
        let channel = Channel { kind: ChannelKind::Webhook, settings: BTreeMap::new() };
        let channels = ["a", "b"].map(|name| (name.to_owned(), channel.clone()));
        Rules { channels: BTreeMap::from(channels), routes }
    }

    fn route(to: &str) -> Route {
        Route { to: vec![to.to_owned()], ..Route::default() }
    }

    fn ended(severity: Option<&str>) -> Notice {
        let notice = Notice::new(NoticeEvent::RunEnded, "r", Timestamp(1), "t".to_owned());
        Notice {
            severity: severity.map(ToOwned::to_owned),
            playbook: Some("p".to_owned()),
            actions: vec!["restart_pod".to_owned()],
            outcome: Some(RunOutcome::Failed),
            ..notice
        }
    }

    #[test]
    fn a_channel_gets_a_notice_once_however_many_routes_admit_it() {
        assert_eq!(rules(vec![route("b"), route("a"), route("b")]).channels_of(&ended(None)), ["a", "b"]);
        assert_eq!(rules(vec![route("b")]).channels_of(&ended(None)), ["b"]);
        assert!(rules(vec![]).channels_of(&ended(None)).is_empty());
    }

    #[test]
    fn every_filter_has_to_admit() {
        let critical = Route { severities: vec!["critical".to_owned()], ..route("a") };
        assert!(critical.admits(&ended(Some("CRITICAL"))));
        assert!(!critical.admits(&ended(Some("LOW"))));
        assert!(critical.admits(&ended(Some("sev-9"))) && critical.admits(&ended(None)));
        let healed = Route { outcomes: vec![RunOutcome::Denied], ..route("a") };
        assert!(!healed.admits(&ended(None)));
        assert!(!Route { playbooks: vec!["q".to_owned()], ..route("a") }.admits(&ended(None)));
        let (services, actions) = (vec!["kubernetes".to_owned()], vec!["restart_pod".to_owned()]);
        assert!(Route { services: services.clone(), actions, ..route("a") }.admits(&ended(None)));
        assert!(!Route { services, ..route("a") }.admits(&ended(None)));
        assert!(!Route { events: vec![NoticeEvent::Halted], ..route("a") }.admits(&ended(None)));
    }

    #[test]
    fn a_compiled_text_reads_back_and_a_missing_channel_is_refused() {
        let mut rules = rules(vec![Route { outcomes: vec![RunOutcome::NotHealed], ..route("a") }]);
        assert_eq!(Rules::from_json(&rules.to_json()).unwrap(), rules);
        rules.routes.push(route("c"));
        let error = Rules::from_json(&rules.to_json()).unwrap_err().to_string();
        assert_eq!(error, "route 2 of the notification rules goes to channel `c`, which does not exist");
    }

    #[test]
    fn a_kind_of_channel_has_the_word_of_its_file_and_a_channel_its_own_settings() {
        for kind in ChannelKind::ALL {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
        }
        let settings = BTreeMap::from([("url".to_owned(), "https://a".to_owned())]);
        let channel = Channel { kind: ChannelKind::Webhook, settings };
        assert_eq!([channel.setting("url"), channel.setting("secret")], [Some("https://a"), None]);
    }
}
