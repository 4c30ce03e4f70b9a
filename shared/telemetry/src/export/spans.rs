//! Spans that have ended, until a flush takes them.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use opentelemetry::Context;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{Span, SpanData, SpanProcessor};
use tokio::sync::Notify;

/// Spans kept between two flushes; a run of the guide's playbook makes about twenty.
pub(super) const SPANS: usize = 8_192;

/// Keeps spans in the order in which they ended. Beyond [`SPANS`] the newest are dropped, and counted.
#[derive(Debug, Clone, Default)]
pub(super) struct Kept(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    kept: Mutex<Ended>,
    half_full: Notify,
}

#[derive(Debug, Default)]
struct Ended {
    spans: VecDeque<SpanData>,
    dropped: usize,
}

impl Kept {
    /// Up to `max` spans, oldest first.
    pub(super) fn take(&self, max: usize) -> Vec<SpanData> {
        let mut ended = self.0.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let count = max.min(ended.spans.len());
        ended.spans.drain(..count).collect()
    }

    /// How many were dropped since this was asked last.
    pub(super) fn dropped(&self) -> usize {
        let mut ended = self.0.kept.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut ended.dropped)
    }

    /// Resolves when half the room is used.
    pub(super) async fn half_full(&self) {
        self.0.half_full.notified().await;
    }
}

impl SpanProcessor for Kept {
    fn on_start(&self, _: &mut Span, _: &Context) {}

    fn on_end(&self, span: SpanData) {
        let mut ended = self.0.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if ended.spans.len() >= SPANS {
            ended.dropped += 1;
            return;
        }
        ended.spans.push_back(span);
        if ended.spans.len() == SPANS / 2 {
            self.0.half_full.notify_one();
        }
    }

    /// The flush is [`super::Telemetry::flush`], which is not of the SDK's thread.
    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }
}
