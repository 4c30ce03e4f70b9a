use super::*;

const KEY: &str = "a secret of the sender";
const NOW: Timestamp = Timestamp(1_000_000_000);

fn mac(key: &str, message: &str) -> String {
    hex(hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes()), message.as_bytes()).as_ref())
}

fn verifier(source: Source, keys: &[&str]) -> Verifier {
    let keys = keys.iter().map(|key| (*key).to_owned()).collect();
    Verifier::new(BTreeMap::from([(source, Secrets { keys, window_seconds: 300 })]))
}

fn verify(verifier: &Verifier, source: Source, headers: &[(&str, String)]) -> Result<Option<Verified>, Refused> {
    let headers = headers.iter().map(|(name, value)| (*name, value.clone())).collect();
    verifier.verify(source, &headers, b"{}", NOW)
}

#[test]
fn each_source_signs_in_its_own_form() {
    let pagerduty = [("X-PagerDuty-Signature", format!("v1={},v1={}", mac("old", "{}"), mac(KEY, "{}")))];
    let grafana = [
        ("X-Grafana-Alerting-Signature", mac(KEY, "1000000:{}")),
        ("X-Grafana-Alerting-Timestamp", "1000000".to_owned()),
    ];
    let own = [("X-Heal-Signature", sign(KEY, 1_000_000, b"{}"))];
    for (source, headers) in [
        (Source::Pagerduty, pagerduty.as_slice()),
        (Source::Grafana, grafana.as_slice()),
        (Source::Generic, own.as_slice()),
        (Source::Cloudevents, own.as_slice()),
    ] {
        let by_key = verifier(source, &["a secret that is new", KEY]);
        assert!(verify(&by_key, source, headers).unwrap().is_some(), "{source}");
        let by_another = verifier(source, &["another secret of it"]);
        assert_eq!(verify(&by_another, source, headers), Err(Refused::Wrong), "{source}");
        assert!(matches!(verify(&by_key, source, &[]), Err(Refused::Missing { .. })), "{source}");
        let unsigned = verifier(Source::Alertmanager, &[]);
        assert_eq!(verify(&unsigned, source, headers), Ok(None), "{source}");
    }
}

#[test]
fn a_time_outside_the_window_is_refused_though_the_signature_fits() {
    let verifier = verifier(Source::Generic, &[KEY]);
    for (at, is_in) in [(999_700, true), (999_699, false), (1_000_300, true), (1_000_301, false)] {
        let headers = [(HEAL, sign(KEY, at, b"{}"))];
        let verified = verify(&verifier, Source::Generic, &headers);
        assert_eq!(verified.is_ok(), is_in, "{at}: {verified:?}");
        if !is_in {
            assert!(matches!(verified, Err(Refused::OutsideWindow { away_seconds: 301, window_seconds: 300 })));
        }
    }
}

#[test]
fn the_same_delivery_has_the_same_digest_by_whichever_signature() {
    let both = verifier(Source::Generic, &[KEY, "a secret that is new"]);
    let digest = |key: &str, at| {
        let headers = [(HEAL, sign(key, at, b"{}"))];
        verify(&both, Source::Generic, &headers).unwrap().unwrap().digest
    };
    assert_eq!(digest(KEY, 1_000_000), digest("a secret that is new", 1_000_000));
    assert_ne!(digest(KEY, 1_000_000), digest(KEY, 1_000_001));
}

#[test]
fn malformed_signatures_are_told_apart_from_wrong_ones() {
    let verifier = verifier(Source::Generic, &[KEY]);
    let good = mac(KEY, "1000000.{}");
    for text in ["t=1000000".to_owned(), format!("v1={good}"), format!("t=now,v1={good}"), "t=1,v1=zz".to_owned()] {
        let refused = verify(&verifier, Source::Generic, &[(HEAL, text.clone())]).unwrap_err();
        assert_eq!(refused.as_str(), "malformed_signature", "{text}");
    }
}
