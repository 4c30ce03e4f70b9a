//! Names of deliveries: the message's number and its turn.

use std::fmt;

/// One delivery of one message. A turn never comes twice in a message's life, not even after a redrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Receipt {
    pub id: i64,
    pub turn: i64,
}

impl Receipt {
    /// None for what this store has not made.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (id, turn) = text.split_once('.')?;
        Some(Self { id: number(id)?, turn: number(turn)? })
    }
}

impl fmt::Display for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.id, self.turn)
    }
}

/// Digits only: a number has one spelling but for leading zeros, and those this store does not write.
pub(super) fn number(text: &str) -> Option<i64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}
