//! Each way in which an account can fail to balance is seen.

use heal_runtime::Timestamp;
use heal_runtime::port::QueueName;

use super::*;

const MARK: &str = "unreadable";
const EFFECT: &str = "PauseWorkflow wf-1";

fn claimed(is_reported: bool, may_be: bool) -> Claimed {
    Claimed { authorised_ms: 100, is_reported, may_be }
}

/// One run with one effect, one unreadable message, and everything in order.
fn balanced() -> Account {
    let run = Entry {
        run_id: "run-1".to_owned(),
        incident_id: "soak-1".to_owned(),
        joined: ["soak-2".to_owned()].into(),
        outcome: Some("HEALED"),
        is_rejected: false,
        dead_lettered: 0,
        effects: [(EFFECT.to_owned(), claimed(true, false))].into(),
    };
    let kept = Entry {
        run_id: "run-2".to_owned(),
        incident_id: "unknown".to_owned(),
        outcome: Some("FAILED"),
        is_rejected: true,
        ..Entry::default()
    };
    Account {
        sent: ["soak-1".to_owned(), "soak-2".to_owned()].into(),
        unreadable: 1,
        runs: vec![run, kept],
        seen: [(EFFECT.to_owned(), vec![150])].into(),
        queued: 0,
        dead_letters: vec![format!("{{{MARK}")],
        unreadable_mark: MARK,
    }
}

fn claim(account: &mut Account, claimed: Claimed) {
    account.runs[0].effects.insert(EFFECT.to_owned(), claimed);
}

#[test]
fn a_whole_account_balances() {
    let account = balanced();
    assert_eq!(account.faults(), Vec::<String>::new());
    let totals = account.totals();
    assert_eq!((totals.seen, totals.reported, totals.unreported, totals.joined), (1, 1, 0, 1));
    assert_eq!(totals.by_outcome, [("FAILED", 1), ("HEALED", 1)].into());
}

#[test]
fn an_effect_that_may_have_happened_balances_with_and_without_it() {
    let mut account = balanced();
    claim(&mut account, claimed(false, true));
    assert_eq!(account.faults(), Vec::<String>::new());
    assert_eq!(account.totals().unreported, 1);
    account.seen.clear();
    assert_eq!(account.faults(), Vec::<String>::new());
}

#[test]
fn every_imbalance_is_seen() {
    type Change = fn(&mut Account);
    let cases: [(&str, Change); 14] = [
        ("1 lost incidents", |account| account.sent.extend(["soak-3".to_owned()])),
        ("1 runs for incidents that nobody sent", |account| {
            account.sent.remove("soak-1");
        }),
        ("2 incidents with several runs", |account| {
            account.runs[1] = Entry { effects: BTreeMap::new(), ..account.runs[0].clone() }
        }),
        ("0 runs keep an unreadable message, expected 1", |account| {
            account.runs.pop();
        }),
        ("1 effects that several runs claim", |account| account.runs[1].effects = account.runs[0].effects.clone()),
        ("1 effects that happened more than once", |account| account.seen.get_mut(EFFECT).unwrap().push(151)),
        ("1 effects that no log authorised before", |account| account.seen.get_mut(EFFECT).unwrap()[0] = 99),
        ("1 effects that no log authorised before", |account| account.runs[0].effects.clear()),
        ("1 effects that a log reports and no service saw", |account| account.seen.clear()),
        ("1 effects that happened, and the log proves that they did not", |account| {
            claim(account, claimed(false, false));
        }),
        ("1 runs that did not end", |account| account.runs[0].outcome = None),
        ("1 runs that ended well over a dead-lettered command", |account| account.runs[0].dead_lettered = 1),
        ("2 messages are left on the queues, expected 0", |account| account.queued = 2),
        ("1 dead letters of readable messages", |account| account.dead_letters.push("{}".to_owned())),
    ];
    for (expected, change) in cases {
        let mut account = balanced();
        change(&mut account);
        let faults = account.faults();
        assert!(faults.iter().any(|fault| fault.starts_with(expected)), "no {expected:?} in {faults:#?}");
    }
    let mut account = balanced();
    account.dead_letters.clear();
    assert_eq!(account.faults(), ["0 dead letters keep an unreadable message, expected 1"]);
}

#[test]
fn each_message_that_no_playbook_is_for_has_a_record_of_its_own() {
    let mut account = balanced();
    let record = Entry { incident_id: "soak-9".to_owned(), is_rejected: true, ..account.runs[1].clone() };
    account.sent.insert("soak-9".to_owned());
    account.runs.extend([record.clone(), record]);
    assert_eq!(account.faults(), Vec::<String>::new());
    account.runs.truncate(2);
    assert_eq!(account.faults(), ["1 lost incidents:\n    soak-9"]);
}

#[test]
fn a_run_that_says_so_balances_with_a_dead_lettered_command() {
    let mut account = balanced();
    (account.runs[0].dead_lettered, account.runs[0].outcome) = (1, Some("FAILED"));
    claim(&mut account, claimed(false, true));
    assert_eq!((account.faults(), account.totals().dead_lettered), (Vec::new(), 1));
}

#[test]
fn a_message_that_was_parked_twice_is_one_dead_letter() {
    let letter = |message_id: &str| DeadLetter {
        message_id: message_id.to_owned(),
        queue: QueueName::Incidents,
        body: format!("{{{MARK}"),
        receive_count: 1,
        reason: "unreadable".to_owned(),
        sent_at: Timestamp(100),
    };
    assert_eq!(bodies(vec![letter("m-1"), letter("m-2"), letter("m-1")]).len(), 2);
}
