//! Links to approvals: they lead a person who has signed in to exactly one question, and approve nothing by themselves.

use std::fmt;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use heal_engine::notice::{Asked, Notice, NoticeEvent};
use heal_engine::{Digest, RunId, Timestamp};
use heal_runtime::AttemptResult;
use heal_runtime::port::{ClaimKey, ClaimRequest, ClaimStore, LeaseOwner, Reservation, Result};
use heal_telemetry::logs::rfc3339;
use serde::{Deserialize, Serialize};
use serde_json::json;
use url::Url;

/// The least number of bytes of the key: as many as the signature has.
pub const KEY_BYTES: usize = 32;
/// Bytes of the longest token that is read.
pub const TOKEN_BYTES: usize = 2_048;
/// Keeps a signature of another use of the same key from being one of a link.
const CONTEXT: &str = "heal-approval-link-1:";
/// How long the use of a link takes at most, in milliseconds.
const USE_MS: u64 = 30_000;

/// Makes links and reads their tokens.
pub struct Links {
    base: Url,
    key: Option<hmac::Key>,
}

/// The question that a link leads to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ticket {
    /// The run.
    #[serde(rename = "r")]
    pub run_id: RunId,
    /// The step's name; `None`: the run as a whole.
    #[serde(rename = "s", default, skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// The element of a step that fans out.
    #[serde(rename = "i", default, skip_serializing_if = "Option::is_none")]
    pub item: Option<u32>,
    /// What an answer is bound to: the digest of the parameters that were asked about when the link was made.
    #[serde(rename = "d")]
    pub digest: Digest,
    /// When the link ends.
    #[serde(rename = "e")]
    pub until: Timestamp,
    /// Names the link: the key of its notice.
    #[serde(rename = "n")]
    pub id: String,
}

/// Links that cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// The address of the console.
    #[error("the public address {observed:?} is not an http or https URL such as https://heal.example.org")]
    Address {
        /// The text.
        observed: String,
    },
    /// The key.
    #[error("the key of the approval links has {observed_bytes} bytes, at least {KEY_BYTES} bytes are needed")]
    Key {
        /// Its size.
        observed_bytes: usize,
    },
}

/// A token that leads nowhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadToken {
    /// Nobody who has the key made it, or it was changed.
    #[error(
        "the link is not one of this engine, or it is cut off; take it from the notification again, or use `heal approvals list`"
    )]
    Forged,
    /// Its time is over.
    #[error("the link expired at {}; `heal approvals list` shows what is open", rfc3339(until.0))]
    Expired {
        /// When it ended.
        until: Timestamp,
    },
}

impl fmt::Debug for Links {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Links").field("base", &self.base.as_str()).finish_non_exhaustive()
    }
}

impl Links {
    /// Links under `base`, the public address of the console. Without a key, notices lead to runs only.
    ///
    /// # Errors
    /// See [`Invalid`].
    pub fn new(base: &str, key: Option<&[u8]>) -> std::result::Result<Self, Invalid> {
        let address = || Invalid::Address { observed: base.to_owned() };
        let base = Url::parse(&format!("{}/", base.trim_end_matches('/'))).map_err(|_| address())?;
        if !matches!(base.scheme(), "http" | "https") || base.query().is_some() || base.fragment().is_some() {
            return Err(address());
        }
        if let Some(short) = key.filter(|key| key.len() < KEY_BYTES) {
            return Err(Invalid::Key { observed_bytes: short.len() });
        }
        Ok(Self { base, key: key.map(|key| hmac::Key::new(hmac::HMAC_SHA256, key)) })
    }

    /// The public address of the console.
    pub const fn base(&self) -> &Url {
        &self.base
    }

