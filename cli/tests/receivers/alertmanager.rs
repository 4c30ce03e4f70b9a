//! A real Prometheus sees a worker down, a real Alertmanager tells, and the run that this started is withdrawn once the worker is up.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use heal_sandbox::Seed;
use serde_json::{Value, json};

use crate::receiver::{Receiver, free_addresses, installed};
use crate::support::{Serve, env, eventually, heal, path, platform, playbooks};

/// A remedy that is at work for as long as the test needs.
const PLAYBOOK: (&str, &str) = (
    "slowly.yaml",
    "timeout_seconds: 900\ntriggers: [{incident_type: WORKER_FAILURE}]\n\
     actions:\n  - {type: wait, parameters: {seconds: 600}}\n  - {type: restart_pod, needs: [wait], parameters: {pod_name: \"{{ worker_id }}\"}}\n",
);
const HOOKS: (&str, &str) = (
    "hooks.yaml",
    "rules:\n  - name: down\n    sources: alertmanager\n    match: {alertname: WorkerDown}\n\
     \x20   incident: {incident_type: WORKER_FAILURE, severity: \"{{ labels.severity | upper }}\", worker_id: \"{{ labels.worker_id }}\"}\n",
);

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_raised_when_alertmanager_fires_and_withdrawn_when_it_resolves() {
    let Some([prometheus, alertmanager]) = installed(["prometheus", "alertmanager"]) else { return };
    let (platform, folder) = (platform(Seed::unhealthy_worker()), playbooks(&[PLAYBOOK, HOOKS]));
    let state = folder.path().join("state.db");
    let serve = Serve::start(&state, folder.path(), &env(&platform));
    let [worker, at_prometheus, at_alertmanager] = free_addresses();
    let _tells = start_alertmanager(&alertmanager, &at_alertmanager, &serve.url);
    let _sees = start_prometheus(&prometheus, &at_prometheus, &at_alertmanager, &worker);

    let runs = || heal(&["runs", "list", "--state", path(&state), "--json"]).exits(0).json();
    let raised = eventually("Alertmanager raises a run", || runs().pop());
    assert_eq!((&raised["status"], &raised["outcome"]), (&"RUNNING".into(), &Value::Null), "{raised:#}");
    let incident_id = raised["incident_id"].as_str().unwrap();
    assert!(incident_id.starts_with("alertmanager:"), "{incident_id}");

    let up = Worker::start(&worker);
    let ended = eventually("the run is withdrawn", || runs().pop().filter(|run| !run["outcome"].is_null()));
    assert_eq!(ended["outcome"], "CANCELLED", "{ended:#}");
    assert_eq!(runs().len(), 1, "one alert, one run: {:#?}", runs());
    assert!(platform.effects().is_empty(), "{:?}", platform.effects());
    drop(up);
}

/// Tells at once and of every change.
fn start_alertmanager(program: &Path, address: &str, heal: &str) -> Receiver {
    let folder = tempfile::tempdir().unwrap();
    let configuration = json!({
        "route": {"receiver": "heal", "group_by": ["alertname"], "group_wait": "0s", "group_interval": "1s", "repeat_interval": "1s"},
        "receivers": [{"name": "heal", "webhook_configs": [{"url": format!("{heal}/hooks/alertmanager"), "send_resolved": true}]}],
    });
    // JSON is YAML.
    std::fs::write(folder.path().join("alertmanager.yml"), configuration.to_string()).unwrap();
    let args = [
        "--config.file=alertmanager.yml".to_owned(),
        "--storage.path=data".to_owned(),
        "--cluster.listen-address=".to_owned(),
        format!("--web.listen-address={address}"),
    ];
    let mut process = Receiver::start(program, folder, &args);
    process.wait_until_ready(&format!("http://{address}"));
    process
}

/// Looks at the worker every second.
fn start_prometheus(program: &Path, address: &str, alertmanager: &str, worker: &str) -> Receiver {
    let folder = tempfile::tempdir().unwrap();
    let rule = json!({"groups": [{"name": "workers", "rules": [{
        "alert": "WorkerDown", "expr": "up{job=\"workers\"} == 0",
        "labels": {"severity": "high"}, "annotations": {"summary": "{{ $labels.worker_id }} does not answer"},
    }]}]});
    let configuration = json!({
        "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
        "rule_files": ["rules.yml"],
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": [alertmanager]}]}]},
        "scrape_configs": [{"job_name": "workers", "static_configs": [{"targets": [worker], "labels": {"worker_id": "worker-1"}}]}],
    });
    std::fs::write(folder.path().join("rules.yml"), rule.to_string()).unwrap();
    std::fs::write(folder.path().join("prometheus.yml"), configuration.to_string()).unwrap();
    let args = [
        "--config.file=prometheus.yml".to_owned(),
        "--storage.tsdb.path=data".to_owned(),
        format!("--web.listen-address={address}"),
    ];
    let mut process = Receiver::start(program, folder, &args);
    process.wait_until_ready(&format!("http://{address}"));
    process
}

/// A worker that is up: it answers every scrape with nothing.
struct Worker {
    stop: Arc<AtomicBool>,
    address: String,
}

impl Worker {
    fn start(address: &str) -> Self {
        let listener = TcpListener::bind(address).unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if stopped.load(Ordering::Relaxed) {
                    return;
                }
                answer(stream);
            }
        });
        Self { stop, address: address.to_owned() }
    }
}

fn answer(mut stream: std::net::TcpStream) {
    let _ = stream.read(&mut [0; 4_096]);
    let _ = stream.write_all(
        b"HTTP/1.1 200 OK\r\ncontent-type: text/plain; version=0.0.4\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
    );
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let _ = std::net::TcpStream::connect(&self.address);
    }
}
