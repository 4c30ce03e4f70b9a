//! Whoever answers `PromQL`: a Prometheus that scrapes `heal serve`, and a `VictoriaMetrics` that it sends OTLP to.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use crate::receiver::{Receiver, free_addresses};
use crate::support::{PATIENCE, get, http, root};

/// A series, with its value at the moment of the query.
#[derive(Debug, Clone)]
pub(crate) struct Sample {
    pub labels: BTreeMap<String, String>,
    pub value: f64,
}

/// A store that is queried by `PromQL`.
#[derive(Debug)]
pub(crate) struct Store {
    pub name: &'static str,
    pub url: String,
    _process: Receiver,
}

impl Store {
    /// Prometheus, which scrapes `targets` every second and evaluates `dashboards/alerts.yaml` as often.
    pub(crate) fn prometheus(program: &Path, targets: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let targets: Vec<_> = targets.iter().map(|url| url.strip_prefix("http://").unwrap()).collect();
        let configuration = serde_json::json!({
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "rule_files": [root().join("dashboards/alerts.yaml")],
            "scrape_configs": [{"job_name": "heal", "static_configs": [{"targets": targets}]}],
        });
        // JSON is YAML.
        std::fs::write(folder.path().join("prometheus.yml"), configuration.to_string()).unwrap();
        let [address] = free_addresses();
        let args = [
            "--config.file=prometheus.yml".to_owned(),
            "--storage.tsdb.path=data".to_owned(),
            format!("--web.listen-address={address}"),
        ];
        Self::start("Prometheus", program, folder, &address, &args)
    }

    /// `VictoriaMetrics`, which takes metrics by OTLP and shows them at once.
    pub(crate) fn victoria_metrics(program: &Path) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let [address] = free_addresses();
        let args = [
            "-storageDataPath=data".to_owned(),
            format!("-httpListenAddr={address}"),
            "-opentelemetry.usePrometheusNaming".to_owned(),
            "-search.latencyOffset=0s".to_owned(),
            "-search.disableCache".to_owned(),
            "-inmemoryDataFlushInterval=1s".to_owned(),
        ];
        Self::start("VictoriaMetrics", program, folder, &address, &args)
    }

    fn start(name: &'static str, program: &Path, folder: tempfile::TempDir, address: &str, args: &[String]) -> Self {
        let url = format!("http://{address}");
        let mut process = Receiver::start(program, folder, args);
        process.wait_until_ready(&url);
        Self { name, url, _process: process }
    }

    /// Where it takes metrics by OTLP.
    pub(crate) fn otlp_metrics(&self) -> String {
        format!("{}/opentelemetry/v1/metrics", self.url)
    }

    /// # Errors
    /// What it says against the query.
    pub(crate) async fn query(&self, query: &str) -> Result<Vec<Sample>, String> {
        let url = reqwest::Url::parse_with_params(&format!("{}/api/v1/query", self.url), &[("query", query)]).unwrap();
        let answer = http().get(url).send().await.map_err(|error| error.to_string())?;
        let text = answer.text().await.map_err(|error| error.to_string())?;
        let body: Value = serde_json::from_str(&text).map_err(|_| text.clone())?;
        match (body["status"].as_str(), body["data"]["result"].as_array()) {
            (Some("success"), Some(result)) => Ok(result.iter().map(sample).collect()),
            _ => Err(text),
        }
    }

    /// The answer to `query`, once it has one. A store that has just started may refuse queries for a moment.
    pub(crate) async fn eventually(&self, query: &str) -> Vec<Sample> {
        let give_up = tokio::time::Instant::now() + PATIENCE;
        loop {
            let answer = self.query(query).await;
            if let Ok(found) = &answer
                && !found.is_empty()
            {
                return found.clone();
            }
            assert!(tokio::time::Instant::now() < give_up, "{} has no series for {query}: {answer:?}", self.name);
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
    }

    /// The values of what it answers, by their labels.
    pub(crate) async fn values(&self, query: &str) -> BTreeMap<Vec<(String, String)>, String> {
        let found = self.query(query).await.unwrap_or_else(|said| panic!("{} on {query}: {said}", self.name));
        found.into_iter().map(|sample| (sample.labels.into_iter().collect(), sample.value.to_string())).collect()
    }

    /// Every rule that it evaluates: name, query, and how that went.
    pub(crate) async fn rules(&self) -> Vec<[String; 3]> {
        let (_, body) = get(&format!("{}/api/v1/rules", self.url)).await;
        let groups = body["data"]["groups"].as_array().unwrap_or_else(|| panic!("{body}"));
        let rules = groups.iter().flat_map(|group| group["rules"].as_array().unwrap());
        rules.map(|rule| ["name", "query", "health"].map(|field| rule[field].as_str().unwrap().to_owned())).collect()
    }
}

fn sample(of: &Value) -> Sample {
    let labels = of["metric"].as_object().unwrap().iter();
    Sample {
        labels: labels.map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned())).collect(),
        value: of["value"][1].as_str().unwrap().parse().unwrap(),
    }
}
