//! Whether a delivery is from whom it claims: HMAC-SHA256 over its body, and a window of time.
//!
//! | source | header | signed |
//! |---|---|---|
//! | `pagerduty` | `X-PagerDuty-Signature: v1=HEX[,v1=HEX]` | the body |
//! | `grafana` | `X-Grafana-Alerting-Signature: HEX` with `X-Grafana-Alerting-Timestamp: SECONDS` | `SECONDS:BODY` |
//! | `cloudevents`, `generic` | `X-Heal-Signature: t=SECONDS,v1=HEX[,v1=HEX]` | `SECONDS.BODY` |

use std::collections::BTreeMap;

use aws_lc_rs::hmac;
use heal_engine::Timestamp;
use heal_engine::id::Digest;

use crate::limit;
use crate::read::Headers;
use crate::source::Source;

const HEAL: &str = "x-heal-signature";
const PAGERDUTY: &str = "x-pagerduty-signature";
const GRAFANA: &str = "x-grafana-alerting-signature";
const GRAFANA_TIME: &str = "x-grafana-alerting-timestamp";

/// The secrets of a source.
#[derive(Clone)]
pub struct Secrets {
    /// The current one first, then those that it replaces.
    pub keys: Vec<String>,
    /// Seconds that the time of a signed delivery may be away from ours.
    pub window_seconds: u64,
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Secrets").field("keys", &self.keys.len()).field("window_seconds", &self.window_seconds).finish()
    }
}

/// Verifies deliveries. It has no memory: whoever takes a delivery remembers [`Verified`].
#[derive(Debug)]
pub struct Verifier {
    secrets: BTreeMap<Source, Secrets>,
}

/// A delivery with a valid signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// Of what is signed, so that the same delivery has the same digest by whichever of its signatures it is verified.
    pub digest: Digest,
}

/// Why a delivery is refused. The text is for its sender, and gives nothing away.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The header is missing.
    #[error("header {header} is missing, expected {form}")]
    Missing {
        /// The header's name.
        header: &'static str,
        /// Its form.
        form: &'static str,
    },
    /// The header has another form.
    #[error("header {header} has another form, expected {form}")]
    Malformed {
        /// The header's name.
        header: &'static str,
        /// Its form.
        form: &'static str,
    },
    /// No secret gives this signature for this body.
    #[error("the signature does not fit the body")]
    Wrong,
    /// It was signed too long ago, or too far in the future.
    #[error("the delivery was signed {away_seconds} s away from now, the limit is {window_seconds} s")]
    OutsideWindow {
        /// How far away.
        away_seconds: u64,
        /// The limit.
        window_seconds: u64,
    },
    /// The same delivery was taken before.
    #[error("this delivery was taken before")]
    Replayed,
}

impl Refused {
    /// The word of the metric.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Missing { .. } => "unsigned",
            Self::Malformed { .. } => "malformed_signature",
            Self::Wrong => "wrong_signature",
            Self::OutsideWindow { .. } => "outside_window",
            Self::Replayed => "replayed",
        }
    }
}

impl Verifier {
    /// Verifies the sources that have secrets.
    pub fn new(secrets: BTreeMap<Source, Secrets>) -> Self {
        Self { secrets }
    }

    /// Whether deliveries of `source` have to be signed.
    pub fn is_signed(&self, source: Source) -> bool {
        self.secrets.contains_key(&source)
    }

    /// `None` if the source has no secret: then the caller has to be known in another way.
    ///
    /// # Errors
    /// The signature is missing or wrong, or the delivery is too old.
    pub fn verify(
        &self,
        source: Source,
        headers: &Headers,
        body: &[u8],
        now: Timestamp,
    ) -> Result<Option<Verified>, Refused> {
        let Some(secrets) = self.secrets.get(&source) else { return Ok(None) };
        let signed = Signed::read(source, headers)?;
        let message = signed.message(source, body);
        let is_signed = |signature: &Vec<u8>| secrets.keys.iter().any(|key| fits(key, &message, signature));
        if !signed.signatures.iter().any(is_signed) {
            return Err(Refused::Wrong);
        }
        if let Some(at) = signed.seconds {
            let away_seconds = at.abs_diff(now.0 / 1_000);
            if away_seconds > secrets.window_seconds {
                return Err(Refused::OutsideWindow { away_seconds, window_seconds: secrets.window_seconds });
            }
        }
        Ok(Some(Verified { digest: Digest::of(&message) }))
    }
}

