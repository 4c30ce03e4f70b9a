//! Unwraps the envelopes of a message.

use serde_json::Value;

use super::alarm::{self, Alarm};
use super::field::{has, text};
use super::{ENVELOPES, IntakeError, Via, json, path};
use crate::Map;
use crate::template::brief;

/// The content of the envelopes.
#[derive(Debug)]
pub(super) enum Content {
    Alarm(Alarm),
    Fields { fields: Map, path: String, via: Via },
}

/// The kind of envelope that one JSON object is.
#[derive(Debug)]
enum Layer {
    Alarm(&'static alarm::Layout),
    EventBridge,
    Sns,
    /// SNS asks to confirm a subscription or its end.
    SnsConfirmation,
    /// Not an envelope.
    Bare,
}

/// # Errors
/// The text, or a text inside it, is not a JSON object; too many envelopes; or an alarm that is not an incident or has
/// wrong fields.
pub(super) fn open(message: &str) -> Result<Content, IntakeError> {
    let (mut fields, mut path, mut via) = (json::object(message, "")?, String::new(), Via::Direct);
    for _ in 0..=ENVELOPES {
        match Layer::detect(&fields) {
            Layer::Bare => return Ok(Content::Fields { fields, path, via }),
            Layer::Alarm(layout) => return alarm::read(fields, layout, &path).map(Content::Alarm),
            Layer::SnsConfirmation => return Err(confirmation(&fields)),
            Layer::EventBridge => {
                path = path::join(&path, "detail");
                fields = match fields.remove("detail") {
                    Some(Value::Object(detail)) => detail,
                    other => return Err(IntakeError::field(path, brief(&other.unwrap_or_default()), "an object")),
                };
                via = Via::EventBridge;
            }
            Layer::Sns => {
                path = path::join(&path, "Message");
                fields = match fields.remove("Message") {
                    Some(Value::String(message)) => json::object(&message, &path)?,
                    other => {
                        return Err(IntakeError::field(
                            path,
                            brief(&other.unwrap_or_default()),
                            "a string that is JSON",
                        ));
                    }
                };
                via = Via::Sns;
            }
        }
    }
    Err(IntakeError::TooManyEnvelopes { path })
}

impl Layer {
    fn detect(fields: &Map) -> Self {
        if let Some(layout) = alarm::layout(fields) {
            return Self::Alarm(layout);
        }
        if has(fields, "detail-type") && has(fields, "detail") {
            return Self::EventBridge;
        }
        match text(fields, "Type") {
            Some("Notification") if has(fields, "Message") => Self::Sns,
            Some("SubscriptionConfirmation" | "UnsubscribeConfirmation") if has(fields, "TopicArn") => {
                Self::SnsConfirmation
            }
            _ => Self::Bare,
        }
    }
}

fn confirmation(fields: &Map) -> IntakeError {
    let kind = text(fields, "Type").unwrap_or_default();
    let topic = text(fields, "TopicArn").unwrap_or_default();
    IntakeError::not_an_incident(format!("{kind} of the SNS topic {topic:?}, which a person has to confirm"))
}
