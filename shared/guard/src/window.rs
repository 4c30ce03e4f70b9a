//! Windows: times in which effects are held, denied, or need an approval.

use heal_engine::Timestamp;
use heal_engine::message::Violation;
use serde::{Deserialize, Serialize};

use crate::decide::violation;
use crate::effect::Effect;
use crate::guardrails::{Guardrails, Selector};
use crate::halt::{Halt, HaltScope};

mod local;
mod schedule;

pub use local::{BadLocalTime, LocalTime, UnknownZone, Zone};
pub use schedule::{Schedule, Weekday};

/// What the id of a window's halt starts with. A halt that a person orders has another beginning.
pub const WINDOW_ID_PREFIX: &str = "window-";

/// A time in which some effects do not happen as usual.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// Unique among the windows.
    pub name: String,
    /// What the window does while it is open.
    pub kind: WindowKind,
    /// The effects that it is for.
    #[serde(default, skip_serializing_if = "Selector::is_everything")]
    pub applies_to: Selector,
    /// When it is open.
    pub schedule: Schedule,
    /// Groups or identities that may approve, of a window that asks; empty: everybody but the requester.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub approvers: Vec<String>,
    /// Why, as a person wrote it; may be empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
}

/// What an open window does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WindowKind {
    /// Runs wait until it closes; their time stands still.
    Hold,
    /// Effects are denied.
    Deny,
    /// Effects need an approval.
    Ask,
}

/// A window that is open for an effect, as a decision records it: no time zone is needed to decide again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenWindow {
    /// The window's name.
    pub name: String,
    /// What it does.
    pub kind: WindowKind,
    /// When it closes.
    pub until: Timestamp,
    /// As [`Window::approvers`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub approvers: Vec<String>,
    /// As [`Window::reason`].
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
}

impl WindowKind {
    /// The kind's word in the file.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hold => "hold",
            Self::Deny => "deny",
            Self::Ask => "ask",
        }
    }
}

impl OpenWindow {
    /// That the window is open, and why.
    pub fn sentence(&self) -> String {
        let reason = if self.reason.is_empty() { String::new() } else { format!(": {}", self.reason) };
        format!("window {} is open{reason}", self.name)
    }

    /// The window as a broken rule.
    pub(crate) fn violation(&self) -> Violation {
        violation(&format!("window {}", self.name), &self.sentence())
    }
}

impl Window {
    /// The id of its halt while it is open.
    pub fn halt_id(&self) -> String {
        format!("{WINDOW_ID_PREFIX}{}", self.name)
    }

    /// The halt that an open window of kind [`WindowKind::Hold`] is; `None` while it is closed, and of every other kind.
    pub fn halt(&self, now: Timestamp) -> Option<Halt> {
        if self.kind != WindowKind::Hold {
            return None;
        }
        let (since, until) = self.schedule.open_at(now)?;
        let scope = HaltScope::Window { name: self.name.clone(), applies_to: self.applies_to.clone() };
        let (reason, by) = (self.reason.clone(), crate::GUARDRAILS.to_owned());
        Some(Halt { id: self.halt_id(), scope, since, until, reason, by, storm: None })
    }
}

impl Guardrails {
    /// The halts that the windows of kind [`WindowKind::Hold`] are at `now`.
    pub fn window_halts(&self, now: Timestamp) -> Vec<Halt> {
        self.windows.iter().filter_map(|window| window.halt(now)).collect()
    }

    /// The other windows that are open for `effect` at `now`.
    pub fn open_windows(&self, effect: &Effect, now: Timestamp) -> Vec<OpenWindow> {
        let is_asked = |window: &&Window| window.kind != WindowKind::Hold && window.applies_to.admits(effect);
        let open = |window: &Window| {
            let Window { name, kind, approvers, reason, .. } = window.clone();
            let (_, until) = window.schedule.open_at(now)?;
            Some(OpenWindow { name, kind, until, approvers, reason })
        };
        self.windows.iter().filter(is_asked).filter_map(open).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(kind: WindowKind, actions: &[&str]) -> Window {
        let actions = actions.iter().map(|&name| name.to_owned()).collect();
        Window {
            name: "night".to_owned(),
            kind,
            applies_to: Selector { actions, ..Selector::default() },
            schedule: Schedule::Once { start: Timestamp(1_000), end: Timestamp(2_000) },
            approvers: vec!["oncall".to_owned()],
            reason: "nobody is here".to_owned(),
        }
    }

    #[test]
    fn a_window_that_holds_is_a_halt_of_its_effects_while_it_is_open() {
        let rails = |kind| Guardrails { windows: vec![window(kind, &["restart_pod"])], ..Guardrails::default() };
        let hold = rails(WindowKind::Hold);
        let effect = |action: &str| Effect::new(action, "p", "t");
        assert!(hold.window_halts(Timestamp(999)).is_empty() && hold.window_halts(Timestamp(2_000)).is_empty());
        let [halt] = hold.window_halts(Timestamp(1_999)).try_into().unwrap();
        assert_eq!((halt.id.as_str(), halt.until), ("window-night", Timestamp(2_000)));
        assert!(halt.holds(&effect("restart_pod"), Timestamp(1_999)));
        assert!(!halt.holds(&effect("pause_workflow"), Timestamp(1_999)));
        assert!(hold.open_windows(&effect("restart_pod"), Timestamp(1_999)).is_empty());
        assert!(rails(WindowKind::Deny).window_halts(Timestamp(1_999)).is_empty());
    }

    #[test]
    fn a_window_that_denies_or_asks_is_open_for_its_effects_alone() {
        for kind in [WindowKind::Deny, WindowKind::Ask] {
            let rails = Guardrails { windows: vec![window(kind, &["restart_pod"])], ..Guardrails::default() };
            let open = |action: &str, now| rails.open_windows(&Effect::new(action, "p", "t"), Timestamp(now));
            let [found] = open("restart_pod", 1_000).try_into().unwrap();
            assert_eq!((found.kind, found.until), (kind, Timestamp(2_000)));
            assert!(open("pause_workflow", 1_000).is_empty() && open("restart_pod", 2_000).is_empty());
        }
    }

    #[test]
    fn a_kind_has_the_word_that_the_file_has() {
        for (kind, word) in [(WindowKind::Hold, "hold"), (WindowKind::Deny, "deny"), (WindowKind::Ask, "ask")] {
            assert_eq!((kind.as_str(), serde_json::to_value(kind).unwrap()), (word, word.into()));
        }
    }
}
