//! Reads the variables of the identity.

use std::path::PathBuf;

use crate::config::keys;
use crate::config::reader::Reader;
use crate::config::sections::{IdentityConfig, IdentitySource, PemPaths};
use crate::config::value::{self, SpiffeId};

pub(super) struct IdentityPart {
    trust_domain: Option<String>,
    source: Option<IdentitySource>,
    server_id: Option<SpiffeId>,
    jwt_audience: Option<String>,
}

/// The service account of the orchestrator as the platform deploys it.
const ORCHESTRATOR_PATH: &str = "/ns/neural-hive-orchestration/sa/orchestrator-dynamic";

impl IdentityPart {
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        let source = reader.required(keys::ENV_SPIFFE_SOURCE, |text| match text {
            "workload_api" | "files" | "secrets_manager" | "none" => Ok(text.to_owned()),
            _ => Err("workload_api, files, secrets_manager or none".to_owned()),
        });
        let domain = reader.required(keys::ENV_SPIFFE_TRUST_DOMAIN, value::trust_domain);
        let socket = reader.required(keys::ENV_SPIFFE_ENDPOINT_SOCKET, value::workload_socket);
        let server_id = reader.derived(
            keys::ENV_SPIFFE_SERVER_ID,
            domain.as_ref().map(|domain| format!("spiffe://{domain}{ORCHESTRATOR_PATH}")),
            SpiffeId::parse,
        );
        let jwt_audience = reader.derived(
            keys::ENV_SPIFFE_JWT_AUDIENCE,
            domain.as_ref().map(|domain| format!("orchestrator-dynamic.{domain}")),
            value::text,
        );
        let files = read_files(reader, source.as_deref() == Some("files"));
        let secret_id = reader.optional(keys::ENV_SPIFFE_SECRET_ID, value::text).flatten();
        let source = source.and_then(|source| match source.as_str() {
            "workload_api" => socket.map(|socket| IdentitySource::WorkloadApi { socket }),
            "files" => files.map(IdentitySource::Files),
            "secrets_manager" => {
                if secret_id.is_none() {
                    let expected = "the name or ARN of a secret, because SPIFFE_IDENTITY_SOURCE is secrets_manager";
                    reader.fault(keys::ENV_SPIFFE_SECRET_ID, None, expected);
                }
                secret_id.map(|secret_id| IdentitySource::SecretsManager { secret_id })
            }
            _ => Some(IdentitySource::None),
        });
        Self { trust_domain: domain, source, server_id, jwt_audience }
    }

    pub(super) fn finish(self) -> Option<(IdentityConfig, SpiffeId, String)> {
        let config = IdentityConfig { trust_domain: self.trust_domain?, source: self.source? };
        Some((config, self.server_id?, self.jwt_audience?))
    }
}

fn read_files(reader: &mut Reader<'_>, wanted: bool) -> Option<PemPaths> {
    let mut path = |name: &'static str, required: bool| {
        let path = reader.optional(name, value::text).flatten().map(PathBuf::from);
        if wanted && required && path.is_none() {
            let expected = "the path of a PEM file, because SPIFFE_IDENTITY_SOURCE is files";
            reader.fault(name, None, expected);
        }
        path
    };
    let chain = path(keys::ENV_SPIFFE_CERT_FILE, true);
    let key = path(keys::ENV_SPIFFE_KEY_FILE, true);
    let bundle = path(keys::ENV_SPIFFE_BUNDLE_FILE, true);
    let jwt = path(keys::ENV_SPIFFE_JWT_FILE, false);
    Some(PemPaths { chain: chain?, key: key?, bundle: bundle?, jwt })
}
