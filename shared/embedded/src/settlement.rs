//! One settlement, one transaction: a commit, the messages that follow from it, the deliveries that led to it, and the claim of the attempt
//! that it takes the result of.

use std::sync::Arc;

use async_trait::async_trait;
use heal_engine::Event;
use heal_runtime::port::{
    Admitted, Append, Appended, AttemptSettlement, ClaimEnd, Created, Finish, NewRun, Result, Room, SettleOutcome,
    Settlement, Settles, Written,
};
use heal_runtime::{Commit, Timestamp};
use rusqlite::Connection;

use crate::claims::{PreparedEnd, ResultPlace};
use crate::error::JobError;
use crate::queue::deliver::{self, Outgoing};
use crate::queue::settle::{self, Receipt};
use crate::runs::{row, write};
use crate::store::Store;

/// What is settled beside a commit, ready to write.
#[derive(Debug, Clone)]
struct Beside {
    claim: Option<PreparedEnd>,
    messages: Arc<[Outgoing]>,
    acknowledged: Vec<Receipt>,
    now: Timestamp,
}

impl Beside {
    /// Ends the claim, if there is one.
    fn end(&self, connection: &Connection, result: ResultPlace) -> std::result::Result<Finish, JobError> {
        self.claim.as_ref().map_or(Ok(Finish::Stored), |claim| claim.write(connection, result))
    }

    /// The ids of the messages.
    fn write(&self, connection: &Connection) -> std::result::Result<Vec<i64>, JobError> {
        let sent = deliver::send(connection, &self.messages, self.now)?;
        settle::acknowledge(connection, &self.acknowledged)?;
        Ok(sent)
    }
}

impl Store {
    fn beside(&self, operation: &'static str, claim: Option<&ClaimEnd>, settles: Settles) -> Result<Beside> {
        let Settles { messages, acknowledges } = settles;
        let messages = Outgoing::prepare(operation, messages)?.into();
        let claim = claim.map(|end| self.prepare_end(operation, end.clone())).transpose()?;
        let acknowledged =
            self.queues().leases.current(&acknowledges).into_iter().map(|(receipt, _)| receipt).collect();
        Ok(Beside { claim, messages, acknowledged, now: self.now() })
    }

    /// All of it is on the disk, the messages under the ids `sent`.
    fn settled(&self, beside: &Beside, sent: &[i64]) {
        beside.claim.iter().for_each(|claim| self.ended(claim));
        self.queues().leases.settled(&beside.acknowledged);
        self.queues().sent(&beside.messages, sent, beside.now);
    }
}

#[async_trait]
impl Settlement for Store {
    async fn create(&self, run: &NewRun, settles: Settles) -> Result<Written<Created>> {
        let operation = "runs.create";
        let beside = self.beside(operation, None, settles)?;
        let (row, new, with) = (row(operation, &run.commit, &run.head)?, run.clone(), beside.clone());
        let work = move |connection: &Connection| {
            let created = write::create(connection, &row, &new)?;
            let sent = if created == Created::Created { with.write(connection)? } else { Vec::new() };
            Ok((created, sent))
        };
        let (outcome, sent) = self.write(operation, work).await?;
        if outcome == Created::Created {
            self.settled(&beside, &sent);
            self.news().written(&run.head);
        }
        Ok(Written { outcome, sent: Ok(()) })
    }

    async fn append(&self, append: Append<'_>, settles: Settles) -> Result<Written<Admitted>> {
        match AttemptSettlement::append(self, append, None, settles).await? {
            SettleOutcome::Written(written) => Ok(written),
            // Without a claim, none is lost; a conflict has the caller read again.
            SettleOutcome::Lost => Ok(Written { outcome: Admitted::Written(Appended::Conflict), sent: Ok(()) }),
        }
    }
}

#[async_trait]
impl AttemptSettlement for Store {
    async fn append(&self, append: Append<'_>, claim: Option<&ClaimEnd>, settles: Settles) -> Result<SettleOutcome> {
        let operation = "runs.append";
        let beside = self.beside(operation, claim, settles)?;
        let row = row(operation, append.commit, append.head)?;
        let (key, room) = (append.concurrency_key.map(str::to_owned), append.room.cloned());
        let (with, result) = (beside.clone(), find_result(append.commit, claim));
        let work =
            move |connection: &Connection| settle_one(connection, &row, key.as_deref(), room.as_ref(), (&with, result));
        let Some((outcome, sent)) = self.write(operation, work).await? else { return Ok(SettleOutcome::Lost) };
        if outcome == Admitted::Written(Appended::Appended) {
            self.settled(&beside, &sent);
            self.news().written(append.head);
        }
        Ok(SettleOutcome::Written(Written { outcome, sent: Ok(()) }))
    }

    async fn settle(&self, claim: Option<&ClaimEnd>, settles: Settles) -> Result<Finish> {
        let operation = "queue.settle";
        let beside = self.beside(operation, claim, settles)?;
        let with = beside.clone();
        let work = move |connection: &Connection| {
            let finish = with.end(connection, ResultPlace::Claim)?;
            let sent = if finish == Finish::Stored { with.write(connection)? } else { Vec::new() };
            Ok((finish, sent))
        };
        let (finish, sent) = self.write(operation, work).await?;
        if finish == Finish::Stored {
            self.settled(&beside, &sent);
        }
        Ok(finish)
    }
}

/// The event of `commit` that has the claim's result, so that it is stored once.
fn find_result(commit: &Commit, claim: Option<&ClaimEnd>) -> ResultPlace {
    let is_it = |event: &Event| matches!(event, Event::AttemptEnded { result, .. } if claim.is_some_and(|end| *result == end.result));
    let events = (commit.first_seq..).zip(&commit.events);
    events.filter(|(_, event)| is_it(event)).map(|(seq, _)| ResultPlace::Log(seq)).next().unwrap_or(ResultPlace::Claim)
}

/// What became of it, and the ids of the messages that were sent; `None` if the claim is lost.
fn settle_one(
    connection: &Connection,
    row: &write::Row,
    concurrency_key: Option<&str>,
    room: Option<&Room>,
    (with, result): (&Beside, ResultPlace),
) -> std::result::Result<Option<(Admitted, Vec<i64>)>, JobError> {
    // Asked before anything is written: what is refused leaves nothing behind.
    if let Some(claim) = &with.claim
        && !claim.can_be_written(connection)?
    {
        return Ok(None);
    }
    let outcome = match room {
        Some(room) => write::admit(connection, row, room)?,
        None => Admitted::Written(write::append(connection, row, concurrency_key)?),
    };
    let mut sent = Vec::new();
    if outcome == Admitted::Written(Appended::Appended) {
        with.end(connection, result)?;
        sent = with.write(connection)?;
    }
    Ok(Some((outcome, sent)))
}
