//! A buffer of ended spans, which a flush empties.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use heal_engine::secret::hide_text;
use opentelemetry::trace::Status;
use opentelemetry::{Context, KeyValue, Value};
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{Span, SpanData, SpanProcessor};
use tokio::sync::Notify;

/// Most spans buffered between two flushes; a run of the guide's playbook makes about twenty.
pub(super) const CAPACITY: usize = 8_192;

/// Holds spans in the order in which they ended. When [`CAPACITY`] is reached, new spans are dropped and counted.
#[derive(Debug, Clone, Default)]
pub(super) struct SpanBuffer(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    ended: Mutex<Ended>,
    half_full: Notify,
}

#[derive(Debug, Default)]
struct Ended {
    spans: VecDeque<SpanData>,
    dropped: usize,
}

impl SpanBuffer {
    /// Removes up to `max` spans, oldest first.
    pub(super) fn take(&self, max: usize) -> Vec<SpanData> {
        let mut ended = self.0.ended.lock().unwrap_or_else(PoisonError::into_inner);
        let count = max.min(ended.spans.len());
        ended.spans.drain(..count).collect()
    }

    /// The number of spans dropped since the last call.
    pub(super) fn take_dropped(&self) -> usize {
        let mut ended = self.0.ended.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut ended.dropped)
    }

    /// Resolves when the buffer is half full.
    pub(super) async fn half_full(&self) {
        self.0.half_full.notified().await;
    }
}

/// Hides the secrets of texts, such as those in a service's error.
fn hide(attributes: &mut [KeyValue]) {
    for attribute in attributes {
        if let Value::String(text) = &attribute.value
            && let Cow::Owned(safe) = hide_text(text.as_str())
        {
            attribute.value = Value::from(safe);
        }
    }
}

impl SpanProcessor for SpanBuffer {
    fn on_start(&self, _: &mut Span, _: &Context) {}

    fn on_end(&self, mut span: SpanData) {
        hide(&mut span.attributes);
        span.events.events.iter_mut().for_each(|event| hide(&mut event.attributes));
        if let Status::Error { description } = &span.status
            && let Cow::Owned(safe) = hide_text(description)
        {
            span.status = Status::error(safe);
        }
        let mut ended = self.0.ended.lock().unwrap_or_else(PoisonError::into_inner);
        if ended.spans.len() >= CAPACITY {
            ended.dropped += 1;
            return;
        }
        ended.spans.push_back(span);
        if ended.spans.len() == CAPACITY / 2 {
            self.0.half_full.notify_one();
        }
    }

    /// Does nothing: [`super::Telemetry::flush`] sends the spans.
    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }
}
