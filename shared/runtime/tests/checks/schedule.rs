//! When a check probes.

use std::sync::Arc;
use std::time::Duration;

use heal_runtime::Timestamp;
use heal_runtime::checks::{CheckOutcome, Checks, Ports};
use heal_runtime::port::{CheckStore, Clock, Prober, Sender};
use heal_testkit::memory::ManualClock;

use super::{Rig, Seen, check};

#[tokio::test(start_paused = true)]
async fn a_tick_that_is_delivered_twice_probes_once() {
    let rig = Rig::new(&["portal"]);
    rig.prober.set("http://portal", Seen::Failing);
    for _ in 0..2 {
        rig.tick().await;
        for late_ms in [0, 400, 20_000] {
            let again = rig.checks.run(rig.clock.now().plus_ms(late_ms)).await;
            assert!(matches!(again[0].outcome, CheckOutcome::NotDue), "{again:?}");
        }
    }
    assert_eq!(rig.prober.probed().len(), 2);
    assert_eq!(rig.incidents().await, Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn a_check_probes_at_its_own_interval() {
    let rig = Rig::new(&["portal"]);
    let mut slow = check("slow");
    slow.every_seconds = 180;
    let ports = Ports {
        prober: Arc::clone(&rig.prober) as Arc<dyn Prober>,
        store: Arc::clone(&rig.store) as Arc<dyn CheckStore>,
        sender: Arc::clone(&rig.queues) as Arc<dyn Sender>,
    };
    let checks = Checks::new([slow, check("portal")], ports).unwrap();
    for _ in 0..9 {
        // A schedule that is never quite on time.
        rig.clock.advance_ms(59_700);
        checks.run(rig.clock.now()).await;
    }
    let probed = rig.prober.probed();
    assert_eq!(probed.iter().filter(|url| *url == "http://portal").count(), 9);
    assert_eq!(probed.iter().filter(|url| *url == "http://slow").count(), 3);
}

/// The virtual time of the paused runtime.
struct Virtual(tokio::time::Instant);

impl Clock for Virtual {
    fn now(&self) -> Timestamp {
        ManualClock::START.plus_ms(u64::try_from(self.0.elapsed().as_millis()).unwrap())
    }
}

#[tokio::test(start_paused = true)]
async fn run_until_runs_each_check_at_its_interval_until_it_is_stopped() {
    let rig = Rig::new(&["hanging", "portal"]);
    rig.prober.set("http://hanging", Seen::Hanging);
    rig.prober.set("http://portal", Seen::Failing);
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let checks = rig.checks.clone().every(Duration::from_secs(2));
    let running = tokio::spawn(checks.run_until(Arc::new(Virtual(tokio::time::Instant::now())), stopped));
    tokio::time::sleep(Duration::from_secs(230)).await;
    let probed = rig.prober.probed();
    assert_eq!(probed.iter().filter(|url| *url == "http://portal").count(), 4);
    assert_eq!(probed.iter().filter(|url| *url == "http://hanging").count(), 4);
    assert_eq!(rig.incidents().await.len(), 1);
    // The hanging check is in the middle of a probe.
    stop.send(true).unwrap();
    tokio::time::timeout(Duration::from_millis(1), running).await.unwrap().unwrap();
}
