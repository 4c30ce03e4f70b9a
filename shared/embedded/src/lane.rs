//! Threads that run jobs on connections.
//!
//! SQLite's calls block, so they have threads of their own. A job is a closure that gets a connection; its caller waits for the answer
//! without blocking. The writing lane has one thread, and commits all jobs that are waiting in one transaction ([`group`]);
//! a reading lane has several, and no transaction. A caller that goes away does not undo its job.

mod group;
mod inbox;

use std::sync::Arc;
use std::thread::{self, JoinHandle};

use heal_runtime::port::{BackendError, Result};
use rusqlite::Connection;
use tokio::sync::oneshot;

use crate::fault::Fault;
use inbox::Inbox;

/// One unit of work on a connection.
trait Job: Send {
    /// May be called again after its effects have been rolled back: with the same connection, from the beginning.
    fn run(&mut self, connection: &Connection) -> std::result::Result<(), Fault>;

    /// Tells the caller how it ended, once that is certain.
    fn answer(self: Box<Self>, outcome: std::result::Result<(), Fault>);
}

struct Call<T, W> {
    work: W,
    value: Option<T>,
    reply: oneshot::Sender<std::result::Result<T, Fault>>,
}

impl<T, W> Job for Call<T, W>
where
    T: Send,
    W: FnMut(&Connection) -> std::result::Result<T, Fault> + Send,
{
    fn run(&mut self, connection: &Connection) -> std::result::Result<(), Fault> {
        self.value = None;
        self.value = Some((self.work)(connection)?);
        Ok(())
    }

    fn answer(self: Box<Self>, outcome: std::result::Result<(), Fault>) {
        let Self { value, reply, .. } = *self;
        // A caller that has gone away does not need it.
        let _ = reply.send(outcome.and_then(|()| value.ok_or(Fault::Closed)));
    }
}

/// Takes jobs for its threads, until it is dropped: then it ends what it has and closes the connections.
#[derive(Debug)]
pub(crate) struct Lane {
    inbox: Arc<Inbox>,
    threads: Vec<JoinHandle<()>>,
}

impl Lane {
    /// A lane with one thread, which commits what is waiting together.
    pub(crate) fn writing(connection: Connection) -> std::io::Result<Self> {
        Self::start(vec![connection], "store-write", group::commit_all)
    }

    /// A lane with a thread per connection.
    pub(crate) fn reading(connections: Vec<Connection>) -> std::io::Result<Self> {
        Self::start(connections, "store-read", read_all)
    }

    fn start(connections: Vec<Connection>, name: &str, work: fn(&Connection, &Inbox)) -> std::io::Result<Self> {
        let inbox = Arc::new(Inbox::default());
        let mut lane = Self { inbox: Arc::clone(&inbox), threads: Vec::new() };
        for connection in connections {
            let inbox = Arc::clone(&inbox);
            let run = move || {
                // However the thread ends, no caller waits for it any more.
                let _closed = inbox::CloseOnDrop(&inbox);
                work(&connection, &inbox);
            };
            lane.threads.push(thread::Builder::new().name(name.to_owned()).spawn(run)?);
        }
        Ok(lane)
    }

    /// Runs `work` on a connection of this lane, and waits for it.
    pub(crate) async fn call<T, W>(&self, operation: &'static str, work: W) -> Result<T>
    where
        T: Send + 'static,
        W: FnMut(&Connection) -> std::result::Result<T, Fault> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        self.inbox.put(Box::new(Call { work, value: None, reply }));
        let answered = answer.await.unwrap_or(Err(Fault::Closed));
        answered.map_err(|fault| -> BackendError { fault.into_error(operation) })
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        self.inbox.close();
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!("a thread of the store ended by a fault");
            }
        }
    }
}

fn read_all(connection: &Connection, inbox: &Inbox) {
    while let Some(mut job) = inbox.take_one() {
        let outcome = job.run(connection);
        job.answer(outcome);
    }
}
