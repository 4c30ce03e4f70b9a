//! Chromium behind its driver, and a `heal serve` to look at.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use fantoccini::{Client, ClientBuilder, Locator};
use heal_sandbox::{Platform, Seed};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{PATIENCE, Serve, env, eventually, platform, root};

const DRIVER: &str = "/usr/bin/chromedriver";

/// A browser with one window, which ends with its driver when dropped.
pub(crate) struct Browser {
    pub client: Client,
    driver: Child,
    port: u16,
    _profile: TempDir,
}

/// A service with a sick worker.
pub(crate) struct Site {
    pub platform: Platform,
    pub serve: Serve,
    _folder: TempDir,
}

/// axe-core, or the reason why the tests are skipped.
#[expect(clippy::disallowed_methods, reason = "scripts/test.sh sets the variables")]
pub(crate) fn installed() -> Option<String> {
    let axe = std::fs::read_to_string(root().join(".tools/axe.min.js"));
    if let (true, Ok(axe)) = (Path::new(DRIVER).exists(), axe) {
        return Some(axe);
    }
    let skipped = "skipped: the console in a browser: Chromium or axe-core is missing (scripts/install-browser.sh)";
    assert!(!std::env::var("CI").is_ok_and(|ci| ci == "1" || ci == "true"), "{skipped}");
    eprintln!("{skipped}");
    if let Some(skips) = std::env::var_os("HEAL_TEST_SKIPS") {
        let mut skips = std::fs::OpenOptions::new().append(true).open(skips).unwrap();
        skips.write_all(format!("{skipped}\n").as_bytes()).unwrap();
    }
    None
}

impl Site {
    pub(crate) fn start(seed: Seed, playbooks: &Path) -> Self {
        Self::start_with(seed, playbooks, &[])
    }

    /// With `variables` besides those of the services.
    pub(crate) fn start_with(seed: Seed, playbooks: &Path, variables: &[(String, String)]) -> Self {
        let platform = platform(seed);
        let folder = tempfile::tempdir().unwrap();
        let variables: Vec<_> = env(&platform).into_iter().chain(variables.iter().cloned()).collect();
        let serve = Serve::start(&folder.path().join("state.db"), playbooks, &variables);
        Self { platform, serve, _folder: folder }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.serve.url)
    }
}

impl Browser {
    /// `dark`: as if the reader's system were dark.
    pub(crate) async fn start(dark: bool) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut command = Command::new(DRIVER);
        command.arg(format!("--port={port}")).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let driver = command.spawn().unwrap();
        eventually("the driver answers", || TcpStream::connect(("127.0.0.1", port)).ok());
        let profile = tempfile::tempdir().unwrap();
        let mut args = vec![
            "--headless=new".to_owned(),
            "--no-sandbox".to_owned(),
            "--disable-gpu".to_owned(),
            "--disable-dev-shm-usage".to_owned(),
            "--hide-scrollbars".to_owned(),
            format!("--user-data-dir={}", profile.path().display()),
        ];
        if dark {
            args.push("--force-dark-mode".to_owned());
        }
        let mut capabilities = serde_json::Map::new();
        capabilities.insert("goog:chromeOptions".to_owned(), json!({"args": args}));
        let mut builder = ClientBuilder::new(hyper_util::client::legacy::connect::HttpConnector::new());
        builder.capabilities(capabilities);
        let client = builder.connect(&format!("http://127.0.0.1:{port}")).await.unwrap();
        Self { client, driver, port, _profile: profile }
    }

    pub(crate) async fn open(&self, url: &str) {
        self.client.goto(url).await.unwrap();
    }

    /// The text of the page as a person sees it, once it has `text`.
    pub(crate) async fn sees(&self, text: &str) -> String {
        let give_up = tokio::time::Instant::now() + PATIENCE;
        loop {
            let page = self.run("return document.body.innerText").await;
            let page = page.as_str().unwrap_or_default();
            if page.contains(text) {
                return page.to_owned();
            }
            assert!(tokio::time::Instant::now() < give_up, "no {text:?} on the page:\n{page}");
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    }

    /// What a script in the page returns.
    pub(crate) async fn run(&self, script: &str) -> Value {
        self.client.execute(script, Vec::new()).await.unwrap_or_else(|error| panic!("{script}: {error}"))
    }

    pub(crate) async fn click(&self, css: &str) {
        let found = self.client.wait().at_most(PATIENCE).for_element(Locator::Css(css)).await;
        found.unwrap_or_else(|error| panic!("{css}: {error}")).click().await.unwrap();
    }

    pub(crate) async fn write(&self, css: &str, text: &str) {
        let field = self.client.wait().at_most(PATIENCE).for_element(Locator::Css(css)).await.unwrap();
        field.clear().await.unwrap();
        field.send_keys(text).await.unwrap();
    }

    /// Keeps a picture of the page in the docs, if `UPDATE_PICTURES` is set.
    #[expect(clippy::disallowed_methods, reason = "the switch that writes the pictures anew")]
    pub(crate) async fn picture(&self, name: &str) {
        if std::env::var_os("UPDATE_PICTURES").is_some() {
            let height = self.run("return document.documentElement.scrollHeight").await;
            let height = u32::try_from(height.as_u64().unwrap()).unwrap().clamp(600, 1_500);
            self.client.set_window_size(1_200, height + 140).await.unwrap();
            let picture = self.client.screenshot().await.unwrap();
            std::fs::write(root().join("docs/images").join(format!("{name}.png")), picture).unwrap();
        }
    }

    /// The driver ends its browser, then itself.
    fn shut_down(&self) -> std::io::Result<()> {
        let mut driver = TcpStream::connect(("127.0.0.1", self.port))?;
        driver.set_read_timeout(Some(PATIENCE))?;
        driver.write_all(b"GET /shutdown HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")?;
        driver.read_to_end(&mut Vec::new())?;
        Ok(())
    }

    /// Makes the window so many pixels wide.
    pub(crate) async fn width(&self, pixels: u32) {
        self.client.set_window_size(pixels, 1_000).await.unwrap();
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // A driver that is killed leaves its browser running.
        let _ = self.shut_down();
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}
