//! Halts that a clock ordered which ran ahead.

use heal_guard::{Halt, HaltScope};
use heal_runtime::Timestamp;
use heal_runtime::port::{Clock as _, Switches as _};

use super::Rig;

const YEAR_MS: u64 = 365 * 86_400_000;

#[tokio::test(start_paused = true)]
async fn a_halt_that_was_ordered_by_a_clock_a_year_ahead_lasts_its_hour_and_no_longer() {
    let rig = Rig::new();
    let right = rig.halt(HaltScope::All, 3_600);
    let ahead = |at: Timestamp| at.plus_ms(YEAR_MS);
    let ordered = Halt { since: ahead(right.since), until: ahead(right.until), ..right.clone() };
    assert!(rig.switches.halt(&ordered).await.unwrap());
    rig.sweep().await;
    assert_eq!(rig.switches.halts().await.unwrap(), [right]);
    rig.incident().await;
    rig.settle().await;
    assert!(rig.effects().is_empty(), "it still halts");
    rig.clock.advance_ms(3_600_000);
    rig.settle().await;
    assert_eq!(rig.effects(), ["look", "act"]);
}

#[tokio::test(start_paused = true)]
async fn a_halt_of_a_clock_that_is_a_little_ahead_stays_as_it_was_ordered() {
    let rig = Rig::new();
    let right = rig.halt(HaltScope::All, 3_600);
    let ordered = Halt { since: rig.clock.now().plus_ms(5_000), ..right };
    assert!(rig.switches.halt(&ordered).await.unwrap());
    rig.sweep().await;
    assert_eq!(rig.switches.halts().await.unwrap(), [ordered]);
}
