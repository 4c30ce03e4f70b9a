//! Halts whose messages come again, as SQS may deliver any message.

use heal_engine::{RunId, Timestamp};
use heal_guard::{Halt, HaltScope, Storm};
use heal_runtime::port::Switches as _;
use heal_stack::{MiniStack, table};

const T0: Timestamp = Timestamp(1_790_000_000_000);

fn halt(storm: Option<Storm>) -> Halt {
    Halt {
        id: "halt-1".to_owned(),
        scope: HaltScope::All,
        since: T0,
        until: T0.plus_ms(60_000),
        reason: "a deployment".to_owned(),
        by: "local:anna".to_owned(),
        storm,
    }
}

#[tokio::test]
async fn a_halt_whose_message_comes_again_after_its_resumption_stays_ended() {
    let store = table::empty(MiniStack::shared()).await;
    assert!(store.halt(&halt(None)).await.unwrap());
    assert!(store.resume("halt-1", T0.plus_ms(1)).await.unwrap());
    assert!(store.halt(&halt(None)).await.unwrap());
    assert_eq!(store.halts().await.unwrap(), []);
    assert!(!store.resume("halt-1", T0.plus_ms(2)).await.unwrap(), "it was resumed before");
}

#[tokio::test]
async fn a_storm_that_comes_back_under_the_id_of_a_resumed_one_is_held_again() {
    let store = table::empty(MiniStack::shared()).await;
    let storm = halt(Some(Storm { run_id: RunId::new("run-1"), targets: 5, trickle: 1, window_ms: 300_000 }));
    for _ in 0..2 {
        assert!(store.halt(&storm).await.unwrap());
        assert_eq!(store.halts().await.unwrap(), std::slice::from_ref(&storm));
        assert!(store.resume("halt-1", T0.plus_ms(1)).await.unwrap());
        assert_eq!(store.halts().await.unwrap(), []);
    }
}
