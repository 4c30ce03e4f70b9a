//! How long, how much, and where.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use heal_sandbox::seed::ITEMS_LIMIT;

/// Tickets of an incident, at most: no list of the platform's seed gets longer.
const TARGETS_OF_AN_INCIDENT: u64 = 3;

/// Incidents a second. On a local AWS each takes a dozen invocations, which share the processor with it.
const RATE: f64 = 1.0;
const STACK_RATE: f64 = 0.5;

/// A soak of the engine: steady load under kills and faults, and at the end an account that has to balance
#[derive(Debug, Clone, clap::Parser)]
pub(crate) struct Settings {
    /// Hours of load and faults; fractions are allowed
    #[arg(long, default_value_t = 1.0, value_parser = positive)]
    pub hours: f64,
    /// Soaks the template on a local AWS instead of one `heal serve`
    #[arg(long)]
    pub stack: bool,
    /// Incidents a second; by default 1, and 0.5 with --stack: two cores bear twice that beside a local AWS
    #[arg(long, value_parser = positive)]
    pub rate: Option<f64>,
    /// Repeats the choices of an earlier soak, though not its timing
    #[arg(long)]
    pub seed: Option<u64>,
}

impl Settings {
    pub(crate) fn length(&self) -> Duration {
        Duration::from_secs_f64(self.hours * 3_600.0)
    }

    /// The time between two incidents.
    pub(crate) fn interval(&self) -> Duration {
        Duration::from_secs_f64(1.0 / self.rate.unwrap_or(if self.stack { STACK_RATE } else { RATE }))
    }

    /// Incidents that are sent in this time, at most.
    pub(crate) fn incidents(&self) -> anyhow::Result<u64> {
        let incidents = self.length().as_millis() / self.interval().as_millis().max(1) + 2;
        let limit = u128::try_from(ITEMS_LIMIT)? / u128::from(TARGETS_OF_AN_INCIDENT);
        ensure!(
            incidents <= limit,
            "{incidents} incidents in {} hours are more than the stand-in platform has targets for, the limit is {limit}; \
             take a lower --rate or fewer --hours",
            self.hours
        );
        u64::try_from(incidents).context("the number of incidents")
    }
}

fn positive(text: &str) -> Result<f64, String> {
    let number: f64 = text.parse().map_err(|_| format!("`{text}` is not a number"))?;
    let is_usable = number.is_finite() && number > 0.0;
    if is_usable { Ok(number) } else { Err(format!("{text}, expected more than 0")) }
}
