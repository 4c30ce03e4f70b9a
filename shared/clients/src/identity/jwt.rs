//! JWT-SVIDs, as opaque tokens with an expiry.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A bearer token for one audience.
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

/// A token this close to its expiry is not used: it would expire during the call.
const EXPIRY_MARGIN: Duration = Duration::from_secs(10);

impl JwtSvid {
    /// The token, for the `authorization` header after `Bearer `.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// The `exp` claim.
    pub fn expires_at(&self) -> SystemTime {
        self.expires_at
    }

    /// Reads the expiry from the token. The signature is not verified: the server does that.
    pub(super) fn parse(token: &str) -> Result<Self, String> {
        let svid = spiffe::JwtSvid::parse_insecure(token).map_err(|error| error.to_string())?;
        Ok(Self::from_spiffe(&svid))
    }

    pub(super) fn from_spiffe(svid: &spiffe::JwtSvid) -> Self {
        let end = u64::try_from(svid.expiry().unix_timestamp()).unwrap_or(0);
        Self { token: svid.token().to_owned(), expires_at: UNIX_EPOCH + Duration::from_secs(end) }
    }

    pub(super) fn is_usable(&self, now: SystemTime) -> bool {
        now + EXPIRY_MARGIN < self.expires_at
    }
}
