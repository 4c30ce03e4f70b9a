//! When a worker tries its command again by itself: after a freeze, or after trouble of this process, that left the outcome open.

use std::time::Duration;

use heal_engine::message::{AttemptOutcome, AttemptResult};

use super::flow::Earlier;
use super::lease::Lease;
use super::typed::Attempted;
use super::{CommandOutcome, Error, NotStarted, Worker};
use crate::action::Call;
use crate::port::BackendError;

/// Tries of one command by one worker that freezes may cost.
const FREEZES: usize = 3;

/// The pauses after trouble of this process, in milliseconds: 41 seconds in all, well within the visibility of a command. Then it is given
/// back, and delivered again.
const PAUSES_MS: [u64; 7] = [250, 750, 2_000, 5_000, 8_000, 10_000, 15_000];

/// What one worker has tried so far.
#[derive(Debug, Default)]
pub(super) struct Again {
    freezes: usize,
    pauses: usize,
}

/// What follows a try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// The try counts.
    End,
    /// Once more, after a pause.
    TryAgain {
        /// The time for what is lacking to come back.
        pause: Duration,
    },
    /// Not by this worker.
    GiveUp,
}

impl Again {
    /// What follows a try in whose course this process had `trouble`, or was frozen for `frozen_ms`.
    pub(super) fn after(
        &mut self,
        tried: &Result<Attempted, NotStarted>,
        trouble: Option<&str>,
        frozen_ms: u64,
    ) -> Next {
        let (is_open, is_lacking) = match tried {
            // Of a batch, a part may have succeeded.
            Ok(Attempted { result, .. }) => (is_open(result), is_open(result) || !result.follow_up.is_empty()),
            Err(NotStarted::Backend(_)) => (false, true),
            Err(NotStarted::Late | NotStarted::Halted { .. }) => (false, false),
        };
        if let Some(trouble) = trouble
            && is_lacking
        {
            let pause = PAUSES_MS.get(self.pauses).copied();
            self.pauses += 1;
            tracing::warn!(trouble, pause_ms = pause, "attempt.own_trouble");
            return pause.map_or(Next::GiveUp, |pause| Next::TryAgain { pause: Duration::from_millis(pause) });
        }
        if frozen_ms > 0 && is_open {
            self.freezes += 1;
            if self.freezes < FREEZES {
                tracing::warn!(frozen_ms, "attempt.frozen");
                return Next::TryAgain { pause: Duration::ZERO };
            }
        }
        Next::End
    }
}

impl Worker {
    /// Waits under the lease, and renews the claim. Whether it was recovered; the inner error is the outcome if another worker has it.
    pub(super) async fn pause(
        &self,
        call: &Call,
        lease: &Lease,
        pause: Duration,
    ) -> Result<Result<bool, CommandOutcome>, BackendError> {
        if !self.takes_claim() {
            tokio::time::sleep(pause).await;
            return Ok(Ok(false));
        }
        tokio::select! {
            // In this order, so that the same schedule has the same course.
            biased;
            () = tokio::time::sleep(pause) => {}
            never = self.keep(lease) => match never {},
        }
        let reservation = self.renew(lease).await?;
        self.claimed(call, reservation).await
    }

    /// This process cannot make the attempt now: the command is delivered again. If something may have been done, the next worker finds out once
    /// the lease has ended.
    pub(super) async fn give_up(
        &self,
        lease: &Lease,
        earlier: Earlier,
        tried: &Result<Attempted, NotStarted>,
        trouble: Option<&str>,
    ) -> Result<CommandOutcome, Error> {
        if self.takes_claim() && (earlier.is_open() || may_have_acted(tried)) {
            tracing::warn!(trouble, "attempt could not be repeated; the next worker recovers");
            return Ok(CommandOutcome::Lost);
        }
        self.release(lease).await;
        Err(BackendError::unavailable("attempt", trouble.unwrap_or("the process was frozen").to_owned()).into())
    }
}

/// Whether the try may have had an effect.
pub(super) fn may_have_acted(tried: &Result<Attempted, NotStarted>) -> bool {
    tried.as_ref().is_ok_and(|performed| !performed.result.is_proven_not_applied())
}

/// Whether the result may be that of this process and not of the target.
const fn is_open(result: &AttemptResult) -> bool {
    match result.outcome {
        AttemptOutcome::Unavailable { .. } | AttemptOutcome::TimedOut { .. } | AttemptOutcome::Unknown { .. } => true,
        AttemptOutcome::Failed { retryable, .. } => retryable,
        AttemptOutcome::Succeeded
        | AttemptOutcome::NoOp { .. }
        | AttemptOutcome::Denied { .. }
        | AttemptOutcome::NeedsApproval { .. }
        | AttemptOutcome::CoolingDown { .. }
        | AttemptOutcome::Shadowed { .. } => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(clippy::unnecessary_wraps, reason = "what a try returns")]
    fn unavailable() -> Result<Attempted, NotStarted> {
        let (service, message) = ("lamps".to_owned(), "no descriptor".to_owned());
        Ok(AttemptResult::new(AttemptOutcome::Unavailable { service, message, retry_after_ms: None }).into())
    }

    fn pause(ms: u64) -> Next {
        Next::TryAgain { pause: Duration::from_millis(ms) }
    }

    #[test]
    fn trouble_of_this_process_is_waited_for_and_then_given_back() {
        let mut again = Again::default();
        for ms in PAUSES_MS {
            assert_eq!(again.after(&unavailable(), Some("no descriptor"), 0), pause(ms));
        }
        assert_eq!(again.after(&unavailable(), Some("no descriptor"), 0), Next::GiveUp);
        let unstarted = Err(NotStarted::Backend(BackendError::unavailable("attempt", "no descriptor")));
        assert_eq!(Again::default().after(&unstarted, Some("no descriptor"), 0), pause(PAUSES_MS[0]));
        assert_eq!(
            Again::default().after(&unstarted, None, 0),
            Next::End,
            "a port that is away is the queue's to repeat"
        );
    }

    #[test]
    fn an_outcome_that_the_trouble_did_not_change_counts() {
        let done = || Ok(AttemptResult::succeeded(heal_engine::Map::new()).into());
        assert_eq!(Again::default().after(&done(), Some("no descriptor"), 0), Next::End);
        assert_eq!(Again::default().after(&done(), None, 5_000), Next::End);
        assert_eq!(Again::default().after(&unavailable(), None, 0), Next::End, "an outage of the service");
    }

    #[test]
    fn a_freeze_costs_tries_and_no_pause() {
        let mut again = Again::default();
        assert_eq!(again.after(&unavailable(), None, 5_000), pause(0));
        assert_eq!(again.after(&unavailable(), None, 5_000), pause(0));
        assert_eq!(again.after(&unavailable(), None, 5_000), Next::End);
    }
}
