//! Messages on their way from the write that sent them to a receiver of the same process, which need not read them back.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use heal_runtime::Timestamp;

use super::deliver::Due;
use crate::limit;

/// What was sent to one queue and is due. Each message is in the table too, so whatever is refused or lost here is found there.
#[derive(Debug, Default)]
pub(super) struct Mailbox(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    letters: VecDeque<Due>,
    bytes: usize,
    /// The largest id that was read from the table: up to there a receiver may have the message already.
    read_up_to: i64,
    /// What is only in the table, and due.
    table: Table,
    /// Receives since the table was last read.
    turns: u32,
}

/// When the first message is due that is only in the table.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Table {
    /// Not known: it is to be read.
    #[default]
    Unread,
    /// At this moment; `None` if there is none, as far as this process knows.
    Due(Option<Timestamp>),
}

/// What a receiver finds.
#[derive(Debug)]
pub(super) enum Taken {
    /// These messages; none, if none is due.
    Letters(Vec<Due>),
    /// The table is to be read.
    Table,
}

impl Mailbox {
    /// Takes in a message that has been committed and is due, unless there is no room, or a receiver may have it from the table.
    pub(super) fn put(&self, letter: Due) {
        let mut state = self.lock();
        let bytes = state.bytes.saturating_add(letter.body.len());
        if letter.id <= state.read_up_to || state.letters.len() >= limit::MAILBOX || bytes > limit::MAILBOX_BYTES {
            state.table = Table::Unread;
            return;
        }
        state.bytes = bytes;
        state.letters.push_back(letter);
    }

    /// A message that is only in the table is due at `due_at`.
    pub(super) fn is_due_later(&self, due_at: Timestamp) {
        let mut state = self.lock();
        if let Table::Due(first) = state.table {
            state.table = Table::Due(first.into_iter().chain([due_at]).min());
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.lock().letters.is_empty()
    }

    pub(super) fn table(&self) -> Table {
        self.lock().table
    }

    /// Up to `max` messages, the oldest first; [`Taken::Table`] if the table is to be read: if a message there is due, and at the latest after
    /// [`limit::MAILBOX_TURNS`], since other processes send too. Nobody reads the table again merely because the mailbox has just become empty.
    pub(super) fn take(&self, max: usize, now: Timestamp) -> Taken {
        let mut state = self.lock();
        let is_next_in_table = match state.table {
            Table::Unread => true,
            Table::Due(first) => first.is_some_and(|due_at| due_at <= now),
        };
        let is_turn_of_table = state.turns >= limit::MAILBOX_TURNS || (state.turns == 0 && state.letters.is_empty());
        if is_next_in_table || is_turn_of_table {
            return Taken::Table;
        }
        state.turns += 1;
        let count = state.letters.len().min(max);
        let taken: Vec<Due> = state.letters.drain(..count).collect();
        state.bytes -= taken.iter().map(|letter| letter.body.len()).sum::<usize>();
        Taken::Letters(taken)
    }

    /// A message is due that another process has sent.
    pub(super) fn is_due_in_table(&self) {
        self.lock().table = Table::Unread;
    }

    /// Forgets what a receiver has read from the table, where the first of the others is due at `next`.
    pub(super) fn read(&self, found: &[Due], next: Option<Timestamp>) {
        let ids: BTreeSet<i64> = found.iter().map(|due| due.id).collect();
        let mut state = self.lock();
        state.turns = 0;
        state.table = Table::Due(next);
        state.read_up_to = state.read_up_to.max(ids.last().copied().unwrap_or(0));
        state.letters.retain(|letter| !ids.contains(&letter.id));
        state.bytes = state.letters.iter().map(|letter| letter.body.len()).sum();
    }

    /// Locks the state. A panic cannot leave it half changed, so poisoning is ignored.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letter(id: i64, bytes: usize) -> Due {
        Due { id, turn: 0, receive_count: 0, traceparent: None, body: "x".repeat(bytes) }
    }

