//! The flow of one command: claim, tries, result.

use heal_engine::Timestamp;
use heal_engine::catalog::Safety;
use heal_engine::message::{ActionCommand, AttemptOutcome, AttemptResult, Hold};

use super::again::{Again, Next, may_have_acted};
use super::lease::Lease;
use super::reserve::with_counted;
use super::typed::{Attempted, Try};
use super::{ANSWER_MARGIN_MS, CommandOutcome, Error, LEASE_MS, NotStarted, Worker, answer, halted};
use crate::action::Call;
use crate::freeze::FreezeWatch;
use crate::port::{BackendError, ClaimKey, ClaimRequest, CooldownKey, Finish, LeaseOwner, Reservation, Stage};
use crate::trouble::TroubleWatch;

/// What the earlier tries of an attempt may have done.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Earlier {
    /// Another worker held the claim, and may have acted.
    recovered: bool,
    /// This worker may have acted, and was frozen.
    may_have_acted: bool,
}

impl Worker {
    pub(super) async fn perform_command(
        &self,
        command: ActionCommand,
        latest: Option<Timestamp>,
        holder: LeaseOwner,
    ) -> Result<CommandOutcome, Error> {
        let now = || self.ports.clock.now();
        let mut call = self.call(command, latest);
        let key = ClaimKey { action: call.command.action.clone(), attempt: call.command.attempt_key() };
        let lease = Lease::new(ClaimRequest::new(key, holder, call.started_at, call.started_at.plus_ms(LEASE_MS)));
        let mut earlier = Earlier::default();
        let storms = self.storms(&call.command).await?;
        let unauthorised = self.unauthorised(&call.command);
        if self.takes_claim() {
            let announced = match &unauthorised {
                Some(_) => Vec::new(),
                None => self.action.announce(self, &call, &storms),
            };
            let request = ClaimRequest { stage: Stage::Announce, ..lease.at(call.started_at) };
            let reservation = self.ports.claims.reserve(&with_counted(request, announced.iter())).await?;
            match self.claimed(&call, reservation).await? {
                Ok(recovered) => earlier.recovered = recovered,
                Err(outcome) => return Ok(outcome),
            }
        }
        if earlier.recovered {
            self.observer.claim_recovered(self.name());
        }
        let mut again = Again::default();
        loop {
            let watch = FreezeWatch::start(&now as &(dyn Fn() -> Timestamp + Send + Sync));
            let trouble = TroubleWatch::default();
            let current = Try {
                call: &call,
                lease: &lease,
                watch: &watch,
                storms: &storms,
                recovered: earlier.is_open(),
                unauthorised: unauthorised.as_ref(),
            };
            let tried = trouble.during(self.try_once(current, earlier)).await;
            let frozen_ms = watch.frozen_ms();
            match again.after(&tried, trouble.noted(), frozen_ms) {
                Next::End => {
                    let performed = match tried {
                        Ok(performed) => performed,
                        Err(not_started) => return self.not_started(&call, &lease, earlier, not_started).await,
                    };
                    // The freeze was not work: the run gets it back as time in which the command waited.
                    call.started_at = call.started_at.plus_ms(frozen_ms).min(now());
                    return self.finish(&call, &lease, earlier, performed).await;
                }
                Next::GiveUp => return self.give_up(&lease, earlier, &tried, trouble.noted()).await,
                Next::TryAgain { pause } => {
                    earlier.may_have_acted |= may_have_acted(&tried);
                    match self.pause(&call, &lease, pause).await? {
                        Ok(recovered) => earlier.recovered |= recovered,
                        Err(outcome) => return Ok(outcome),
                    }
                    call = self.call(call.command, latest);
                }
            }
        }
    }

    /// The attempt's time counts from now on.
    fn call(&self, command: ActionCommand, latest: Option<Timestamp>) -> Call {
        let started_at = self.ports.clock.now();
        let (own, margin_ms) = match command.timeout_ms {
            Some(timeout_ms) => (started_at.plus_ms(timeout_ms), ANSWER_MARGIN_MS.min(timeout_ms / 2)),
            None => (command.deadline, ANSWER_MARGIN_MS),
        };
        let end = latest.map_or(own, |latest| latest.min(own));
        let deadline = Timestamp(end.0.saturating_sub(margin_ms));
        Call { idempotency_key: command.idempotency_key(), deadline, started_at, command }
    }

    /// An action that only reads may read twice.
    pub(super) fn takes_claim(&self) -> bool {
        self.action.description().safety != Safety::ReadOnly
    }

