//! `heal serve` with identities, and under connections that do nothing.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::Duration;

use tokio::time::Instant;

use heal_sandbox::Seed;

use crate::support::{Serve, answer, env, heal, http, path, platform, playbooks};

/// Connections that do nothing.
const IDLE: usize = 5_000;
/// Connections that send one byte at a time.
const SLOW: usize = 100;
/// The longest `/health` may take meanwhile.
const HEALTHY: Duration = Duration::from_millis(100);
/// The most memory `heal serve` may have taken meanwhile, in KiB. The pages of the program itself are not counted: a debug build has 55 MiB of them.
const MEMORY_KIB: u64 = 100 * 1024;
/// Probes of `/health`, of which the median counts: a busy machine delays some.
const PROBES: usize = 21;

#[tokio::test(flavor = "multi_thread")]
async fn a_token_of_the_command_line_lets_in_until_it_is_revoked() {
    let platform = platform(Seed::healthy_worker());
    let folder = playbooks(&[("short.yaml", "actions: [{type: wait, parameters: {seconds: 1}}]\n")]);
    let tokens = folder.path().join("tokens.json");
    let create = ["token", "create", "ci", "--role", "viewer", "--expires-in", "1h", "--tokens", path(&tokens)];
    let token = heal(&create).exits(0).stdout.trim().to_owned();
    assert!(token.starts_with("heal_") && !std::fs::read_to_string(&tokens).unwrap().contains(&token));
    heal(&create).exits(2).complains(&["there is a token `ci` already"]);
    let listed = heal(&["token", "list", "--tokens", path(&tokens)]).exits(0).stdout;
    assert!(listed.contains("ci") && listed.contains("viewer") && !listed.contains(&token), "{listed}");
    let api = folder.path().join("api.yml");
    std::fs::write(&api, "tokens: tokens.json\n").unwrap();
    let mut env = env(&platform);
    env.push(("HEAL_API".to_owned(), path(&api).to_owned()));
    let serve = Serve::start(&folder.path().join("state.db"), &subfolder(folder.path()), &env);
    let url = format!("{}/api/v1/playbooks", serve.url);
    assert_eq!(answer(http().get(&url).send().await.unwrap()).await.0, 401);
    assert_eq!(answer(http().get(&url).bearer_auth(&token).send().await.unwrap()).await.0, 200);
    let halt = http().post(format!("{}/api/v1/halts", serve.url)).bearer_auth(&token).json(&serde_json::json!({}));
    assert_eq!(answer(halt.send().await.unwrap()).await.0, 403);
    heal(&["token", "revoke", "ci", "--tokens", path(&tokens)]).exits(0);
    let until = Instant::now() + Duration::from_secs(30);
    while answer(http().get(&url).bearer_auth(&token).send().await.unwrap()).await.0 != 401 {
        assert!(Instant::now() < until, "a revoked token is still good");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// A folder of playbooks of its own: the file of `--api` is none.
fn subfolder(folder: &Path) -> std::path::PathBuf {
    let playbooks = folder.join("playbooks");
    std::fs::create_dir(&playbooks).unwrap();
    std::fs::rename(folder.join("short.yaml"), playbooks.join("short.yaml")).unwrap();
    playbooks
}

#[test]
fn another_address_without_identities_does_not_start_and_says_what_to_do() {
    let folder = playbooks(&[("short.yaml", "actions: [{type: wait, parameters: {seconds: 1}}]\n")]);
    let state = folder.path().join("state.db");
    let args = ["serve", "--state", path(&state), "--playbooks", path(folder.path()), "--listen", "0.0.0.0:0"];
    heal(&args).exits(2).complains(&["without identities", "--api"]);
    let api = folder.path().join("api.txt");
    std::fs::write(&api, "token: x\noidc: {issuer: 'http://example.com'}\n").unwrap();
    let args = [&args[..], &["--api", path(&api)]].concat();
    heal(&args).exits(2).complains(&[
        "token: is not a key here",
        "oidc.issuer",
        "oidc.audience: is missing",
        "oidc.roles",
    ]);
    assert!(!state.exists(), "a refused start leaves no state file");
}

/// Scales to the descriptors that this process may have.
#[tokio::test(flavor = "multi_thread")]
async fn thousands_of_idle_and_slow_connections_leave_health_quick_and_memory_small() {
    let platform = platform(Seed::healthy_worker());
    let folder = playbooks(&[("short.yaml", "actions: [{type: wait, parameters: {seconds: 1}}]\n")]);
    let serve = Serve::start(&folder.path().join("state.db"), folder.path(), &env(&platform));
    let address: SocketAddr = serve.url.trim_start_matches("http://").parse().unwrap();
    let may_have = descriptors();
    let idle = IDLE.min(may_have.saturating_sub(SLOW + 500));
    eprintln!("{idle} idle connections, of {may_have} descriptors");
    let connect = |peer: usize| {
        // Each of these addresses of this machine is a peer of its own.
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind(format!("127.0.0.{}:0", 2 + peer % 10).parse().unwrap()).unwrap();
        socket.connect(address)
    };
    let before = memory_kib(serve.id());
    let mut open = Vec::new();
    for peer in 0..idle + SLOW {
        open.push(connect(peer).await.unwrap());
    }
    let mut took = Vec::new();
    for probe in 0..PROBES {
        let byte = b"GET /health?aaaaaaaaaaaaaaaaa"[probe];
        for stream in open.iter().take(SLOW) {
            let _ = stream.try_write(&[byte]);
        }
        took.push(health(address));
    }
    took.sort();
    let memory = memory_kib(serve.id());
    assert!(took[PROBES / 2] < HEALTHY, "{took:?}");
    assert!(memory < MEMORY_KIB, "{memory} KiB, {before} KiB without the connections");
    eprintln!("{memory} KiB, {before} KiB without the connections; /health {took:?}");
    drop(open);
}

/// How long `/health` takes over a new connection.
fn health(address: SocketAddr) -> Duration {
    let start = Instant::now();
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(b"GET /health HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    assert!(text.starts_with("HTTP/1.1 200"), "{text}");
    start.elapsed()
}

fn descriptors() -> usize {
    let text = std::fs::read_to_string("/proc/self/limits").unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("Max open files")).unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}

fn memory_kib(process: u32) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}
