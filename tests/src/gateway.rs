//! A gateway, and the sites in its configuration.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::TempDir;

use crate::http::{self, Request};
use crate::lime::lime;
use crate::{Process, free_port};

/// A running gateway.
#[derive(Debug)]
pub struct Gateway {
    /// Where it listens.
    pub url: String,
    /// Where it tells of itself.
    pub ops: String,
    /// The process; killed and started again by [`Gateway::restart`].
    pub process: Process,
    file: PathBuf,
    folder: TempDir,
}

impl Gateway {
    /// Starts one on a free port. `sites` makes the rest of the configuration, given the URL it will have; files that it
    /// names lie in the folder it is also given.
    #[must_use]
    pub fn start(sites: impl FnOnce(&str, &Path) -> String) -> Self {
        let folder = TempDir::new().unwrap();
        let port = free_port();
        let url = format!("http://127.0.0.1:{port}");
        let state = folder.path().join("state");
        let sites = sites(&url, folder.path());
        let mut config = format!("listen = \"127.0.0.1:{port}\"\n");
        let server = format!("[server]\nops_listen = \"127.0.0.1:0\"\nstate = {:?}\n", state.to_str().unwrap());
        // Keys of the top level come before the first table.
        let (top, sites) =
            sites.split_once('\n').filter(|(line, _)| line.starts_with("include")).unwrap_or(("", &sites));
        let (sites, more) = sites.split_once("[server]\n").unwrap_or((sites, ""));
        config.push_str(&format!("{top}\n"));
        config.push_str(&format!("{server}{more}{sites}"));
        let file = folder.path().join("lime.toml");
        fs::write(&file, config).unwrap();
        let (process, ops) = run(&file);
        Self { url, ops, process, file, folder }
    }

    /// Its configuration file.
    #[must_use]
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// The folder of its state.
    #[must_use]
    pub fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    /// Where it listens, as an address.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.url.strip_prefix("http://").unwrap().parse().unwrap()
    }

    /// Starts it again where it was, after [`Process::kill`] or not.
    pub fn restart(&mut self) {
        self.process.kill();
        (self.process, self.ops) = run(&self.file);
    }

    /// Asks for a path, by the address itself as host.
    #[must_use]
    pub fn get(&self, path: &str) -> Request {
        http::get(&format!("{}{path}", self.url))
    }

    /// What it says of itself to an operator.
    #[must_use]
    pub fn health(&self) -> Value {
        http::get(&format!("{}/readyz", self.ops)).send().json()
    }

    /// The sum of a counter over all its labels.
    #[must_use]
    pub fn counted(&self, metric: &str) -> u64 {
        let metrics = http::get(&format!("{}/metrics", self.ops)).send().text();
        let values = metrics.lines().filter_map(|line| {
            let (name, value) = line.rsplit_once(' ')?;
            let name = name.split('{').next()?;
            (name == metric).then(|| value.parse::<u64>().unwrap())
        });
        values.sum()
    }

    /// The access line of the request with this id, once it is written.
    #[track_caller]
    #[must_use]
    pub fn access_line(&self, request_id: &str) -> Value {
        let limit = std::time::Duration::from_secs(10);
        let line = self.process.json(limit, |line| line["request_id"] == request_id);
        line.unwrap_or_else(|| panic!("no access line for {request_id}"))
    }
}

fn run(file: &Path) -> (Process, String) {
    let process = Process::start("gateway", lime(["gateway", "run", "-c", file.to_str().unwrap(), "--json"]));
    let ready = process.ready().unwrap_or_else(|| panic!("the gateway does not start:\n{}", process.said()));
    let ops = ready["ops"].as_str().unwrap_or_else(|| panic!("no ops in {ready}")).to_owned();
    (process, ops)
}
