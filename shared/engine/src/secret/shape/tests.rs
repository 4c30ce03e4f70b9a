use proptest::prelude::*;

use super::*;

const AWS_SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
const JWT: &str = "eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0.";

#[test]
fn secrets_are_hidden_and_what_surrounds_them_stays() {
    let cases = [
        ("login with password=hunter2 please", "login with password=[hidden] please"),
        ("password: correcthorse", "password: [hidden]"),
        ("password:correcthorse", "password:[hidden]"),
        ("?a=1&api_key=abc&b=2", "?a=1&api_key=[hidden]&b=2"),
        ("{\"db\":{\"pwd\":\"a \\\" b\"},\"c\":1", "{\"db\":{\"pwd\":\"[hidden]\"},\"c\":1"),
        (r#"{\"pwd\":\"a b\"}"#, r#"{\"pwd\":\"[hidden]\"}"#),
        ("{'token': 'a b'}", "{'token': '[hidden]'}"),
        ("API_TOKEN := a", "API_TOKEN := [hidden]"),
        ("--password hunter2 -v", "--password [hidden] -v"),
        ("Authorization: Basic YTpiYzEy, x", "Authorization: [hidden]"),
        ("-H 'Authorization: Bearer abc123' -v", "-H 'Authorization: [hidden]' -v"),
        ("Cookie: a=b; c=d1234\r\nHost: x", "Cookie: [hidden]\r\nHost: x"),
        ("sent Bearer abc.def-1 to it", "sent Bearer [hidden] to it"),
        ("postgres://app:p@ss@db/x", "postgres://[hidden]@db/x"),
        ("redis://:secret@db", "redis://[hidden]@db"),
        ("https://0123456789abcdef@example.com", "https://[hidden]@example.com"),
        ("the id AKIAIOSFODNN7EXAMPLE.", "the id [hidden]."),
        ("ghp_0123456789abcdefghij, gone", "[hidden], gone"),
        ("dir/ab/ghp_0123456789abcdefghij", "dir/ab/[hidden]"),
        ("https://hooks.slack.com/services/T/B/x", "https://hooks.slack.com/services/[hidden]"),
        ("-----BEGIN EC PRIVATE KEY-----\na\n-----END EC PRIVATE KEY----- b", "[hidden] b"),
        ("-----BEGIN PRIVATE KEY-----\na", "[hidden]"),
    ];
    for (text, expected) in cases {
        assert_eq!(hide_text(text), expected);
        assert_eq!(hide_text(expected), expected, "twice");
    }
    assert_eq!(hide_text(&format!("a {AWS_SECRET} b {JWT} c")), "a [hidden] b [hidden]. c");
}

#[test]
fn what_is_no_secret_stays() {
    for text in [
        "failed to read the token: permission denied",
        "the secret: not found",
        "bearer authentication and basic auth",
        "bearer(a1b2c3d4) is a call",
        "a call of --token(abc123) has no value after a flag",
        "ghp_short",
        "abcdefghijklmnopqrst",
        "ABCDEFGHIJKLMNOPQRST",
        "eyJa.b",
        "eyJhbGciOiJub25lIn0%.eyJzdWIiOiIxIn0.",
        "token:ci",
        "arn:aws:secretsmanager:eu-west-1:1:secret:prod/db-a1",
        "token: env:HOOK_TOKEN",
        "password=${DB_PASSWORD}",
        "password=\"${DB_PASSWORD}\"",
        "ssh://git@github.com/a/b",
        "https://example.com:8080/a@b",
        "see user@example.com",
        "sha1 da39a3ee5e6b4b0d3255bfef95601890afd80709",
        "a 40 character path /home/Alice1/abcdefghijklmnopqrstuvw",
        "-----BEGIN CERTIFICATE-----\na\n-----END CERTIFICATE-----",
        "ticket_id=7, tokens_used=3, the password is wrong",
        "2026-11-28T10:00:00.000Z",
        "run-01JDTQ3N6X0000000000000000",
        "",
    ] {
        assert_eq!(hide_text(text), text);
    }
}

#[test]
fn a_text_made_to_cost_time_is_one_pass() {
    // Each of these would cost minutes if every start were searched to the end.
    for part in [
        "eyJaaaaaaaa.",
        "password=",
        "a://",
        "-----BEGIN ",
        "\"password\":\"",
        "Bearer ",
        "--token ",
        "a/b",
        "\\\"pwd\\\":\\\"",
    ] {
        let text = part.repeat(200_000 / part.len());
        let safe = hide_text(&text);
        assert!(safe.len() <= text.len() * 2, "{part}");
    }
}

proptest! {
    #[test]
    fn hiding_is_total_and_settles(text in "\\PC{0,80}") {
        let once = hide_text(&text).into_owned();
        let twice = hide_text(&once).into_owned();
        prop_assert_eq!(hide_text(&twice), twice.clone());
    }

    #[test]
    fn a_password_is_hidden_wherever_it_stands(before in "[a-z ]{0,20}", secret in "[A-Z0-9]{8,20}", after in "[a-z ,]{0,20}") {
        let text = format!("{before} password={secret} {after}");
        prop_assert!(!hide_text(&text).contains(&secret));
    }
}
