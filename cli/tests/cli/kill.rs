//! A service that is killed at any moment loses no run and applies no effect twice.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Serve, command, get, http, path, playbooks};

const KILLS: u64 = 20;
/// Approximate duration of a run: each of its calls is delayed on purpose, so that most kills hit the middle of one.
const RUN_MS: u64 = 700;
const CALL_MS: u64 = 40;

/// Each run has a worker of its own, and so many in so short a time would be a storm.
const NO_STORMS: &str = "storms: {kubernetes: {targets: 0}}\n";
/// Six steps, five of them with an effect.
const PLAYBOOK: &str = r#"
triggers: [{incident_type: KILL}]
actions:
  - {type: check_worker_health, parameters: {worker_id: "{{ worker_id }}"}}
  - {type: restart_pod, parameters: {pod_name: "{{ worker_id }}"}}
  - {type: reallocate_ticket, parameters: {ticket_id: "{{ ticket_id }}", reason: killed}}
  - {type: update_ticket_status, parameters: {ticket_id: "{{ ticket_id }}", status: running}}
  - {type: restart_workflow, parameters: {workflow_id: "{{ workflow_id }}", reason: killed}}
  - {type: pause_workflow, parameters: {workflow_id: "{{ workflow_id }}", reason: killed}}
"#;

/// A `heal sandbox`; killed when dropped.
struct Sandbox {
    child: Child,
    env: Vec<(String, String)>,
    control: String,
}

impl Sandbox {
    fn start(seed: &std::path::Path) -> Self {
        let mut command = command(&["sandbox", "--json", "--seed", path(seed)]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let said: Value = serde_json::from_str(&line).unwrap();
        let env = said["env"].as_object().unwrap().iter();
        let env = env.map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned())).collect();
        Self { child, env, control: said["control_url"].as_str().unwrap().to_owned() }
    }

    /// Every call is performed at once and answered late, so that a killed caller never receives the response.
    async fn slow_down(&self) {
        for service in ["tickets", "orchestrator", "kubernetes"] {
            let fault = json!({"service": service, "fault": {"slow": {"by_ms": CALL_MS}}});
            let answer = http().put(format!("{}/faults", self.control)).json(&fault).send().await.unwrap();
            assert_eq!(answer.status(), 200, "{}", answer.text().await.unwrap());
        }
    }

    /// How often each effect was applied.
    async fn effects(&self) -> BTreeMap<String, u32> {
        let (_, calls) = get(&format!("{}/calls?effects=true", self.control)).await;
        let mut effects = BTreeMap::new();
        for call in calls.as_array().unwrap() {
            let name = format!("{} {}", call["operation"].as_str().unwrap(), call["target"].as_str().unwrap());
            *effects.entry(name).or_default() += 1;
        }
        effects
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The splitmix64 generator.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound
    }
}

fn seed_of_this_run() -> u64 {
    #[expect(clippy::disallowed_methods, reason = "a person repeats a failure with the seed")]
    let given = std::env::var("HEAL_TEST_SEED").ok().and_then(|text| text.parse().ok());
    given.unwrap_or_else(|| std::time::UNIX_EPOCH.elapsed().unwrap().as_secs())
}

/// The world: for every run a worker, a ticket and a workflow of its own.
fn world() -> Value {
    let all = 0..KILLS;
    let owner = json!({"kind": "StatefulSet", "name": "worker"});
    json!({
        "pods": all.clone().map(|run| json!({"namespace": "neural-hive-execution", "name": format!("worker-{run}"), "owner": owner,
            "ready": false, "restarts": 7, "waiting_reason": "CrashLoopBackOff"})).collect::<Vec<_>>(),
        "tickets": all.clone().map(|run| json!({"ticket_id": format!("ticket-{run}"), "status": "RUNNING",
            "assigned_worker": format!("worker-{run}")})).collect::<Vec<_>>(),
        "workflows": all.map(|run| json!({"workflow_id": format!("wf-{run}"), "state": "PAUSED"})).collect::<Vec<_>>(),
    })
}

fn effects_of(run: u64) -> [String; 5] {
    [
        format!("delete_pod neural-hive-execution/worker-{run}"),
        format!("reallocate_ticket ticket-{run}"),
        format!("update_ticket ticket-{run}"),
        format!("ResumeWorkflow wf-{run}"),
        format!("PauseWorkflow wf-{run}"),
    ]
}

