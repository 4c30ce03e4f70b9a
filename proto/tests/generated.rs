//! The checked-in code equals the code generated from the `.proto` files.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::Path;

/// If set, the test writes the generated code instead of comparing it.
const ENV_UPDATE: &str = "UPDATE_GENERATED";

/// The stem of each proto file, and its package, after which the generator names the code (`_` if there is none).
const GENERATED: [(&str, &str); 3] =
    [("orchestrator", "orchestrator"), ("health", "grpc.health.v1"), ("workload", "_")];

fn generate(proto: &str, package: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let descriptors = protox::compile([format!("{proto}.proto")], [root]).expect("the proto compiles");
    let out = tempfile::tempdir().unwrap();
    tonic_prost_build::configure()
        .build_transport(false)
        // Ordered maps give equal messages equal bytes.
        .btree_map(".")
        .client_mod_attribute(".", "#[cfg(feature = \"client\")]")
        .server_mod_attribute(".", "#[cfg(feature = \"server\")]")
        .emit_rerun_if_changed(false)
        .out_dir(out.path())
        .compile_fds(descriptors)
        .expect("code is generated");
    std::fs::read_to_string(out.path().join(format!("{package}.rs"))).unwrap()
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a person sets the variable")]
fn the_checked_in_code_is_generated_from_the_proto() {
    for (proto, package) in GENERATED {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("src/gen/{proto}.rs"));
        let expected = generate(proto, package);
        if std::env::var_os(ENV_UPDATE).is_some() {
            std::fs::write(&path, &expected).unwrap();
        }
        let found = std::fs::read_to_string(&path).unwrap();
        assert!(
            found == expected,
            "src/gen/{proto}.rs differs from the code generated from {proto}.proto; \
             rewrite it with: {ENV_UPDATE}=1 cargo test -p heal-proto"
        );
    }
}
