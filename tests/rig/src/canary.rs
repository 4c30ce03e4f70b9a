//! Secrets that have to be nowhere: each is known by its shape.

/// A text, and the part of it that is secret.
pub const SHAPES: [(&str, &str); 12] = [
    ("login with password=Canary-shape-01 please", "Canary-shape-01"),
    ("{\"password\": \"Canary-shape-02\", \"a\": 1", "Canary-shape-02"),
    ("postgres://app:Canary-shape-03@db.internal/app", "Canary-shape-03"),
    ("https://example.com/hook?token=Canary-shape-04&a=1", "Canary-shape-04"),
    ("curl -H 'Authorization: Bearer Canary-shape-05'", "Canary-shape-05"),
    ("Authorization: Basic Q2FuYXJ5OnNoYXBlLTA2", "Q2FuYXJ5OnNoYXBlLTA2"),
    ("the key AKIACANARYSHAPE07ABC was used", "AKIACANARYSHAPE07ABC"),
    ("eyJhbGciOiJub25lIn0.eyJDYW5hcnkiOiJzaGFwZTA4In0.Canary08", "eyJDYW5hcnkiOiJzaGFwZTA4In0"),
    ("-----BEGIN PRIVATE KEY-----\nCanaryShape09\n-----END PRIVATE KEY-----", "CanaryShape09"),
    ("ghp_CanaryShape10abcdefghijklmnopqrstuvw", "CanaryShape10"),
    ("https://hooks.slack.com/services/T0/B0/CanaryShape11", "CanaryShape11"),
    ("mysql --password CanaryShape12 -u root", "CanaryShape12"),
];

/// One text after the other, beginning anew after the last.
pub fn text(number: usize) -> &'static str {
    SHAPES[number % SHAPES.len()].0
}

/// The secrets that `text` has.
pub fn found_in(text: &str) -> Vec<&'static str> {
    SHAPES.iter().map(|(_, secret)| *secret).filter(|secret| text.contains(secret)).collect()
}
