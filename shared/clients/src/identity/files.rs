//! An identity in PEM files that something else keeps fresh, such as `spiffe-helper` or a mounted secret.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use async_trait::async_trait;
use tokio::sync::Mutex;

use super::jwt::JwtSvid;
use super::material::{X509Identity, certificates, key};
use super::{IdentityError, IdentityProvider};
use crate::config::PemPaths;

/// Largest file that is read.
const MAX_FILE_BYTES: u64 = 1024 * 1024;

/// PEM files, read again when one of them changed.
///
/// Files that do not fit together (a writer is between two of them) do not replace an identity that still holds.
#[derive(Debug)]
pub struct PemFiles {
    paths: PemPaths,
    trust_domain: String,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    stamps: Vec<Option<Stamp>>,
    identity: Option<Arc<X509Identity>>,
    /// What was wrong with the files of `stamps`.
    fault: Option<IdentityError>,
}

/// What tells one state of a file from the next.
type Stamp = (u64, Option<SystemTime>, u64);

impl PemFiles {
    pub fn new(paths: PemPaths, trust_domain: &str) -> Self {
        Self { paths, trust_domain: trust_domain.to_owned(), known: Mutex::default() }
    }

    async fn read(&self) -> Result<X509Identity, IdentityError> {
        let (paths, trust_domain) = (self.paths.clone(), self.trust_domain.clone());
        blocking(move || {
            let chain = certificates(&shown(&paths.chain), &contents(&paths.chain)?)?;
            let key = key(&shown(&paths.key), &contents(&paths.key)?)?;
            let authorities = certificates(&shown(&paths.bundle), &contents(&paths.bundle)?)?;
            X509Identity::new(&shown(&paths.chain), chain, key, BTreeMap::from([(trust_domain, authorities)]))
        })
        .await
    }
}

#[async_trait]
impl IdentityProvider for PemFiles {
    async fn x509(&self) -> Result<Arc<X509Identity>, IdentityError> {
        let now = SystemTime::now();
        let mut known = self.known.lock().await;
        let stamps: Vec<Option<Stamp>> =
            [&self.paths.chain, &self.paths.key, &self.paths.bundle].into_iter().map(stamp).collect();
        if known.stamps != stamps {
            known.stamps = stamps;
            known.fault = None;
            match self.read().await.and_then(|identity| identity.check_alive(now).map(|()| identity)) {
                Ok(identity) => {
                    tracing::info!(spiffe_id = identity.spiffe_id(), "identity.loaded");
                    known.identity = Some(Arc::new(identity));
                }
                Err(fault) => {
                    tracing::warn!(error = %fault, "identity.not_loaded");
                    known.fault = Some(fault);
                }
            }
        }
        match (&known.identity, &known.fault) {
            (Some(identity), None) => identity.check_alive(now).map(|()| Arc::clone(identity)),
            (Some(identity), Some(fault)) => {
                identity.check_alive(now).map(|()| Arc::clone(identity)).map_err(|_| fault.clone())
            }
            (None, Some(fault)) => Err(fault.clone()),
            (None, None) => Err(IdentityError::unavailable("the PEM files", "not read yet")),
        }
    }

    async fn jwt(&self, _audience: &str) -> Option<JwtSvid> {
        let path = self.paths.jwt.clone()?;
        let read = blocking(move || {
            let place = shown(&path);
            let text = String::from_utf8(contents(&path)?).map_err(|error| IdentityError::unusable(&place, error))?;
            JwtSvid::parse(text.trim()).map_err(|problem| IdentityError::unusable(&place, problem))
        });
        match read.await {
            Ok(token) if token.is_usable(SystemTime::now()) => Some(token),
            Ok(token) => {
                tracing::warn!(expires_at = ?token.expires_at(), "identity.token_expired");
                None
            }
            Err(error) => {
                tracing::warn!(%error, "identity.token_not_read");
                None
            }
        }
    }
}

/// Runs what touches files where it may wait.
async fn blocking<T: Send + 'static>(
    read: impl FnOnce() -> Result<T, IdentityError> + Send + 'static,
) -> Result<T, IdentityError> {
    match tokio::task::spawn_blocking(read).await {
        Ok(result) => result,
        Err(error) => Err(IdentityError::unavailable("the PEM files", error)),
    }
}

fn contents(path: &Path) -> Result<Vec<u8>, IdentityError> {
    let place = shown(path);
    let length = std::fs::metadata(path).map_err(|error| IdentityError::unusable(&place, error))?.len();
    if length > MAX_FILE_BYTES {
        return Err(IdentityError::unusable(place, format!("has {length} bytes, at most {MAX_FILE_BYTES} are read")));
    }
    std::fs::read(path).map_err(|error| IdentityError::unusable(place, error))
}

fn stamp(path: &PathBuf) -> Option<Stamp> {
    use std::os::unix::fs::MetadataExt;
    let metadata = std::fs::metadata(path).ok()?;
    Some((metadata.len(), metadata.modified().ok(), metadata.ino()))
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}
