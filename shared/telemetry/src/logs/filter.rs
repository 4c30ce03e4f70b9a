//! The filter that decides which events are logged.

use tracing::subscriber::Interest;
use tracing::{Metadata, Subscriber, span};
use tracing_subscriber::filter::{EnvFilter, LevelFilter};
use tracing_subscriber::layer::{self, Context};

use super::{DEFAULT, Error};
use crate::trace;

/// Admits events by the directives of `RUST_LOG`, and the engine's own spans always: a warning must carry the fields of its run even
/// if only warnings are logged.
#[derive(Debug)]
pub struct Filter(EnvFilter);

impl Default for Filter {
    fn default() -> Self {
        Self(EnvFilter::new(DEFAULT))
    }
}

impl Filter {
    /// Parses `directives`, or `default` if they are blank.
    ///
    /// # Errors
    /// The directives cannot be parsed.
    pub fn parse(directives: &str, default: &str) -> Result<Self, Error> {
        let value = if directives.trim().is_empty() { default } else { directives };
        match EnvFilter::try_new(value) {
            Ok(filter) => Ok(Self(filter)),
            Err(cause) => Err(Error::Filter { value: value.to_owned(), cause }),
        }
    }
}

fn is_our_span(metadata: &Metadata<'_>) -> bool {
    metadata.is_span() && trace::is_ours(metadata.name())
}

impl<S: Subscriber> layer::Filter<S> for Filter {
    fn enabled(&self, metadata: &Metadata<'_>, context: &Context<'_, S>) -> bool {
        is_our_span(metadata) || layer::Filter::<S>::enabled(&self.0, metadata, context)
    }

    fn callsite_enabled(&self, metadata: &'static Metadata<'static>) -> Interest {
        let by_directives = layer::Filter::<S>::callsite_enabled(&self.0, metadata);
        if is_our_span(metadata) { Interest::always() } else { by_directives }
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        // `None` means unbounded, so it stays `None`.
        layer::Filter::<S>::max_level_hint(&self.0).map(|hint| hint.max(LevelFilter::INFO))
    }

    fn on_new_span(&self, attributes: &span::Attributes<'_>, id: &span::Id, context: Context<'_, S>) {
        layer::Filter::<S>::on_new_span(&self.0, attributes, id, context);
    }

    fn on_record(&self, id: &span::Id, values: &span::Record<'_>, context: Context<'_, S>) {
        layer::Filter::<S>::on_record(&self.0, id, values, context);
    }

    fn on_enter(&self, id: &span::Id, context: Context<'_, S>) {
        layer::Filter::<S>::on_enter(&self.0, id, context);
    }

    fn on_exit(&self, id: &span::Id, context: Context<'_, S>) {
        layer::Filter::<S>::on_exit(&self.0, id, context);
    }

    fn on_close(&self, id: span::Id, context: Context<'_, S>) {
        layer::Filter::<S>::on_close(&self.0, id, context);
    }
}