    /// Where `notice` leads: to the question that it asks, else to its run; a digest leads to the console.
    pub fn of(&self, notice: &Notice) -> Option<String> {
        if notice.event == NoticeEvent::Digest {
            return Some(self.base.to_string());
        }
        let run_id = notice.run_id.as_ref()?;
        let ticket = |asked: &Asked| Ticket {
            run_id: run_id.clone(),
            step: asked.step.clone(),
            item: asked.item,
            digest: asked.digest.clone(),
            until: asked.until,
            id: notice.key.clone(),
        };
        match notice.asked.as_ref().map(ticket).and_then(|ticket| self.approval(&ticket)) {
            Some(link) => Some(link),
            None => Some(self.under(["runs", run_id.as_str()])?.into()),
        }
    }

    /// The link to a question: `/approvals/RUN/STEP?token=…`, or `/approvals/RUN?token=…` for the run as a whole. `None` without a key.
    pub fn approval(&self, ticket: &Ticket) -> Option<String> {
        let token = self.token(ticket)?;
        let path = ["approvals", ticket.run_id.as_str()].into_iter().chain(ticket.step.as_deref());
        let mut url = self.under(path)?;
        url.query_pairs_mut().append_pair("token", &token);
        Some(url.into())
    }

    fn under<'p>(&self, path: impl IntoIterator<Item = &'p str>) -> Option<Url> {
        let mut url = self.base.clone();
        url.path_segments_mut().ok()?.pop_if_empty().extend(path);
        Some(url)
    }

    fn token(&self, ticket: &Ticket) -> Option<String> {
        let payload = URL_SAFE_NO_PAD.encode(serde_json::to_string(ticket).ok()?);
        let tag = hmac::sign(self.key.as_ref()?, format!("{CONTEXT}{payload}").as_bytes());
        Some(format!("{payload}.{}", URL_SAFE_NO_PAD.encode(tag)))
    }

    /// The question that a token leads to. It says nothing about who follows the link: the page has to ask that.
    ///
    /// # Errors
    /// See [`BadToken`].
    pub fn read(&self, token: &str, now: Timestamp) -> std::result::Result<Ticket, BadToken> {
        let key = self.key.as_ref().ok_or(BadToken::Forged)?;
        let (payload, tag) = token.split_once('.').filter(|_| token.len() <= TOKEN_BYTES).ok_or(BadToken::Forged)?;
        let tag = URL_SAFE_NO_PAD.decode(tag).map_err(|_| BadToken::Forged)?;
        hmac::verify(key, format!("{CONTEXT}{payload}").as_bytes(), &tag).map_err(|_| BadToken::Forged)?;
        let json = URL_SAFE_NO_PAD.decode(payload).map_err(|_| BadToken::Forged)?;
        let ticket: Ticket = serde_json::from_slice(&json).map_err(|_| BadToken::Forged)?;
        if now < ticket.until { Ok(ticket) } else { Err(BadToken::Expired { until: ticket.until }) }
    }
}

impl Ticket {
    /// Uses the link up, when a person decides by it: true once, and false ever after. `holder` is unique to the request.
    ///
    /// # Errors
    /// The store cannot be written; the link may be used up then.
    pub async fn spend(&self, claims: &dyn ClaimStore, holder: &str, now: Timestamp) -> Result<bool> {
        let key = self.claim_key();
        let holder = LeaseOwner(holder.to_owned());
        let request = ClaimRequest::new(key.clone(), holder.clone(), now, now.plus_ms(USE_MS));
        let request = ClaimRequest { intent: Some(json!({"used": true})), ..request };
        match claims.reserve(&request).await? {
            Reservation::Held { recovered: false, .. } => {
                claims.finish(&key, &holder, now, &AttemptResult::succeeded(heal_engine::Map::new()), &[]).await?;
                Ok(true)
            }
            Reservation::Held { .. } | Reservation::Busy { .. } | Reservation::Finished(_) => Ok(false),
        }
    }

    /// Whether the link was used.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn is_spent(&self, claims: &dyn ClaimStore) -> Result<bool> {
        Ok(claims.intent(&self.claim_key()).await?.is_some())
    }

    fn claim_key(&self) -> ClaimKey {
        ClaimKey { action: "approval-link".to_owned(), attempt: self.id.clone() }
    }
}

#[cfg(test)]
mod tests {
    use heal_engine::notice::NoticeEvent;
    use heal_testkit::memory::{Claims, Faults};