    /// None where the table is to be read.
    fn ids(taken: &Taken) -> Option<Vec<i64>> {
        let Taken::Letters(letters) = taken else { return None };
        Some(letters.iter().map(|letter| letter.id).collect())
    }

    const NOW: Timestamp = Timestamp(1_000);

    /// One that knows that there is nothing in the table.
    fn mailbox() -> Mailbox {
        let mailbox = Mailbox::default();
        mailbox.read(&[], None);
        mailbox
    }

    #[test]
    fn messages_leave_in_the_order_of_their_arrival() {
        let mailbox = mailbox();
        (1..=3).for_each(|id| mailbox.put(letter(id, 1)));
        assert_eq!(ids(&mailbox.take(2, NOW)), Some(vec![1, 2]));
        assert_eq!(ids(&mailbox.take(2, NOW)), Some(vec![3]));
        assert!(mailbox.is_empty());
    }

    #[test]
    fn what_was_read_from_the_table_is_not_delivered_again() {
        let mailbox = mailbox();
        mailbox.put(letter(1, 1));
        mailbox.read(&[letter(1, 1), letter(3, 1)], None);
        mailbox.put(letter(3, 1));
        assert!(mailbox.is_empty());
        mailbox.read(&[], None);
        mailbox.put(letter(4, 1));
        assert_eq!(ids(&mailbox.take(9, NOW)), Some(vec![4]));
    }

    #[test]
    fn an_empty_mailbox_is_no_reason_to_read_the_table_that_was_read_before_its_last_message() {
        let mailbox = mailbox();
        assert_eq!(ids(&mailbox.take(1, NOW)), None, "nothing came since: another process may have sent something");
        mailbox.put(letter(1, 1));
        assert_eq!(ids(&mailbox.take(1, NOW)), Some(vec![1]));
        assert_eq!(ids(&mailbox.take(1, NOW)), Some(vec![]));
        mailbox.is_due_in_table();
        assert_eq!(ids(&mailbox.take(1, NOW)), None);
    }

    #[test]
    fn the_table_is_read_first_once_a_message_there_is_due() {
        let mailbox = Mailbox::default();
        mailbox.put(letter(1, 1));
        assert_eq!(ids(&mailbox.take(1, NOW)), None, "it was not read yet");
        mailbox.read(&[], Some(NOW.plus_ms(9)));
        mailbox.is_due_later(NOW.plus_ms(2));
        assert_eq!(ids(&mailbox.take(1, NOW.plus_ms(1))), Some(vec![1]));
        mailbox.put(letter(2, 1));
        assert_eq!(ids(&mailbox.take(1, NOW.plus_ms(2))), None);
    }

    #[test]
    fn the_table_is_read_in_between_however_much_arrives() {
        let mailbox = mailbox();
        for id in 1..=i64::from(limit::MAILBOX_TURNS) {
            mailbox.put(letter(id, 1));
            assert_eq!(ids(&mailbox.take(1, NOW)), Some(vec![id]));
        }
        mailbox.put(letter(1_000, 1));
        assert_eq!(ids(&mailbox.take(1, NOW)), None);
        mailbox.read(&[letter(999, 1)], None);
        assert_eq!(ids(&mailbox.take(1, NOW)), Some(vec![1_000]));
    }

    #[test]
    fn a_full_mailbox_leaves_messages_to_the_table() {
        let mailbox = mailbox();
        mailbox.put(letter(1, limit::MAILBOX_BYTES));
        mailbox.put(letter(2, 1));
        assert_eq!(mailbox.table(), Table::Unread);
        mailbox.read(&[letter(1, 1), letter(2, 1)], None);
        (3..).take(limit::MAILBOX + 1).for_each(|id| mailbox.put(letter(id, 1)));
        mailbox.read(&[], None);
        assert_eq!(ids(&mailbox.take(usize::MAX, NOW)).unwrap().len(), limit::MAILBOX);
    }
}
