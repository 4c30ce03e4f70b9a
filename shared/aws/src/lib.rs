//! AWS adapters: the ports on DynamoDB and SQS, secrets, and access to EKS clusters.
//!
//! Every call has a deadline and a limit on the bytes read ([`limit`]), uses no proxy from the environment and follows no redirect.
//! `AWS_ENDPOINT_URL` and its form per service (`AWS_ENDPOINT_URL_STS`) override the endpoints of all calls, including those without an
//! SDK client.
//!
//! The crate does not know the clients that use it; `heal-wiring` connects them. No SDK type is in a public signature. Start at
//! [`Session`], then [`Store`] and [`Queues`].

#![warn(missing_docs)]

pub mod eks;
mod error;
mod http;
pub mod limit;
pub mod queue;
pub mod secrets;
mod session;
mod sign;
pub mod sns;
mod store;
pub mod variables;

pub use error::Error;
use heal_runtime::text;
pub use queue::{QueueUrls, Queues};
pub use session::Session;
#[cfg(feature = "host")]
pub use session::{AwsOverrides, Keys};
pub use store::Store;
#[cfg(feature = "fuzz")]
pub use store::decode::Reading;
