//! The writer thread and the reader pool: threads that run jobs on SQLite connections.
//!
//! SQLite's calls block, so they run on threads of their own, but for one short read at a time ([`crate::store::Store::look`]). A job is a closure over a connection; its caller awaits the answer. The
//! writer is one thread, which commits all waiting jobs in one transaction ([`writer`]); readers are several threads without a
//! transaction. Dropping the caller's future does not cancel its job.

mod job_queue;
mod writer;

use std::sync::Arc;
use std::thread::{self, JoinHandle};

use heal_runtime::port::{BackendError, Result};
use rusqlite::Connection;
use tokio::sync::oneshot;

use crate::error::JobError;
use crate::queue::InHand;
use job_queue::JobQueue;

/// One unit of work on a connection.
trait Job: Send {
    /// Runs the job. Called a second time, on the same connection, if the first call was rolled back.
    fn run(&mut self, connection: &Connection) -> std::result::Result<(), JobError>;

    /// Sends the outcome to the caller, once it is committed or rolled back.
    fn answer(self: Box<Self>, outcome: std::result::Result<(), JobError>);
}

struct Call<T, W> {
    work: W,
    value: Option<T>,
    reply: oneshot::Sender<std::result::Result<T, JobError>>,
}

impl<T, W> Job for Call<T, W>
where
    T: Send,
    W: FnMut(&Connection) -> std::result::Result<T, JobError> + Send,
{
    fn run(&mut self, connection: &Connection) -> std::result::Result<(), JobError> {
        self.value = None;
        self.value = Some((self.work)(connection)?);
        Ok(())
    }

    fn answer(self: Box<Self>, outcome: std::result::Result<(), JobError>) {
        let Self { value, reply, .. } = *self;
        // A caller that dropped its future needs no answer.
        let _ = reply.send(outcome.and_then(|()| value.ok_or(JobError::Closed)));
    }
}

/// Threads with a job queue. Dropping the pool runs the queued jobs, then ends the threads and closes their connections.
#[derive(Debug)]
pub(crate) struct Pool {
    queue: Arc<JobQueue>,
    threads: Vec<JoinHandle<()>>,
}

impl Pool {
    /// Starts the writer thread, which commits waiting jobs together.
    pub(crate) fn writer(connection: Connection, in_hand: InHand) -> std::io::Result<Self> {
        let work = move |connection: &Connection, queue: &JobQueue| writer::commit_all(connection, queue, &in_hand);
        Self::start(vec![connection], "store-write", work)
    }

    /// Starts one reader thread per connection.
    pub(crate) fn readers(connections: Vec<Connection>) -> std::io::Result<Self> {
        Self::start(connections, "store-read", read_all)
    }

    fn start<W>(connections: Vec<Connection>, name: &str, work: W) -> std::io::Result<Self>
    where
        W: Fn(&Connection, &JobQueue) + Clone + Send + 'static,
    {
        let queue = Arc::new(JobQueue::default());
        let mut pool = Self { queue: Arc::clone(&queue), threads: Vec::new() };
        for connection in connections {
            let (queue, work) = (Arc::clone(&queue), work.clone());
            let run = move || {
                // However the thread ends, every waiting caller gets an answer.
                let _closed = job_queue::CloseOnDrop(&queue);
                work(&connection, &queue);
            };
            pool.threads.push(thread::Builder::new().name(name.to_owned()).spawn(run)?);
        }
        Ok(pool)
    }

    /// Runs `work` on one of the pool's connections, and awaits its outcome.
    pub(crate) async fn call<T, W>(&self, operation: &'static str, work: W) -> Result<T>
    where
        T: Send + 'static,
        W: FnMut(&Connection) -> std::result::Result<T, JobError> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        self.queue.put(Box::new(Call { work, value: None, reply }));
        let answered = answer.await.unwrap_or(Err(JobError::Closed));
        answered.map_err(|error| -> BackendError { error.into_backend(operation) })
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.queue.close();
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!("a thread of the store panicked");
            }
        }
    }
}

fn read_all(connection: &Connection, queue: &JobQueue) {
    while let Some(mut job) = queue.take_one() {
        let outcome = job.run(connection);
        job.answer(outcome);
    }
}
