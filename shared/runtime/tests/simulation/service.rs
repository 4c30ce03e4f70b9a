//! What a service answers when something is wrong with it, as its client has it.

use std::time::Duration;

use heal_runtime::{AttemptOutcome, AttemptResult};

use super::remedy::World;
use super::rng::Rng;

/// A fault of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// 503, or nobody there: nothing was done.
    Away,
    /// 429, with the time after which to come back: nothing was done.
    Busy,
    /// An error that another call may not meet: nothing was done.
    Flaky,
    /// No answer until the client's timeout.
    Hangs,
    /// An answer byte by byte, which is good in the end.
    Drips,
    /// 200 and a page of HTML: what was done is unknown.
    Lies,
    /// An answer over the limit of bytes: what was done is unknown.
    Floods,
    /// The connection ends before the answer: what was done is unknown.
    Forgets,
}

impl Fault {
    /// Seldom a fault: three calls in four meet none.
    pub fn draw(rng: &Rng) -> Option<Self> {
        Some(match rng.below(100) {
            0..=5 => Self::Away,
            6..=8 => Self::Busy,
            9..=14 => Self::Flaky,
            15 => Self::Hangs,
            16 | 17 => Self::Drips,
            18 | 19 => Self::Lies,
            20 => Self::Floods,
            21..=23 => Self::Forgets,
            _ => return None,
        })
    }

    pub const fn name(self) -> &'static str {
        match self {
            Self::Away => "service 503",
            Self::Busy => "service 429",
            Self::Flaky => "service flaky",
            Self::Hangs => "service hangs",
            Self::Drips => "service drips",
            Self::Lies => "service lies about its content type",
            Self::Floods => "service sends 100 MB",
            Self::Forgets => "service's answer lost",
        }
    }

    /// Whether the service does what it was asked for all the same.
    pub fn acts(self, rng: &Rng) -> bool {
        match self {
            Self::Away | Self::Busy | Self::Flaky => false,
            Self::Hangs | Self::Lies | Self::Floods | Self::Forgets => rng.chance(60),
            Self::Drips => true,
        }
    }

    /// The client's result if the answer is not good in the end, and whether it is proof that nothing was done.
    pub fn result(self) -> Option<(AttemptResult, bool)> {
        let away = |message: &str, retry_after_ms| AttemptOutcome::Unavailable {
            service: "world".to_owned(),
            message: message.to_owned(),
            retry_after_ms,
        };
        let unknown = |message: &str| AttemptResult::new(AttemptOutcome::Unknown { message: message.to_owned() });
        Some(match self {
            Self::Away => (AttemptResult::new(away("503", None)), true),
            Self::Busy => (AttemptResult::new(away("429", Some(2_000))), true),
            Self::Flaky => (AttemptResult::transient("flaky", "not now"), true),
            Self::Hangs => {
                let message = "no answer in time".to_owned();
                (AttemptResult::new(AttemptOutcome::TimedOut { message }), false)
            }
            Self::Drips => return None,
            Self::Lies => (unknown("the answer is HTML"), false),
            Self::Floods => (unknown("the answer has more than 1 MiB"), false),
            Self::Forgets => (unknown("the connection was reset"), false),
        })
    }

    /// How long the service takes, in seconds.
    pub fn seconds(self, rng: &Rng) -> u64 {
        match self {
            // Now and then longer than any step has.
            Self::Hangs if rng.chance(10) => 1_000,
            Self::Hangs => 10 + rng.below(60),
            Self::Drips => 1 + rng.below(20),
            Self::Away | Self::Busy | Self::Flaky | Self::Lies | Self::Floods | Self::Forgets => 0,
        }
    }
}

impl World {
    /// Time passes while a service takes its time: that of the runtime's timers and that of all clocks.
    pub async fn pass(&self, seconds: u64) {
        for _ in 0..seconds {
            tokio::time::sleep(Duration::from_secs(1)).await;
            self.clock.advance_ms(1_000);
        }
    }
}
