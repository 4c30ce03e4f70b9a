//! EKS: a cluster's endpoint, and tokens to authenticate with.
//!
//! A token needs no call: it is a presigned STS request, which the cluster makes to learn the caller's identity.

mod describe;
mod token;

use std::fmt;

pub use describe::{Cluster, describe};
pub use token::{Token, Tokens};

use crate::error::Error;
use crate::limit::MAX_CLUSTER_NAME_CHARS;

/// The name of a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterName(String);

impl ClusterName {
    /// Parses a name.
    ///
    /// # Errors
    /// [`Error::Invalid`] of `EKS_CLUSTER_NAME`; allowed are letters, digits, `-` and `_`, the first one a letter or digit (EKS API, `CreateCluster`).
    pub fn parse(text: &str) -> Result<Self, Error> {
        let is_name = text.len() <= MAX_CLUSTER_NAME_CHARS
            && text.starts_with(|first: char| first.is_ascii_alphanumeric())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
        if is_name {
            return Ok(Self(text.to_owned()));
        }
        let problem = format!(
            "{text:?} is not a cluster's name; expected at most {MAX_CLUSTER_NAME_CHARS} of a-z, A-Z, 0-9, - and _, starting with a letter or digit"
        );
        Err(Error::Invalid { field: "EKS_CLUSTER_NAME", problem })
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ClusterName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_would_change_a_path_or_a_header_is_refused() {
        let longest = "x".repeat(MAX_CLUSTER_NAME_CHARS);
        for name in ["prod", "7-a_B", &longest] {
            assert_eq!(ClusterName::parse(name).unwrap().as_str(), name);
        }
        for wrong in ["", "-a", "_a", "a/b", "../a", "a%2e", "a b", "a\r\nb", "ä", &format!("{longest}x")] {
            let error = ClusterName::parse(wrong).unwrap_err().to_string();
            assert!(error.starts_with(&format!("EKS_CLUSTER_NAME: {wrong:?} is not ")), "{error}");
        }
    }
}
