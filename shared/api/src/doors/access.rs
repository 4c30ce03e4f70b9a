//! The file of `--api`: the identities that the API knows, and the names of its server.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use jsonwebtoken::Algorithm;
use serde_json::{Map, Value};
use url::Url;

use super::oidc::{Client, Oidc, RoleClaim};
use crate::caller::Role;

/// Largest file, in bytes.
pub const FILE_BYTES: u64 = 64 * 1024;
/// Longest clock skew that a token may have, in seconds.
pub const MAX_LEEWAY_SECONDS: u64 = 300;
/// Clock skew that a token may have by default, in seconds.
pub const LEEWAY_SECONDS: u64 = 60;

const KEYS: [&str; 4] = ["hosts", "public_url", "tokens", "oidc"];
const KEYS_OF_OIDC: [&str; 7] =
    ["issuer", "audience", "algorithms", "leeway_seconds", "identity_claim", "client_id", "roles"];
const KEYS_OF_ROLES: [&str; 2] = ["claim", "map"];

/// Signatures that only the issuer can make. A shared secret (HMAC) is none: the server could forge it, and so could whoever has the public
/// key if the two were mixed up.
const ALGORITHMS: [(&str, Algorithm); 9] = [
    ("RS256", Algorithm::RS256),
    ("RS384", Algorithm::RS384),
    ("RS512", Algorithm::RS512),
    ("PS256", Algorithm::PS256),
    ("PS384", Algorithm::PS384),
    ("PS512", Algorithm::PS512),
    ("ES256", Algorithm::ES256),
    ("ES384", Algorithm::ES384),
    ("EdDSA", Algorithm::EdDSA),
];
const DEFAULT_ALGORITHMS: [Algorithm; 2] = [Algorithm::RS256, Algorithm::ES256];

/// Who may come in. The default names nobody.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Access {
    /// Names of this server besides `localhost` and its addresses.
    pub hosts: Vec<String>,
    /// Where people reach it, such as `https://heal.example.com`.
    pub public_url: Option<Url>,
    /// The file of API tokens.
    pub tokens: Option<PathBuf>,
    /// The issuer of OIDC tokens.
    pub oidc: Option<Oidc>,
}

impl Access {
    /// Reads the configuration; relative paths in it start at `folder`. `client_secret` is the secret of `oidc.client_id`, if it has one.
    ///
    /// # Errors
    /// Every fault, as `field: what is wrong`.
    pub fn read(value: &Value, folder: &Path, client_secret: Option<String>) -> Result<Self, Vec<String>> {
        let mut faults = Vec::new();
        let mut reader = Reader { faults: &mut faults, place: String::new() };
        let access = reader.access(value, folder, client_secret);
        match access {
            Some(access) if faults.is_empty() => Ok(access),
            Some(_) | None => Err(faults),
        }
    }
}

struct Reader<'f> {
    faults: &'f mut Vec<String>,
    /// The path of the object that is read, with a dot at its end.
    place: String,
}

