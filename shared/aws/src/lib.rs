//! What the engine has from AWS: the ports on DynamoDB and SQS, secrets, and a way into EKS clusters.
//!
//! Every call has a deadline and a bound on what is read, no proxy from the environment, no redirect followed, and one repetition at
//! most ([`limit`]). `AWS_ENDPOINT_URL` and its form per service (`AWS_ENDPOINT_URL_STS`) say where calls go, also those that the SDK
//! has no client for.
//!
//! It deliberately does not know the clients that use it: whoever puts a program together hands the functions here to them.
//! No type of the SDK is in a public signature. Start at [`Session`], then [`Store`] and [`Queues`].

pub mod eks;
mod error;
mod http;
pub mod limit;
pub mod queue;
pub mod secrets;
mod session;
mod sign;
mod store;
mod text;
pub mod variables;

pub use error::Error;
pub use queue::{QueueUrls, Queues};
pub use session::Session;
#[cfg(feature = "host")]
pub use session::{AwsOverrides, Keys};
pub use store::Store;
