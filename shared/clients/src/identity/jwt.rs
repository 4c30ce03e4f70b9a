//! JWT-SVIDs, as opaque tokens with an end.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A token for one audience.
#[derive(Clone)]
pub struct JwtSvid {
    token: String,
    expires_at: SystemTime,
}

impl fmt::Debug for JwtSvid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JwtSvid").field("expires_at", &self.expires_at).finish_non_exhaustive()
    }
}

/// A token is not used in the last part of its life: the call that carries it takes time too.
const MARGIN: Duration = Duration::from_secs(10);

impl JwtSvid {
    /// For the `authorization` header, after `Bearer `.
    pub fn token(&self) -> &str {
        &self.token
    }

    pub fn expires_at(&self) -> SystemTime {
        self.expires_at
    }

    /// Reads the end off the token itself. Its signature is the server's concern.
    pub(super) fn parse(token: &str) -> Result<Self, String> {
        let svid = spiffe::JwtSvid::parse_insecure(token).map_err(|error| error.to_string())?;
        Ok(Self::of(&svid))
    }

    pub(super) fn of(svid: &spiffe::JwtSvid) -> Self {
        let end = u64::try_from(svid.expiry().unix_timestamp()).unwrap_or(0);
        Self { token: svid.token().to_owned(), expires_at: UNIX_EPOCH + Duration::from_secs(end) }
    }

    pub(super) fn is_usable(&self, now: SystemTime) -> bool {
        now + MARGIN < self.expires_at
    }
}
