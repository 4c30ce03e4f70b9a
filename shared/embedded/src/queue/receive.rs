//! Receiving: messages that are due are leased to a consumer. Nothing is written, but for messages that were delivered too often.

use heal_runtime::Timestamp;
use heal_runtime::port::{Delivery, QueueName, Result};
use rusqlite::Connection;

use super::dead;
use super::deliver::{self, Due};
use super::leases::{Lease, View};
use super::mailbox::Taken;
use super::settle::Receipt;
use crate::limit;
use crate::store::{Store, of_one_moment};

/// What a receiver asks for.
struct Request<'a> {
    queue: &'a str,
    max: usize,
    now: Timestamp,
    visible_at: Timestamp,
}

impl Store {
    pub(super) async fn receive_leased(
        &self,
        queue: &QueueName,
        max: usize,
        visibility_ms: u64,
    ) -> Result<Vec<Delivery>> {
        if !self.may_begin().await {
            return Ok(Vec::new());
        }
        let life = self.life().await?;
        let door = self.queues().door(queue);
        let _receiving = door.receiving.lock().await;
        let (name, now) = (queue.to_string(), self.now());
        let request = Request { queue: &name, max, now, visible_at: now.plus_ms(visibility_ms) };
        if !self.queues().leases.is_expired(&name, now)
            && let Taken::Letters(sent) = door.mailbox.take(max, now)
        {
            return Ok(self.grant_all(&request, sent, &View::default(), &life));
        }
        for round in 0.. {
            let view = self.queues().leases.view(&name, now);
            let (due, next) = self.due(&request, &view).await?;
            door.mailbox.read(&due, next);
            let is_worn_out = |due: &Due| deliveries(due, &view) >= self.max_receives();
            let (worn_out, fresh): (Vec<Due>, Vec<Due>) = due.into_iter().partition(is_worn_out);
            let is_last = worn_out.is_empty() || round + 1 == limit::DEAD_LETTER_ROUNDS;
            self.dead_letter_worn_out(worn_out, &view).await?;
            if is_last {
                return Ok(self.grant_all(&request, fresh, &view, &life));
            }
        }
        Ok(Vec::new())
    }

    /// A word of SQLite's own randomness: no receipt of an earlier life may be current in this one.
    async fn life(&self) -> Result<String> {
        if let Some(life) = self.queues().leases.known_life() {
            return Ok(life.to_owned());
        }
        let work = |connection: &Connection| {
            Ok(connection.query_row("SELECT lower(hex(randomblob(8)))", [], |row| row.get::<_, String>(0))?)
        };
        let fresh = self.read("queue.receive", work).await?;
        Ok(self.queues().leases.name_life(fresh).to_owned())
    }

    /// What is due, and when the first of the other messages is that is not leased.
    async fn due(&self, request: &Request<'_>, view: &View) -> Result<(Vec<Due>, Option<Timestamp>)> {
        let (queue, now, max) = (request.queue.to_owned(), request.now, request.max);
        let view = view.clone();
        let work = move |connection: &Connection| {
            of_one_moment(connection, || {
                let due = deliver::select(connection, &queue, now, max, &view)?;
                let ids = due.iter().map(|due| due.id);
                let taken = view.hidden.iter().chain(view.expired.keys()).copied().chain(ids).collect();
                let next = deliver::next_due(connection, &queue, &taken)?;
                Ok((due, next))
            })
        };
        self.read("queue.receive", work).await
    }

    /// When the first message of `queue` is due that is not in hand, or comes back.
    pub(super) async fn next_due(&self, queue: &str, now: Timestamp) -> Result<Option<Timestamp>> {
        let (view, name) = (self.queues().leases.view(queue, now), queue.to_owned());
        let work = move |connection: &Connection| {
            let due_at = deliver::next_due(connection, &name, &view.hidden)?;
            Ok(due_at.into_iter().chain(view.next_visible).min())
        };
        self.read("queue.wait", work).await
    }

    async fn dead_letter_worn_out(&self, worn_out: Vec<Due>, view: &View) -> Result<()> {
        if worn_out.is_empty() {
            return Ok(());
        }
        let gone: Vec<(Receipt, u32)> =
            worn_out.iter().map(|due| (Receipt { id: due.id, turn: turn(due, view) }, deliveries(due, view))).collect();
        let letters = gone.clone();
        let work = move |connection: &Connection| {
            letters.iter().try_for_each(|(receipt, count)| {
                let reason = format!("delivered {count} times and never acknowledged");
                dead::dead_letter(connection, receipt.id, Some((receipt.turn, *count)), &reason).map(drop)
            })
        };
        self.write("queue.receive", work).await?;
        let receipts: Vec<Receipt> = gone.into_iter().map(|(receipt, _)| receipt).collect();
        self.queues().leases.settled(&receipts);
        Ok(())
    }

    fn grant_all(&self, request: &Request<'_>, fresh: Vec<Due>, view: &View, life: &str) -> Vec<Delivery> {
        let leases = &self.queues().leases;
        let mut deliveries_made = Vec::with_capacity(fresh.len());
        let mut ids = Vec::with_capacity(fresh.len());
        for due in fresh {
            let (turn, receive_count) = (turn(&due, view) + 1, deliveries(&due, view) + 1);
            if !leases.grant(request.queue, due.id, Lease { turn, receive_count, visible_at: request.visible_at }, view)
            {
                continue;
            }
            ids.push(due.id);
            deliveries_made.push(Delivery {
                receipt: Receipt { id: due.id, turn }.to_text(life),
                message_id: due.id.to_string(),
                body: due.body,
                receive_count,
                traceparent: due.traceparent,
                // Whoever can write to the state file can write any sender into it.
                sender: None,
            });
        }
        leases.note(&ids);
        deliveries_made
    }
}

/// The last turn of a message.
fn turn(due: &Due, view: &View) -> i64 {
    view.expired.get(&due.id).map_or(due.turn, |lease| lease.turn)
}

/// How often a message was delivered.
fn deliveries(due: &Due, view: &View) -> u32 {
    view.expired.get(&due.id).map_or(due.receive_count, |lease| lease.receive_count)
}