impl Reader<'_> {
    fn access(&mut self, value: &Value, folder: &Path, client_secret: Option<String>) -> Option<Access> {
        let fields = self.object(value, "the file", &KEYS)?;
        let hosts = fields.get("hosts").map(|hosts| self.texts(hosts, "hosts")).unwrap_or_default();
        for host in hosts.iter().filter(|host| host.contains(['/', ':', ' '])) {
            self.fault("hosts", format!("`{host}` is not a bare name; write it without scheme and port"));
        }
        let public_url = fields.get("public_url").and_then(|url| self.url(url, "public_url"));
        let tokens = fields.get("tokens").and_then(|path| self.text(path, "tokens")).map(|path| folder.join(path));
        let oidc = fields.get("oidc").and_then(|oidc| {
            "oidc.".clone_into(&mut self.place);
            let oidc = self.oidc(oidc, client_secret);
            self.place.clear();
            oidc
        });
        if oidc.as_ref().is_some_and(|oidc| oidc.client.is_some()) && public_url.is_none() {
            self.fault("public_url", "is missing: with `oidc.client_id` the issuer sends people back there");
        }
        Some(Access { hosts, public_url, tokens, oidc })
    }

    fn oidc(&mut self, value: &Value, client_secret: Option<String>) -> Option<Oidc> {
        let fields = self.object(value, "oidc", &KEYS_OF_OIDC)?;
        let issuer = self.required(fields, "issuer");
        if let Some(issuer) = &issuer {
            self.check_url(issuer, "issuer");
        }
        let audience = self.required(fields, "audience");
        let algorithms = fields.get("algorithms").map(|value| self.algorithms(value));
        let leeway_seconds = fields.get("leeway_seconds").map_or(LEEWAY_SECONDS, |value| {
            value.as_u64().filter(|seconds| *seconds <= MAX_LEEWAY_SECONDS).unwrap_or_else(|| {
                self.fault("leeway_seconds", format!("is {value}, expected 0 to {MAX_LEEWAY_SECONDS} seconds"));
                LEEWAY_SECONDS
            })
        });
        let identity_claim = fields.get("identity_claim").and_then(|claim| self.text(claim, "identity_claim"));
        let client_id = fields.get("client_id").and_then(|id| self.text(id, "client_id"));
        let roles = self.roles(fields.get("roles").unwrap_or(&Value::Null));
        Some(Oidc {
            issuer: issuer?,
            audience: audience?,
            algorithms: algorithms.unwrap_or_else(|| DEFAULT_ALGORITHMS.to_vec()),
            leeway_seconds,
            identity_claim: identity_claim.unwrap_or_else(|| "sub".to_owned()),
            roles: roles?,
            client: client_id.map(|id| Client { id, secret: client_secret }),
        })
    }

    fn roles(&mut self, value: &Value) -> Option<RoleClaim> {
        "oidc.roles.".clone_into(&mut self.place);
        let fields = self.object(value, "oidc.roles", &KEYS_OF_ROLES);
        let role = fields.and_then(|fields| {
            let claim = self.required(fields, "claim");
            let mut map = BTreeMap::new();
            let entries = fields.get("map").and_then(Value::as_object).filter(|map| !map.is_empty());
            if entries.is_none() {
                self.fault("map", "is missing, expected values of the claim, each with a role");
            }
            for (name, role) in entries.into_iter().flatten() {
                match role.as_str().and_then(Role::from_name) {
                    Some(role) => drop(map.insert(name.clone(), role)),
                    None => self.fault(
                        &format!("map.{name}"),
                        format!("is {role}, expected `viewer`, `operator`, `approver` or `admin`"),
                    ),
                }
            }
            Some(RoleClaim { claim: claim?, map })
        });
        "oidc.".clone_into(&mut self.place);
        role
    }

    fn algorithms(&mut self, value: &Value) -> Vec<Algorithm> {
        let names = self.texts(value, "algorithms");
        let mut algorithms = Vec::new();
        for name in &names {
            if let Some((_, algorithm)) = ALGORITHMS.iter().find(|(known, _)| known == name) {
                algorithms.push(*algorithm);
            } else {
                let known = ALGORITHMS.map(|(name, _)| name).join(", ");
                self.fault("algorithms", format!("`{name}` is not accepted, expected some of {known}"));
            }
        }
        if names.is_empty() {
            self.fault("algorithms", "is empty, expected at least one algorithm");
        }
        algorithms
    }

    fn object<'v>(&mut self, value: &'v Value, name: &str, known: &[&str]) -> Option<&'v Map<String, Value>> {
        let Some(fields) = value.as_object() else {
            self.faults.push(format!("{name}: is {}, expected an object", heal_engine::template::brief(value)));
            return None;
        };
        for key in fields.keys().filter(|key| !known.contains(&key.as_str())) {
            self.fault(key, format!("is not a key here, expected one of {}", known.join(", ")));
        }
        Some(fields)
    }

    fn required(&mut self, fields: &Map<String, Value>, name: &str) -> Option<String> {
        if let Some(value) = fields.get(name) {
            return self.text(value, name);
        }
        self.fault(name, "is missing");
        None
    }

    fn text(&mut self, value: &Value, name: &str) -> Option<String> {
        let text = value.as_str().filter(|text| !text.trim().is_empty());
        if text.is_none() {
            self.fault(name, format!("is {}, expected a text", heal_engine::template::brief(value)));
        }
        text.map(ToOwned::to_owned)
    }

    fn texts(&mut self, value: &Value, name: &str) -> Vec<String> {
        let Some(items) = value.as_array() else {
            self.fault(name, format!("is {}, expected a list of texts", heal_engine::template::brief(value)));
            return Vec::new();
        };
        items.iter().filter_map(|item| self.text(item, name)).collect()
    }

    fn url(&mut self, value: &Value, name: &str) -> Option<Url> {
        let text = self.text(value, name)?;
        self.check_url(&text, name)
    }

    /// HTTPS, or HTTP on this machine.
    fn check_url(&mut self, text: &str, name: &str) -> Option<Url> {
        let url = match Url::parse(text) {
            Ok(url) => url,
            Err(error) => {
                self.fault(name, format!("`{text}` is not a URL: {error}"));
                return None;
            }
        };
        let is_local = matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
        if url.scheme() == "https" || (url.scheme() == "http" && is_local) {
            return Some(url);
        }
        self.fault(name, format!("`{text}` has no HTTPS, expected `https://…`; `http://` is for loopback only"));
        None
    }

    fn fault(&mut self, name: &str, message: impl std::fmt::Display) {
        self.faults.push(format!("{}{name}: {message}", self.place));
    }
}

#[cfg(test)]
mod tests {
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
        assert_eq!(access.tokens, Some(PathBuf::from("/etc/heal/tokens.json")));
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
}
