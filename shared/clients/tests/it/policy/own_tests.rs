//! The tests that come with the policy, evaluated in this process.

use super::*;

#[test]
fn the_policys_own_tests_pass_in_this_process() {
    let modules = [
        Module { path: "playbook_validation.rego", text: BUNDLED_POLICY },
        Module { path: "playbook_validation_test.rego", text: BUNDLED_POLICY_TESTS },
    ];
    let tests = run_rego_tests(&modules).unwrap();
    assert!(tests.len() >= 20, "{} tests found", tests.len());
    let failed: Vec<_> = tests.iter().filter(|test| !test.passed).collect();
    assert!(failed.is_empty(), "{failed:#?}");
}

#[test]
fn a_policy_test_that_fails_is_seen_to_fail() {
    let broken = BUNDLED_POLICY.replace("(5 * 60)", "(4 * 60)");
    let modules = [
        Module { path: "playbook_validation.rego", text: &broken },
        Module { path: "playbook_validation_test.rego", text: BUNDLED_POLICY_TESTS },
    ];
    let failed: Vec<String> =
        run_rego_tests(&modules).unwrap().into_iter().filter(|test| !test.passed).map(|test| test.name).collect();
    assert_eq!(
        failed,
        ["data.neuralhive.self_healing.playbook_validation_test.test_a_second_reallocation_waits_five_minutes"]
    );
}
