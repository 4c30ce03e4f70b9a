//! The file of `--api`: the identities that the API knows, and the names of its server.

use std::collections::BTreeMap;
use std::path::Path;

use jsonwebtoken::Algorithm;
use serde_json::{Map, Value};
use url::Url;

use super::iam::{self, IamRoles};
use super::oidc::{Client, Oidc, RoleClaim};
use super::rate::{CallerRate, MAX_REQUESTS_PER_SECOND};
use super::token::{TokenSource, Tokens};
use crate::caller::Role;

/// Largest file, in bytes.
pub const FILE_BYTES: u64 = 64 * 1024;
/// Longest clock skew that a token may have, in seconds.
pub const MAX_LEEWAY_SECONDS: u64 = 300;
/// Clock skew that a token may have by default, in seconds.
pub const LEEWAY_SECONDS: u64 = 60;

const KEYS: [&str; 6] = ["hosts", "public_url", "tokens", "oidc", "iam", "requests_per_second"];
const KEYS_OF_OIDC: [&str; 7] =
    ["issuer", "audience", "algorithms", "leeway_seconds", "identity_claim", "client_id", "roles"];
const KEYS_OF_ROLES: [&str; 2] = ["claim", "map"];
const KEYS_OF_IAM: [&str; 1] = ["roles"];

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
    /// The API tokens.
    pub tokens: Option<TokenSource>,
    /// The issuer of OIDC tokens.
    pub oidc: Option<Oidc>,
    /// The roles of IAM principals, behind API Gateway.
    pub iam: IamRoles,
    /// How often a caller may send requests.
    pub rate: CallerRate,
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
        let tokens = fields.get("tokens").and_then(|tokens| self.tokens(tokens, folder));
        let oidc = fields.get("oidc").and_then(|oidc| {
            "oidc.".clone_into(&mut self.place);
            let oidc = self.oidc(oidc, client_secret);
            self.place.clear();
            oidc
        });
        let iam = fields.get("iam").map(|iam| self.iam(iam)).unwrap_or_default();
        if oidc.as_ref().is_some_and(|oidc| oidc.client.is_some()) && public_url.is_none() {
            self.fault("public_url", "is missing: with `oidc.client_id` the issuer sends people back there");
        }
        let rate = fields.get("requests_per_second").map(|rate| self.rate(rate)).unwrap_or_default();
        Some(Access { hosts, public_url, tokens, oidc, iam, rate })
    }

    fn rate(&mut self, value: &Value) -> CallerRate {
        let rate = value.as_u64().and_then(CallerRate::new);
        rate.unwrap_or_else(|| {
            self.fault("requests_per_second", format!("is {value}, expected 1 to {MAX_REQUESTS_PER_SECOND}"));
            CallerRate::default()
        })
    }

    /// The name of a file, or the tokens themselves, as `heal access compile` writes them.
    fn tokens(&mut self, value: &Value, folder: &Path) -> Option<TokenSource> {
        if !value.is_object() {
            return self.text(value, "tokens").map(|path| TokenSource::File(folder.join(path)));
        }
        let tokens = serde_json::from_value::<Tokens>(value.clone()).map_err(|error| error.to_string());
        match tokens.and_then(Tokens::checked) {
            Ok(tokens) => Some(TokenSource::Inline(tokens)),
            Err(detail) => {
                self.fault("tokens", detail);
                None
            }
        }
    }

    fn iam(&mut self, value: &Value) -> IamRoles {
        "iam.".clone_into(&mut self.place);
        let roles = self.object(value, "iam", &KEYS_OF_IAM).map(|fields| self.map(fields, "roles"));
        let roles = roles.unwrap_or_default();
        for arn in roles.keys().filter(|arn| !iam::is_principal(arn)) {
            self.fault(&format!("roles.{arn}"), format!("is not a principal, expected {}", iam::FORM));
        }
        self.place.clear();
        IamRoles(roles)
    }

    /// Names, each with a role.
    fn map(&mut self, fields: &Map<String, Value>, name: &str) -> BTreeMap<String, Role> {
        let entries = fields.get(name).and_then(Value::as_object).filter(|map| !map.is_empty());
        if entries.is_none() {
            self.fault(name, "is missing, expected names, each with a role");
        }
        let mut map = BTreeMap::new();
        for (key, role) in entries.into_iter().flatten() {
            match role.as_str().and_then(Role::from_name) {
                Some(role) => drop(map.insert(key.clone(), role)),
                None => self.fault(
                    &format!("{name}.{key}"),
                    format!("is {role}, expected `viewer`, `operator`, `approver` or `admin`"),
                ),
            }
        }
        map
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
            let map = self.map(fields, "map");
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
mod tests;