/// The value of `X-Heal-Signature` for a delivery to `cloudevents` or `generic`, signed `seconds` after 1970.
pub fn sign(secret: &str, seconds: u64, body: &[u8]) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let message = [format!("{seconds}.").as_bytes(), body].concat();
    format!("t={seconds},v1={}", hex(hmac::sign(&key, &message).as_ref()))
}

/// What the headers say.
#[derive(Debug)]
struct Signed<'h> {
    /// Seconds since 1970, with the text that is signed.
    seconds: Option<u64>,
    time: &'h str,
    signatures: Vec<Vec<u8>>,
}

impl<'h> Signed<'h> {
    fn read(source: Source, headers: &'h Headers) -> Result<Self, Refused> {
        match source {
            Source::Pagerduty => {
                let form = "v1=HEX";
                let text = headers.get(PAGERDUTY).ok_or(Refused::Missing { header: PAGERDUTY, form })?;
                let signatures = signatures(text).ok_or(Refused::Malformed { header: PAGERDUTY, form })?;
                Ok(Self { seconds: None, time: "", signatures })
            }
            Source::Grafana => {
                let form = "64 hexadecimal digits";
                let text = headers.get(GRAFANA).ok_or(Refused::Missing { header: GRAFANA, form })?;
                let signature = unhex(text.trim()).ok_or(Refused::Malformed { header: GRAFANA, form })?;
                let form = "seconds since 1970";
                let time = headers.get(GRAFANA_TIME).ok_or(Refused::Missing { header: GRAFANA_TIME, form })?;
                let seconds = time.trim().parse().map_err(|_| Refused::Malformed { header: GRAFANA_TIME, form })?;
                Ok(Self { seconds: Some(seconds), time, signatures: vec![signature] })
            }
            Source::Cloudevents | Source::Generic | Source::Alertmanager => {
                let form = "t=SECONDS,v1=HEX";
                let malformed = || Refused::Malformed { header: HEAL, form };
                let text = headers.get(HEAL).ok_or(Refused::Missing { header: HEAL, form })?;
                let time = text.split(',').find_map(|part| part.trim().strip_prefix("t=")).ok_or_else(malformed)?;
                let seconds = time.parse().map_err(|_| malformed())?;
                Ok(Self { seconds: Some(seconds), time, signatures: signatures(text).ok_or_else(malformed)? })
            }
        }
    }

    /// The bytes that are signed.
    fn message(&self, source: Source, body: &[u8]) -> Vec<u8> {
        let separator: &[u8] = match source {
            Source::Pagerduty => return body.to_vec(),
            Source::Grafana => b":",
            Source::Alertmanager | Source::Cloudevents | Source::Generic => b".",
        };
        [self.time.as_bytes(), separator, body].concat()
    }
}

/// The signatures of version 1; `None` if there is none, or one is not hexadecimal.
fn signatures(text: &str) -> Option<Vec<Vec<u8>>> {
    let parts = text.split(',').filter_map(|part| part.trim().strip_prefix("v1="));
    let signatures: Option<Vec<_>> = parts.take(limit::SECRETS).map(unhex).collect();
    signatures.filter(|signatures| !signatures.is_empty())
}

fn fits(key: &str, message: &[u8], signature: &[u8]) -> bool {
    hmac::verify(&hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes()), message, signature).is_ok()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    const DIGITS: usize = 64;
    if text.len() != DIGITS {
        return None;
    }
    (0..DIGITS).step_by(2).map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok()).collect()
}

fn hex(bytes: &[u8]) -> String {
    heal_engine::id::Digest::from_bytes(bytes).as_str().to_owned()
}

#[cfg(test)]
mod tests;
