//! Bugs, each planted in a port of the engine or in the engine itself: the laws have to catch every one. A law that catches no bug proves
//! nothing, and a bug that no law catches means that a law is missing.

use std::sync::Arc;

use heal_engine::planted as engine;
use heal_runtime::port::{ClaimStore, Policy, Receiver, RunLog, Sender, Settlement, Switches};

use super::playbooks::{Strict, Unsteady};
use super::stage::Stage;

#[path = "planted/budget.rs"]
mod budget;
#[path = "planted/claims.rs"]
mod claims;
#[path = "planted/hasty.rs"]
mod hasty;
#[path = "planted/others.rs"]
mod others;
#[path = "planted/queues.rs"]
mod queues;
#[path = "planted/runs.rs"]
mod runs;
#[path = "planted/table.rs"]
mod table;

/// A bug that somebody could write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bug {
    /// Commands go out before the commit that they follow from.
    SendBeforeCommit,
    /// Whoever asks for a claim gets it.
    NoClaim,
    /// A claim is taken over though its lease lasts.
    LeaseNotChecked,
    /// Whoever takes a dead worker's claim over does not hear that the dead one may have acted.
    RecoveryForgotten,
    /// A cooldown lasts until the store's expiry deletes its row, which may be days later.
    CooldownByExpiry,
    /// Effects count in no budget.
    BudgetIgnored,
    /// Runs need no room.
    RoomIgnored,
    /// The same incident starts a run whenever it is delivered.
    DedupeIgnored,
    /// A run follows the newest edition of its playbook.
    DigestNotPinned,
    /// Each attempt has an idempotency key of its own.
    RetryWithoutKey,
    /// A message is acknowledged when it is received.
    AcknowledgeBeforeCommit,
    /// If one message of a batch is handled, all of them are acknowledged.
    BatchFailureSwallowed,
    /// A message that was not handled is deleted.
    OutcomeDefaultDeletes,
    /// Nobody reads the halts.
    HaltIgnored,
    /// What the policy denies counts as a policy that is unavailable.
    DenialAsUnavailable,
    /// What is planted in the engine itself.
    Engine(engine::Bug),
}

impl Bug {
    /// Every bug, with what the table calls it.
    pub const ALL: [(Self, &'static str); 20] = [
        (Self::SendBeforeCommit, "send before commit"),
        (Self::NoClaim, "no claim"),
        (Self::LeaseNotChecked, "lease not checked"),
        (Self::RecoveryForgotten, "recovery forgotten"),
        (Self::CooldownByExpiry, "cooldown by TTL"),
        (Self::BudgetIgnored, "budget ignored"),
        (Self::RoomIgnored, "room ignored"),
        (Self::DedupeIgnored, "dedupe key ignored"),
        (Self::DigestNotPinned, "digest not pinned"),
        (Self::RetryWithoutKey, "retry without key"),
        (Self::AcknowledgeBeforeCommit, "ack before commit"),
        (Self::BatchFailureSwallowed, "batch failure swallowed"),
        (Self::OutcomeDefaultDeletes, "outcome default deletes"),
        (Self::HaltIgnored, "hold ignored"),
        (Self::DenialAsUnavailable, "denial as unavailable"),
        (Self::Engine(engine::Bug::StaleResultTaken), "stale result taken"),
        (Self::Engine(engine::Bug::TruthyText), "truthy text as condition"),
        (Self::Engine(engine::Bug::TerminalNotAbsorbing), "terminal not absorbing"),
        (Self::Engine(engine::Bug::VerifyBeforeEffect), "verify before effect"),
        (Self::Engine(engine::Bug::CommandBudgetIgnored), "command budget ignored"),
    ];

    /// Whether a port has the bug, so that a process which settles past that port would not.
    pub fn is_in_a_port(self) -> bool {
        self.in_engine().is_none()
    }

    pub fn in_engine(self) -> Option<engine::Bug> {
        match self {
            Self::Engine(bug) => Some(bug),
            _ => None,
        }
    }
}

/// The ports of one process, one of them with the bug.
pub struct Backends {
    pub runs: Arc<dyn RunLog>,
    pub claims: Arc<dyn ClaimStore>,
    pub sender: Arc<dyn Sender>,
    pub receiver: Arc<dyn Receiver>,
    pub switches: Arc<dyn Switches>,
    pub policy: Arc<dyn Policy>,
    /// What settles a turn, if it is neither of the real ones.
    pub settlement: Option<Arc<dyn Settlement>>,
}

impl Backends {
    /// The backends of `stage`, for a process with this edition of the playbooks.
    pub fn new(bug: Option<Bug>, stage: &Stage, edition: u64) -> Self {
        let mut ports = Self {
            runs: stage.runs.clone(),
            claims: stage.claims.clone(),
            sender: stage.queues.clone(),
            receiver: stage.queues.clone(),
            switches: stage.switches.clone(),
            policy: Arc::new(Unsteady {
                inner: Arc::new(Strict),
                rng: stage.rng.clone(),
                seen: stage.seen.clone(),
                is_faulty: stage.world.faulty.clone(),
            }),
            settlement: None,
        };
        match bug {
            None | Some(Bug::Engine(_)) => {}
            Some(Bug::SendBeforeCommit) => {
                ports.settlement =
                    Some(Arc::new(hasty::Hasty { runs: ports.runs.clone(), sender: ports.sender.clone() }));
            }
            Some(
                bug @ (Bug::NoClaim
                | Bug::LeaseNotChecked
                | Bug::RecoveryForgotten
                | Bug::CooldownByExpiry
                | Bug::BudgetIgnored),
            ) => ports.claims = Arc::new(claims::Planted::new(bug, ports.claims)),
            Some(bug @ (Bug::RoomIgnored | Bug::DedupeIgnored | Bug::DigestNotPinned)) => {
                ports.runs = Arc::new(runs::Planted::new(bug, ports.runs, edition));
            }
            Some(
                bug @ (Bug::RetryWithoutKey
                | Bug::AcknowledgeBeforeCommit
                | Bug::BatchFailureSwallowed
                | Bug::OutcomeDefaultDeletes),
            ) => ports.receiver = Arc::new(queues::Planted::new(bug, ports.receiver)),
            Some(Bug::HaltIgnored) => ports.switches = Arc::new(others::NoHalts),
            Some(Bug::DenialAsUnavailable) => ports.policy = Arc::new(others::Unsure),
        }
        ports
    }
}
