use serde_json::json;

use super::*;

#[test]
fn a_whole_configuration_is_read() {
    let value = json!({
        "hosts": ["heal.internal"], "public_url": "https://heal.example.com", "tokens": "tokens.json",
        "oidc": {"issuer": "https://login.example.com/", "audience": "heal", "algorithms": ["ES256"], "leeway_seconds": 5,
            "identity_claim": "email", "client_id": "console", "roles": {"claim": "groups", "map": {"sre": "approver"}}},
    });
    let access = Access::read(&value, Path::new("/etc/heal"), Some("s3cret".to_owned())).unwrap();
    assert_eq!(access.tokens, Some(TokenSource::File("/etc/heal/tokens.json".into())));
    let oidc = access.oidc.unwrap();
    assert_eq!((oidc.algorithms.as_slice(), oidc.leeway_seconds), ([Algorithm::ES256].as_slice(), 5));
    assert_eq!(oidc.roles.map, BTreeMap::from([("sre".to_owned(), Role::Approver)]));
    assert!(!format!("{:?}", oidc.client).contains("s3cret"));
}

#[test]
fn all_faults_are_named_at_once() {
    let value = json!({
        "host": [], "hosts": ["https://x"], "tokens": 5,
        "oidc": {"issuer": "http://login.example.com", "algorithms": ["HS256", "none"], "leeway_seconds": 301, "client_id": "c",
            "roles": {"map": {"sre": "root"}}},
    });
    let faults = Access::read(&value, Path::new("."), None).unwrap_err();
    let expected = [
        "host: is not a key here",
        "hosts: `https://x` is not a bare name",
        "tokens: is the number 5, expected a text",
        "oidc.issuer: `http://login.example.com` has no HTTPS",
        "oidc.audience: is missing",
        "oidc.algorithms: `HS256` is not accepted",
        "oidc.algorithms: `none` is not accepted",
        "oidc.leeway_seconds: is 301, expected 0 to 300 seconds",
        "oidc.roles.claim: is missing",
        "oidc.roles.map.sre: is \"root\", expected `viewer`",
    ];
    for fault in expected {
        assert!(faults.iter().any(|found| found.starts_with(fault)), "{fault} is not in {faults:#?}");
    }
    assert_eq!(faults.len(), expected.len(), "{faults:#?}");
}

#[test]
fn the_roles_of_principals_and_the_tokens_of_a_compiled_file_are_read() {
    let token = json!({"name": "ci", "sha256": "00", "role": "operator", "created": 1, "expires": 9});
    let value = json!({"tokens": {"tokens": [token]}, "iam": {"roles": {"arn:aws:iam::1:role/ops": "approver"}}});
    let access = Access::read(&value, Path::new("."), None).unwrap();
    assert_eq!(access.iam.role("arn:aws:sts::1:assumed-role/ops/anna"), Some(Role::Approver));
    let Some(TokenSource::Inline(tokens)) = access.tokens else { panic!("{:?}", access.tokens) };
    assert_eq!(tokens.tokens[0].name, "ci");
}

#[test]
fn a_principal_with_a_wildcard_and_a_token_with_a_wrong_name_are_named() {
    let token = json!({"name": "a b", "sha256": "00", "role": "operator", "created": 1, "expires": 9});
    let value =
        json!({"tokens": {"tokens": [token]}, "iam": {"roles": {"arn:aws:sts::1:assumed-role/ops/*": "admin"}}});
    let faults = Access::read(&value, Path::new("."), None).unwrap_err();
    assert_eq!(faults.len(), 2, "{faults:#?}");
    assert!(faults[0].starts_with("tokens: `a b` cannot name a token"), "{faults:#?}");
    assert!(faults[1].starts_with("iam.roles.arn:aws:sts::1:assumed-role/ops/*: is not a principal"), "{faults:#?}");
}
