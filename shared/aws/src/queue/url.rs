//! URLs of a stack's queues.

use heal_runtime::port::QueueName;

use crate::error::Error;

/// The prefix of the URLs of a stack's queues, such as `https://sqs.eu-central-1.amazonaws.com/123456789012/heal-`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueUrls {
    prefix: String,
}

impl QueueUrls {
    /// Parses a prefix; `field` is the setting that it comes from.
    ///
    /// # Errors
    /// [`Error::Invalid`]: not a URL of an account and the beginning of a queue's name.
    pub fn parse(field: &'static str, prefix: &str) -> Result<Self, Error> {
        let url = crate::session::parse_endpoint(field, prefix)?;
        let parts: Vec<&str> = url.path().trim_start_matches('/').split('/').collect();
        if let [account, name] = parts.as_slice()
            && !account.is_empty()
            && !name.is_empty()
        {
            return Ok(Self { prefix: prefix.to_owned() });
        }
        let problem = format!(
            "{prefix:?} is not a prefix of queue URLs, such as https://sqs.REGION.amazonaws.com/ACCOUNT/STACK-"
        );
        Err(Error::Invalid { field, problem })
    }

    /// The prefix as it was parsed.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// The URL of a queue.
    pub fn url_of(&self, queue: &QueueName) -> String {
        format!("{}{queue}", self.prefix)
    }

    /// The URL of the queue's dead-letter queue, which the dispatcher reads.
    pub fn dead_letter_url_of(&self, queue: &QueueName) -> String {
        format!("{}{queue}-dead", self.prefix)
    }

    /// The URL of the parking queue, for messages that cannot be processed.
    pub fn parked(&self) -> String {
        format!("{}dead", self.prefix)
    }

    /// The queue with this ARN or URL, and whether it is that queue's dead-letter queue. `None` for a queue of another stack.
    pub fn parse_source(&self, arn_or_url: &str) -> Option<(QueueName, bool)> {
        let name = arn_or_url.rsplit([':', '/']).next()?;
        let stem = self.prefix.rsplit('/').next()?;
        let own = name.strip_prefix(stem)?;
        match own.strip_suffix("-dead") {
            Some(work) => QueueName::parse(work).map(|queue| (queue, true)),
            None => QueueName::parse(own).map(|queue| (queue, false)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PREFIX: &str = "https://sqs.eu-central-1.amazonaws.com/123456789012/heal-";

    #[test]
    fn every_queue_has_its_url_and_is_known_by_its_arn() {
        let urls = QueueUrls::parse("HEAL_QUEUE_URL_PREFIX", PREFIX).unwrap();
        let action = QueueName::Action("restart_pod".to_owned());
        assert_eq!(urls.url_of(&action), format!("{PREFIX}action-restart_pod"));
        assert_eq!(urls.dead_letter_url_of(&QueueName::Results), format!("{PREFIX}results-dead"));
        assert_eq!(urls.parked(), format!("{PREFIX}dead"));
        for (name, expected) in [
            ("heal-incidents", Some((QueueName::Incidents, false))),
            ("heal-action-restart_pod-dead", Some((action, true))),
            ("heal-dead", None),
            ("other-incidents", None),
        ] {
            assert_eq!(urls.parse_source(&format!("arn:aws:sqs:eu-central-1:123456789012:{name}")), expected, "{name}");
        }
    }

    #[test]
    fn a_wrong_prefix_is_refused_with_its_setting() {
        for wrong in ["", "heal-", "https://sqs.eu-central-1.amazonaws.com/", "https://host/123/", "https://host/a/b/c"]
        {
            let error = QueueUrls::parse("HEAL_QUEUE_URL_PREFIX", wrong).unwrap_err().to_string();
            assert!(error.starts_with("HEAL_QUEUE_URL_PREFIX: "), "{error}");
        }
    }
}
