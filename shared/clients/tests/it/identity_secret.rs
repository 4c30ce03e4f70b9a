//! An identity in a secret: when it is reread, and the errors of an unusable one.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use heal_clients::IdentityProvider;
use heal_clients::identity::{IdentityError, Secret, SecretFault, SecretReader};
use heal_sandbox::spiffe_ca::{SpiffeCa, TRUST_DOMAIN, Validity, X509Svid};
use serde_json::json;

use crate::support::mtls::{ENGINE_ID, authority};

/// A secret that the test writes; counts its reads.
#[derive(Debug, Default)]
pub(crate) struct Store {
    secret: Mutex<Option<Vec<u8>>>,
    reads: AtomicUsize,
}

impl Store {
    pub(crate) fn put(&self, svid: &X509Svid) {
        let secret = json!({
            "spiffeId": svid.spiffe_id, "x509Svid": svid.certificate_chain_pem, "x509SvidKey": svid.private_key_pem,
            "bundle": svid.trust_bundle_pem, "federatedBundles": {}
        });
        *self.secret.lock().unwrap() = Some(secret.to_string().into_bytes());
    }

    pub(crate) fn reads(&self) -> usize {
        self.reads.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl SecretReader for Store {
    async fn read(&self, secret_id: &str) -> Result<Vec<u8>, SecretFault> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        assert_eq!(secret_id, "spiffe/engine");
        self.secret.lock().unwrap().clone().ok_or_else(|| SecretFault("access denied".to_owned()))
    }
}

pub(crate) fn secret(store: &Arc<Store>) -> Secret {
    Secret::new("spiffe/engine", TRUST_DOMAIN, store.clone())
}

fn issue(ca: &SpiffeCa) -> X509Svid {
    ca.issue(ENGINE_ID, Validity::default()).unwrap()
}

#[tokio::test]
async fn a_secret_is_cached_for_half_of_its_lifetime_and_then_reread() {
    let ca = authority();
    let store = Arc::new(Store::default());
    store.put(&issue(&ca));
    let young = secret(&store);
    for _ in 0..10 {
        young.x509().await.unwrap();
    }
    assert_eq!(store.reads(), 1);

    #[expect(clippy::disallowed_methods, reason = "certificates expire by the wall clock")]
    let now = SystemTime::now();
    let old = Validity { not_before: now - Duration::from_hours(2), not_after: now + Duration::from_hours(1) };
    store.put(&ca.issue(ENGINE_ID, old).unwrap());
    let aging = secret(&store);
    let first = aging.x509().await.unwrap();
    assert!(Arc::ptr_eq(&first, &aging.x509().await.unwrap()));
    assert_eq!(store.reads(), 2, "not more often than once a minute");
}

#[tokio::test]
async fn an_expired_secret_is_reread_at_every_call_until_it_is_renewed() {
    let ca = authority();
    let store = Arc::new(Store::default());
    let source = secret(&store);
    assert_eq!(
        source.x509().await.unwrap_err().to_string(),
        "secret spiffe/engine provides no identity: access denied"
    );
    store.put(&ca.issue(ENGINE_ID, Validity::expired()).unwrap());
    assert!(matches!(source.x509().await.unwrap_err(), IdentityError::Expired { .. }));
    store.put(&issue(&ca));
    source.x509().await.unwrap();
    assert_eq!(store.reads(), 3);
}

#[tokio::test]
async fn an_unusable_secret_is_named_but_not_quoted() {
    let store = Arc::new(Store::default());
    let good = issue(&authority());
    let with = |field: &str, value: &str| {
        store.put(&good);
        let mut secret: serde_json::Value =
            serde_json::from_slice(store.secret.lock().unwrap().as_ref().unwrap()).unwrap();
        secret[field] = value.into();
        *store.secret.lock().unwrap() = Some(secret.to_string().into_bytes());
    };
    for (field, value) in [("x509Svid", "hunter2"), ("x509SvidKey", "hunter2"), ("bundle", "hunter2")] {
        with(field, value);
        let error = secret(&store).x509().await.unwrap_err().to_string();
        assert!(error.starts_with(&format!("secret spiffe/engine, field {field}: ")), "{error}");
        assert!(!error.contains("hunter2"), "{error}");
    }
    *store.secret.lock().unwrap() = Some(b"{\"x509Svid\": hunter2}".to_vec());
    let error = secret(&store).x509().await.unwrap_err().to_string();
    assert!(error.contains("not the JSON of an X.509-SVID (line 1"), "{error}");
    assert!(!error.contains("hunter2"), "{error}");
}
