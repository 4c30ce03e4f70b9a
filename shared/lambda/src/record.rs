//! A record of an event source as a delivery.

use aws_lambda_events::sqs::SqsMessage;
use heal_aws::QueueUrls;
use heal_aws::queue::TRACEPARENT;
use heal_runtime::port::{Delivery, QueueName};

use crate::error::BatchError;

/// The queue that a batch is from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Source {
    pub queue: QueueName,
    /// True: the batch is from the dead-letter queue of `queue`.
    pub is_dead: bool,
}

impl Source {
    /// The source of a batch; `None` if it is empty. All records are from one queue, since an event source mapping polls one.
    ///
    /// # Errors
    /// The queue is not one of this stack.
    pub(crate) fn of(urls: &QueueUrls, records: &[SqsMessage]) -> Result<Option<Self>, BatchError> {
        let Some(first) = records.first() else { return Ok(None) };
        let arn = first.event_source_arn.clone().unwrap_or_default();
        match urls.parse_source(&arn) {
            Some((queue, is_dead)) => Ok(Some(Self { queue, is_dead })),
            None => Err(BatchError::ForeignSource(arn)),
        }
    }

    pub(crate) fn url(&self, urls: &QueueUrls) -> String {
        if self.is_dead { urls.dead_letter_url_of(&self.queue) } else { urls.url_of(&self.queue) }
    }
}

/// The kind of the identities that SQS attests: the id of the IAM principal that sent the message, as `iam:AIDA…` or `iam:AROA…:session`.
const IAM: &str = "iam:";

/// The record as a delivery. The trace comes from the attribute of the engine's own messages, else from that of X-Ray.
pub(crate) fn delivery(record: SqsMessage) -> Delivery {
    let attribute = |name: &str| record.attributes.get(name).cloned();
    let sent = record.message_attributes.get(TRACEPARENT).and_then(|value| value.string_value.clone());
    let traceparent =
        sent.or_else(|| attribute("AWSTraceHeader").and_then(|header| heal_telemetry::trace::from_xray(&header)));
    Delivery {
        receive_count: attribute("ApproximateReceiveCount").and_then(|count| count.parse().ok()).unwrap_or(1),
        traceparent,
        sender: attribute("SenderId").and_then(|id| identity(&id)),
        receipt: record.receipt_handle.unwrap_or_default(),
        message_id: record.message_id.unwrap_or_default(),
        body: record.body.unwrap_or_default(),
    }
}

/// Nobody for an account's bare number: that is its root user, and every sender of a local AWS.
fn identity(sender_id: &str) -> Option<String> {
    let is_account = sender_id.chars().all(|c| c.is_ascii_digit());
    (!is_account).then(|| format!("{IAM}{sender_id}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records(arn: &str) -> Vec<SqsMessage> {
        let record = serde_json::json!({
            "messageId": "m-1", "receiptHandle": "r-1", "body": "{}", "eventSourceARN": arn,
            "attributes": {"ApproximateReceiveCount": "3", "SenderId": "AROAEXAMPLE:anna", "AWSTraceHeader": "Root=1-4bf92f35-77b34da6a3ce929d0e0e4736;Parent=c059e99ae478e48e;Sampled=1"},
        });
        vec![serde_json::from_value(record).unwrap()]
    }

    #[test]
    fn a_batch_is_known_by_its_queue() {
        let urls = QueueUrls::parse("prefix", "https://sqs.eu-central-1.amazonaws.com/1/heal-").unwrap();
        let source = Source::of(&urls, &records("arn:aws:sqs:eu-central-1:1:heal-results-dead")).unwrap().unwrap();
        assert_eq!(source, Source { queue: QueueName::Results, is_dead: true });
        assert_eq!(source.url(&urls), "https://sqs.eu-central-1.amazonaws.com/1/heal-results-dead");
        let error = Source::of(&urls, &records("arn:aws:sqs:eu-central-1:1:other")).unwrap_err();
        assert!(error.to_string().contains("eu-central-1:1:other"), "{error}");
        assert_eq!(Source::of(&urls, &[]).unwrap(), None);
    }

    #[test]
    fn a_record_keeps_its_names_its_count_its_sender_and_its_trace() {
        let delivery = delivery(records("x").remove(0));
        assert_eq!(
            (delivery.message_id.as_str(), delivery.receipt.as_str(), delivery.receive_count),
            ("m-1", "r-1", 3)
        );
        assert_eq!(delivery.sender.as_deref(), Some("iam:AROAEXAMPLE:anna"));
        assert_eq!((identity("000000000000"), identity("")), (None, None));
        assert_eq!(delivery.traceparent.as_deref(), Some("00-4bf92f3577b34da6a3ce929d0e0e4736-c059e99ae478e48e-01"));
    }
}
