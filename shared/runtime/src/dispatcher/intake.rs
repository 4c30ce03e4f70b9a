//! A message with its playbook, and what an intake results in.

use std::sync::Arc;

use heal_engine::RunId;
use heal_engine::autonomy::RunMode;
use heal_engine::event::RunStatus;
use heal_engine::incident::{self, Intake, IntakeError};

use super::tickets::Several;
use crate::library::{Entry, Library, RouteError};

/// A message with its playbook, ready to start: one run, or one for each of several tickets.
#[derive(Debug)]
pub struct Prepared {
    pub(super) intake: Intake,
    pub(super) entry: Arc<Entry>,
    pub(super) concurrency_key: Option<String>,
    /// Who starts the run, as an attested identity.
    pub(super) requested_by: Option<String>,
    /// The tickets, if each needs a run of its own. Then `intake` is about the first one.
    pub(super) several: Option<Several>,
    /// `Shadow` if the run changes nothing whatever its playbook's level of autonomy is.
    pub(super) mode: RunMode,
    /// The deliveries that the run's first commit acknowledges.
    pub(super) receipts: Vec<String>,
}

/// What the runs of one message have in common, whatever their tickets.
#[derive(Debug)]
pub(super) struct How {
    pub(super) mode: RunMode,
    pub(super) requested_by: Option<String>,
}

/// Why a message is rejected.
#[derive(Debug, thiserror::Error)]
pub enum Rejection {
    /// The message is not an incident.
    #[error(transparent)]
    Intake(#[from] IntakeError),
    /// No playbook fits the incident.
    #[error(transparent)]
    Route(#[from] RouteError),
}

/// The result of an intake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IntakeOutcome {
    /// The message started a run.
    Started {
        /// The new run.
        run_id: RunId,
        /// Its status after the first turn.
        status: RunStatus,
    },
    /// The same message had started this run before.
    Known {
        /// The existing run.
        run_id: RunId,
    },
    /// A live run holds the same concurrency key: it has recorded this incident.
    Joined {
        /// The live run.
        run_id: RunId,
    },
    /// The message is recorded as a failed run.
    Rejected {
        /// The failed run.
        run_id: RunId,
        /// Why the message is rejected.
        reason: String,
        /// True: the message is a readable incident without a usable playbook. False: it is not readable as an incident.
        understood: bool,
    },
    /// The message has several tickets, and its playbook works on one.
    PerTicket {
        /// What became of each ticket, in the order of the message; then, if there are too many tickets, the rejection of the rest.
        outcomes: Vec<Self>,
    },
    /// The message says that an alert is over: these live runs of it are withdrawn.
    Withdrawn {
        /// The runs; at least one.
        runs: Vec<RunId>,
    },
    /// The message is not an incident, such as an alarm that returned to OK and has no live run.
    Ignored {
        /// Why it is ignored.
        reason: String,
    },
}

impl Prepared {
    /// Reads a message and finds its playbook in `library`: `playbook` if the caller names one, else by the message.
    ///
    /// # Errors
    /// What is wrong with the message, and where.
    pub fn new(library: &Library, message: &str, playbook: Option<&str>) -> Result<Self, Rejection> {
        let mut intake = incident::read(message)?;
        library.secrets().hide(&mut intake.variables);
        if let Some(name) = playbook {
            intake.playbook = Some(name.to_owned());
        }
        let entry = library.route(&intake)?;
        match Several::new(&intake, &entry)? {
            Some((several, first)) => Ok(Self { several: Some(several), ..Self::single(first, entry)? }),
            None => Self::single(intake, entry),
        }
    }

    /// One run.
    pub(super) fn single(intake: Intake, entry: Arc<Entry>) -> Result<Self, Rejection> {
        entry.check(&intake.variables)?;
        let concurrency_key = entry.concurrency_key(&intake.variables)?;
        Ok(Self {
            intake,
            entry,
            concurrency_key,
            requested_by: None,
            several: None,
            mode: RunMode::Live,
            receipts: Vec::new(),
        })
    }

    /// The same, for a run that reads and decides as a live one and changes nothing.
    #[must_use]
    pub fn in_shadow(self) -> Self {
        Self { mode: RunMode::Shadow, ..self }
    }

    /// The same, started by `identity`, which may not approve the run.
    #[must_use]
    pub fn requested_by(self, identity: Option<String>) -> Self {
        Self { requested_by: identity, ..self }
    }

    /// The same; if the incident starts one run, its first commit acknowledges the deliveries that `receipts` name, in a home where it can.
    #[must_use]
    pub(super) fn acknowledging(self, receipts: &[String]) -> Self {
        Self { receipts: receipts.to_vec(), ..self }
    }

    /// How each run of several is started.
    pub(super) fn how(&self) -> How {
        How { mode: self.mode, requested_by: self.requested_by.clone() }
    }

    /// The same, started in this way.
    pub(super) fn started(self, how: &How) -> Self {
        Self { mode: how.mode, requested_by: how.requested_by.clone(), ..self }
    }

    /// The same, whether or not the incident asks that a person looks first: the caller is one. What the playbook asks is asked all the same.
    #[must_use]
    pub fn looked_at(mut self) -> Self {
        self.intake.approval = false;
        if let Some(several) = &mut self.several {
            several.looked_at();
        }
        self
    }

    /// The playbook's name.
    pub fn playbook(&self) -> &str {
        &self.entry.plan.playbook.name
    }

    /// The playbook.
    pub const fn entry(&self) -> &Arc<Entry> {
        &self.entry
    }

    /// The incident; of several tickets, the incident about the first one.
    pub const fn intake(&self) -> &Intake {
        &self.intake
    }

    /// The tickets that get a run each; empty if the incident starts one run.
    pub fn tickets(&self) -> &[String] {
        self.several.as_ref().map(Several::started).unwrap_or_default()
    }

    /// The concurrency key that the run would hold, if its playbook has one.
    pub fn concurrency_key(&self) -> Option<&str> {
        self.concurrency_key.as_deref()
    }
}