    /// Whether the claim was recovered; the inner error is the outcome if another worker has the claim, or had it to the end.
    pub(super) async fn claimed(
        &self,
        call: &Call,
        reservation: Reservation,
    ) -> Result<Result<bool, CommandOutcome>, BackendError> {
        Ok(match reservation {
            Reservation::Held { recovered, .. } => Ok(recovered),
            Reservation::Busy { until } => Err(CommandOutcome::Busy { until }),
            Reservation::Finished(result) => Err(if let Some(hold) = halted::from_result(&result) {
                answer::report_held(&hold);
                self.end(None, answer::held(call, hold, true), || {}).await?;
                CommandOutcome::Held
            } else {
                self.end(None, self.result(call, &result), || {}).await?;
                CommandOutcome::Answered(result)
            }),
        })
    }

    async fn try_once(&self, current: Try<'_>, earlier: Earlier) -> Result<Attempted, NotStarted> {
        let (lease, watch) = (current.lease, current.watch);
        let mut performed = tokio::select! {
            // In this order, so that the same schedule has the same course.
            biased;
            attempted = self.action.attempt(self, current) => attempted?,
            never = self.keep(lease), if self.takes_claim() => match never {},
            never = watch.tick() => match never {},
        };
        // What this try did not touch, an earlier one may have touched.
        if earlier.is_open() {
            performed.proven_not_applied.clear();
            performed.result.not_applied = false;
            performed.result.may_have_acted = says_only_of_itself(&performed.result);
        }
        Ok(performed)
    }

    /// Nothing was done by this worker: releases the claim, so that the next one neither waits for it nor has to recover it.
    async fn not_started(
        &self,
        call: &Call,
        lease: &Lease,
        earlier: Earlier,
        why: NotStarted,
    ) -> Result<CommandOutcome, Error> {
        if earlier.may_have_acted {
            tracing::warn!(?why, "attempt was frozen and could not be repeated; the next worker recovers");
            return Ok(CommandOutcome::Lost);
        }
        match why {
            NotStarted::Halted { hold, reserved } => self.halted(call, lease, earlier, *hold, &reserved).await,
            NotStarted::Backend(error) => {
                self.release(lease).await;
                Err(error.into())
            }
            NotStarted::Late => {
                self.release(lease).await;
                self.end(None, answer::late(call), || {}).await?;
                Ok(CommandOutcome::Late)
            }
        }
    }

    /// Closes the claim, so that no duplicate of the command acts once the halt is over, and frees what was reserved.
    async fn halted(
        &self,
        call: &Call,
        lease: &Lease,
        earlier: Earlier,
        hold: Hold,
        reserved: &[CooldownKey],
    ) -> Result<CommandOutcome, Error> {
        let (now, result) = (self.ports.clock.now(), halted::to_result(&hold));
        // A worker that died may have acted, unless a probe found that it had not: then the target stays reserved.
        let is_untouched = !earlier.recovered || self.action.description().safety == Safety::Probe;
        let freed = if is_untouched { reserved } else { &[] };
        let claim = lease.ended(now, result, freed.to_vec());
        let answer = answer::held(call, hold.clone(), earlier.recovered);
        match self.end(Some(claim), answer, || answer::report_held(&hold)).await? {
            Finish::Lost => Ok(CommandOutcome::Lost),
            Finish::Stored => Ok(CommandOutcome::Held),
        }
    }

    /// If this fails, the lease expires.
    pub(super) async fn release(&self, lease: &Lease) {
        if !self.takes_claim() {
            return;
        }
        if let Err(error) = self.ports.claims.release(lease.key(), lease.holder()).await {
            let attempt = &lease.key().attempt;
            tracing::warn!(attempt, error = &error as &dyn std::error::Error, "failed to release claim");
        }
    }

    /// Stores the result, and sends it.
    async fn finish(
        &self,
        call: &Call,
        lease: &Lease,
        earlier: Earlier,
        attempted: Attempted,
    ) -> Result<CommandOutcome, Error> {
        let Attempted { result, proven_not_applied } = attempted;
        let result = result.capped();
        let now = self.ports.clock.now();
        let claim = self.takes_claim().then(|| lease.ended(now, result.clone(), proven_not_applied));
        let stored = || {
            self.observer.attempt_ended(self.name(), &result.outcome);
            tracing::Span::current().record("outcome", result.outcome.as_str());
        };
        match self.end(claim, self.result(call, &result), stored).await? {
            Finish::Stored => Ok(CommandOutcome::Answered(Box::new(result))),
            Finish::Lost => {
                tracing::warn!(?earlier, "attempt's claim expired before its result was stored");
                self.observer.claim_lost(self.name());
                Ok(CommandOutcome::Lost)
            }
        }
    }
}

impl Earlier {
    pub(super) const fn is_open(self) -> bool {
        self.recovered || self.may_have_acted
    }
}

/// Whether the result is a refusal of this try, which another attempt may follow: it says nothing about an earlier try.
const fn says_only_of_itself(result: &AttemptResult) -> bool {
    matches!(result.outcome, AttemptOutcome::Failed { .. } | AttemptOutcome::CoolingDown { .. })
}
