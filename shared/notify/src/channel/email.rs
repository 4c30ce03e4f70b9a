//! E-mail: one message of plain text and HTML, by SMTP.

use std::fmt::Write as _;
use std::time::{Duration, SystemTime};

use heal_engine::notice::Notice;
use heal_engine::text::{chain, one_line};
use lettre::Message;
use lettre::message::{Mailbox, Mailboxes, MessageBuilder, MultiPart};
use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::{SMTP_PORT, SUBMISSION_PORT, SUBMISSIONS_PORT};
use sha2::{Digest as _, Sha256};
use url::Url;

use super::text::{cut, entities, plain};
use super::{Letter, SendError, TIMEOUT};

mod stream;

use stream::{Error, Security};

/// Characters of a subject.
const SUBJECT_CHARACTERS: usize = 200;
/// Characters of each text in the HTML.
const HTML_CHARACTERS: usize = 10_000;

/// Sends one message. The same notice has the same `Message-ID`, by which mailboxes recognise a repeated one.
pub(super) async fn send(letter: &Letter<'_>) -> Result<(), SendError> {
    let message = message(letter)?;
    let (host, port, security) = server(letter)?;
    let credentials = match letter.optional_secret("username").await? {
        Some(username) => {
            let password = letter.secret("password").await?;
            Some(Credentials::new(username.expose().to_owned(), password.expose().to_owned()))
        }
        None => None,
    };
    let sending = async {
        let mut connection = stream::connect(&host, port, security).await?;
        if let Some(credentials) = &credentials {
            connection.auth(DEFAULT_MECHANISMS, credentials).await?;
        }
        connection.send(message.envelope(), &message.formatted()).await?;
        // The message is taken, whatever the server says to this.
        let _ = connection.quit().await;
        Ok::<_, Error>(())
    };
    match tokio::time::timeout(TIMEOUT, sending).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(Error::Smtp(error))) if error.is_permanent() => {
            Err(SendError::Refused { detail: one_line(&chain(&error)) })
        }
        Ok(Err(error)) => Err(SendError::Unavailable { detail: one_line(&chain(&error)), retry_after: None }),
        Err(_) => {
            let detail = format!("the mail server did not answer within {} s", TIMEOUT.as_secs());
            Err(SendError::Unavailable { detail, retry_after: None })
        }
    }
}

/// Host, port and protection of the mail server.
fn server(letter: &Letter<'_>) -> Result<(String, u16, Security), SendError> {
    let text = letter.setting("server")?;
    let wrong = |observed: String| SendError::Setting { key: "server", observed };
    let url = Url::parse(text).map_err(|_| wrong(format!("{text:?}, not a URL")))?;
    let host = url.host_str().ok_or_else(|| wrong(format!("{text:?}, without a host")))?;
    let (security, port) = match url.scheme() {
        "smtp" => (Security::StartTls, SUBMISSION_PORT),
        "smtps" => (Security::Tls, SUBMISSIONS_PORT),
        "smtp+plain" => (Security::Plain, SMTP_PORT),
        other => return Err(wrong(format!("of the scheme {other:?}, expected smtp, smtps or smtp+plain"))),
    };
    // An IPv6 address is in brackets in a URL.
    let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    Ok((host, url.port().unwrap_or(port), security))
}

fn message(letter: &Letter<'_>) -> Result<Message, SendError> {
    let notice = letter.notice;
    let wrong = |key, error: String| SendError::Setting { key, observed: format!("not a list of mailboxes: {error}") };
    let from: Mailbox = letter.setting("from")?.parse().map_err(|error| wrong("from", format!("{error}")))?;
    let to: Mailboxes = letter.setting("to")?.parse().map_err(|error| wrong("to", format!("{error}")))?;
    let headers = |builder: MessageBuilder| to.iter().fold(builder, |builder, mailbox| builder.to(mailbox.clone()));
    let link = letter.link.as_deref();
    let message = headers(Message::builder().from(from))
        .date(SystemTime::UNIX_EPOCH + Duration::from_millis(letter.now.0))
        .message_id(Some(message_id(&notice.key)))
        .subject(cut(&one_line(&notice.title), SUBJECT_CHARACTERS))
        .multipart(MultiPart::alternative_plain_html(plain(notice, link), html(notice, link, letter.button())));
    message.map_err(|error| SendError::Refused { detail: one_line(&chain(&error)) })
}

fn message_id(key: &str) -> String {
    let mut id = String::from("<");
    for byte in Sha256::digest(key.as_bytes()).iter().take(16) {
        let _ = write!(id, "{byte:02x}");
    }
    id + "@notify.heal>"
}

fn html(notice: &Notice, link: Option<&str>, button: &str) -> String {
    let escape = |text: &str| entities(text, HTML_CHARACTERS);
    let mut html = format!("<!doctype html><html><body><h2>{}</h2>", escape(&notice.title));
    if !notice.detail.is_empty() {
        let _ = write!(html, "<p>{}</p>", escape(&notice.detail));
    }
    html.push_str("<table>");
    let severity = notice.severity.iter().map(|severity| ("severity", severity.as_str()));
    let facts = notice.facts.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    for (name, value) in severity.chain(facts) {
        let _ = write!(html, "<tr><th align=\"left\">{}</th><td>{}</td></tr>", escape(name), escape(value));
    }
    html.push_str("</table>");
    if let Some(link) = link {
        let _ = write!(html, "<p><a href=\"{}\">{button}</a></p>", escape(link));
    }
    html + "</body></html>"
}
