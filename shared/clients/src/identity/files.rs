//! An identity in PEM files that another program rotates, such as `spiffe-helper` or a mounted secret.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use async_trait::async_trait;
use tokio::sync::Mutex;

use super::jwt::JwtSvid;
use super::material::{IdentityError, X509Identity, parse_certificates, parse_key};
use super::source::IdentityProvider;
use crate::config::PemPaths;

/// Largest PEM or token file that is read.
const MAX_FILE_BYTES: u64 = 1024 * 1024;

/// PEM files, reread when one of them changes.
///
/// Files that do not match each other (a rotation is half written) do not replace an identity that is still valid.
#[derive(Debug)]
pub struct PemFiles {
    paths: PemPaths,
    trust_domain: String,
    cache: Mutex<Cache>,
}

#[derive(Debug, Default)]
struct Cache {
    /// The versions of the files when they were last read.
    versions: Vec<Option<FileVersion>>,
    identity: Option<Arc<X509Identity>>,
    /// Why the files of `versions` could not be used.
    error: Option<IdentityError>,
}

/// Length, modification time and inode: a changed file differs in at least one.
type FileVersion = (u64, Option<SystemTime>, u64);

impl PemFiles {
    /// The identity in `paths`; the bundle holds the authorities of `trust_domain`.
    pub fn new(paths: PemPaths, trust_domain: &str) -> Self {
        Self { paths, trust_domain: trust_domain.to_owned(), cache: Mutex::default() }
    }

    async fn read(&self) -> Result<X509Identity, IdentityError> {
        let (paths, trust_domain) = (self.paths.clone(), self.trust_domain.clone());
        blocking(move || {
            let chain = parse_certificates(&shown(&paths.chain), &contents(&paths.chain)?)?;
            let key = parse_key(&shown(&paths.key), &contents(&paths.key)?)?;
            let authorities = parse_certificates(&shown(&paths.bundle), &contents(&paths.bundle)?)?;
            X509Identity::new(&shown(&paths.chain), chain, key, BTreeMap::from([(trust_domain, authorities)]))
        })
        .await
    }
}

#[async_trait]
impl IdentityProvider for PemFiles {
    async fn x509(&self) -> Result<Arc<X509Identity>, IdentityError> {
        let now = SystemTime::now();
        let mut cache = self.cache.lock().await;
        let versions: Vec<Option<FileVersion>> =
            [&self.paths.chain, &self.paths.key, &self.paths.bundle].into_iter().map(file_version).collect();
        if cache.versions != versions {
            cache.versions = versions;
            cache.error = None;
            match self.read().await.and_then(|identity| identity.check_not_expired(now).map(|()| identity)) {
                Ok(identity) => {
                    tracing::info!(spiffe_id = identity.spiffe_id(), "identity.loaded");
                    cache.identity = Some(Arc::new(identity));
                }
                Err(error) => {
                    tracing::warn!(%error, "identity.not_loaded");
                    cache.error = Some(error);
                }
            }
        }
        match (&cache.identity, &cache.error) {
            (Some(identity), None) => identity.check_not_expired(now).map(|()| Arc::clone(identity)),
            (Some(identity), Some(error)) => {
                identity.check_not_expired(now).map(|()| Arc::clone(identity)).map_err(|_| error.clone())
            }
            (None, Some(error)) => Err(error.clone()),
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

/// Runs file I/O on a thread that may block.
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
        return Err(IdentityError::unusable(place, format!("is {length} bytes, over the limit of {MAX_FILE_BYTES}")));
    }
    std::fs::read(path).map_err(|error| IdentityError::unusable(place, error))
}

fn file_version(path: &PathBuf) -> Option<FileVersion> {
    use std::os::unix::fs::MetadataExt;
    let metadata = std::fs::metadata(path).ok()?;
    Some((metadata.len(), metadata.modified().ok(), metadata.ino()))
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}