    use super::*;

    const KEY: [u8; KEY_BYTES] = [7; KEY_BYTES];

    fn ticket() -> Ticket {
        Ticket {
            run_id: RunId::new("run-1"),
            step: Some("restart pod".to_owned()),
            item: Some(3),
            digest: Digest::of(b"parameters"),
            until: Timestamp(2_000),
            id: "run-1:4:approval_requested".to_owned(),
        }
    }

    fn token_of(link: &str) -> String {
        let url = Url::parse(link).unwrap();
        let (_, token) = url.query_pairs().find(|(name, _)| name == "token").unwrap();
        token.into_owned()
    }

    #[test]
    fn a_link_leads_to_its_question_until_it_expires() {
        let links = Links::new("https://heal.example.org/ops/", Some(&KEY)).unwrap();
        let link = links.approval(&ticket()).unwrap();
        assert!(link.starts_with("https://heal.example.org/ops/approvals/run-1/restart%20pod?token="), "{link}");
        let token = token_of(&link);
        assert_eq!(links.read(&token, Timestamp(1_999)), Ok(ticket()));
        assert_eq!(links.read(&token, Timestamp(2_000)), Err(BadToken::Expired { until: Timestamp(2_000) }));
    }

    #[test]
    fn a_changed_token_and_one_of_another_key_lead_nowhere() {
        let links = Links::new("http://localhost:8080", Some(&KEY)).unwrap();
        let token = token_of(&links.approval(&ticket()).unwrap());
        let (payload, tag) = token.split_once('.').unwrap();
        let other = Ticket { digest: Digest::of(b"others"), ..ticket() };
        let other = URL_SAFE_NO_PAD.encode(serde_json::to_string(&other).unwrap());
        for forged in ["", ".", payload, &format!("{payload}."), &format!("{other}.{tag}"), &"a.".repeat(TOKEN_BYTES)] {
            assert_eq!(links.read(forged, Timestamp(1)), Err(BadToken::Forged), "{forged}");
        }
        let others = Links::new("http://localhost:8080", Some(&[8; KEY_BYTES])).unwrap();
        assert_eq!(others.read(&token, Timestamp(1)), Err(BadToken::Forged));
        assert_eq!(Links::new("http://h", None).unwrap().read(&token, Timestamp(1)), Err(BadToken::Forged));
    }

    #[tokio::test]
    async fn a_link_is_used_once() {
        let claims = Claims::new(Faults::default());
        assert!(!ticket().is_spent(&claims).await.unwrap());
        assert!(ticket().spend(&claims, "a", Timestamp(1)).await.unwrap());
        assert!(ticket().is_spent(&claims).await.unwrap());
        assert!(!ticket().spend(&claims, "b", Timestamp(2)).await.unwrap());
        assert!(!ticket().spend(&claims, "a", Timestamp(3)).await.unwrap());
    }

    #[test]
    fn without_a_key_a_notice_leads_to_its_run_only() {
        let links = Links::new("http://localhost:8080", None).unwrap();
        let asked = Asked { step: None, item: None, digest: Digest::of(b"x"), until: Timestamp(9) };
        let notice = Notice::new(NoticeEvent::ApprovalRequested, "run-1", Timestamp(1), "t".to_owned());
        let notice = Notice { run_id: Some(RunId::new("run-1")), asked: Some(asked), ..notice };
        assert_eq!(links.of(&notice).unwrap(), "http://localhost:8080/runs/run-1");
        assert_eq!(links.of(&Notice { run_id: None, ..notice }), None);
    }

    #[test]
    fn a_short_key_and_another_scheme_are_refused() {
        let short = Links::new("http://h", Some(b"short")).unwrap_err().to_string();
        assert_eq!(short, "the key of the approval links has 5 bytes, at least 32 bytes are needed");
        for text in ["", "heal.example.org", "ftp://h", "https://h/?a=b"] {
            assert!(matches!(Links::new(text, None), Err(Invalid::Address { .. })), "{text}");
        }
    }
}