/// A slow sandbox, and the files of the service.
struct Site {
    folder: tempfile::TempDir,
    sandbox: Sandbox,
}

impl Site {
    async fn new() -> Self {
        let folder = playbooks(&[("six.yaml", PLAYBOOK), ("guardrails.yaml", NO_STORMS)]);
        let world_file = folder.path().join("world.json");
        std::fs::write(&world_file, world().to_string()).unwrap();
        let sandbox = Sandbox::start(&world_file);
        sandbox.slow_down().await;
        Self { folder, sandbox }
    }

    fn serve(&self) -> Serve {
        Serve::start(&self.folder.path().join("state.db"), self.folder.path(), &self.sandbox.env)
    }

    /// How many of a run's effects have been applied.
    async fn done(&self, run: u64) -> usize {
        let effects = self.sandbox.effects().await;
        effects_of(run).iter().filter(|effect| effects.contains_key(*effect)).count()
    }

    /// Fails unless each effect of the first `runs` runs was applied once, and no other effect.
    async fn each_once(&self, runs: u64, seed: u64) {
        let effects = self.sandbox.effects().await;
        let expected: BTreeMap<_, _> = (0..runs).flat_map(effects_of).map(|effect| (effect, 1)).collect();
        assert_eq!(effects, expected, "seed {seed}");
    }
}

async fn begin(serve: &Serve, run: u64) {
    let request = json!({"remediation_id": format!("run-{run}"), "incident_id": format!("incident-{run}"), "playbook_name": "six",
        "parameters": {"worker_id": format!("worker-{run}"), "ticket_id": format!("ticket-{run}"), "workflow_id": format!("wf-{run}")}});
    let url = format!("{}/api/v1/remediation/execute", serve.url);
    assert_eq!(http().post(url).json(&request).send().await.unwrap().status(), 202);
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_kills_at_random_moments_lose_no_run_and_repeat_no_effect() {
    let seed = seed_of_this_run();
    println!("repeat with HEAL_TEST_SEED={seed}");
    let mut random = Random(seed);
    let site = Site::new().await;
    let mut in_the_middle = 0;
    let mut serve = site.serve();
    for run in 0..KILLS {
        begin(&serve, run).await;
        let moment = random.below(RUN_MS);
        tokio::time::sleep(Duration::from_millis(moment)).await;
        serve.kill();
        let done = site.done(run).await;
        println!("run {run} killed after {moment} ms, with {done} of 5 effects done");
        in_the_middle += u32::from(done < 5);
        serve = site.serve();
        let ended = ended(&serve.url, &format!("run-{run}")).await;
        assert_eq!(ended["status"], "COMPLETED", "seed {seed}, run {run} killed after {moment} ms: {ended:#}");
    }
    site.each_once(KILLS, seed).await;
    assert!(in_the_middle >= 8, "seed {seed}: only {in_the_middle} of {KILLS} kills came before the run's last effect");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_run_that_is_killed_again_and_again_ends_too() {
    let seed = seed_of_this_run();
    println!("repeat with HEAL_TEST_SEED={seed}");
    let mut random = Random(seed);
    let site = Site::new().await;
    let mut serve = site.serve();
    begin(&serve, 0).await;
    for _ in 0..KILLS {
        // Usually shorter than one step, so that the same message is delivered again and again.
        tokio::time::sleep(Duration::from_millis(random.below(CALL_MS * 2))).await;
        serve.kill();
        serve = site.serve();
    }
    let ended = ended(&serve.url, "run-0").await;
    assert_eq!(ended["status"], "COMPLETED", "seed {seed}: {ended:#}");
    site.each_once(1, seed).await;
}

async fn ended(url: &str, id: &str) -> Value {
    let give_up = tokio::time::Instant::now() + crate::support::PATIENCE;
    loop {
        let (status, body) = get(&format!("{url}/api/v1/remediation/{id}/status")).await;
        assert_eq!(status, 200, "{body}");
        if body["result"].is_object() {
            return body;
        }
        assert!(tokio::time::Instant::now() < give_up, "{id} did not end: {body:#}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
