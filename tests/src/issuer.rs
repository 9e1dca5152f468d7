//! An issuer, its operator, and what agents and sites say to it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{env, fs};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::http::{self, Reply};
use crate::lime::{Output, lime};
use crate::{Process, Stream, free_port, records};

/// Twelve bits take a debug build some milliseconds.
const POW_DIFFICULTY: u8 = 12;

/// Eighteen digits.
const NONCE_START: u64 = 700_000_000_000_000_000;

/// How an issuer is to be configured.
#[derive(Clone, Debug, Default)]
pub struct IssuerSetup {
    settings: Vec<String>,
    store: Option<String>,
}

impl IssuerSetup {
    /// Adds a line to its configuration file.
    #[must_use]
    pub fn setting(mut self, line: &str) -> Self {
        self.settings.push(line.to_owned());
        self
    }

    /// Lets it keep its store in a new database of the PostgreSQL server that `tests/run` starts; `None` without one.
    #[must_use]
    pub fn on_postgres(mut self) -> Option<Self> {
        let Ok(server) = env::var("LIME_TEST_POSTGRES") else {
            crate::lime::show("NOT RUN on PostgreSQL: LIME_TEST_POSTGRES names no server");
            return None;
        };
        let name = format!("lime_e2e_{}_{}", std::process::id(), free_port());
        let psql = std::process::Command::new("psql")
            .args(["-q", "-v", "ON_ERROR_STOP=1", "-d", &server, "-c", &format!("CREATE DATABASE {name}")])
            .output()
            .unwrap();
        assert!(psql.status.success(), "{}", String::from_utf8_lossy(&psql.stderr));
        let (base, _) = server.rsplit_once('/').unwrap();
        self.store = Some(format!("{base}/{name}"));
        Some(self)
    }

    /// Starts it.
    #[must_use]
    pub fn start(self) -> Issuer {
        let folder = TempDir::new().unwrap();
        let port = free_port();
        let store = self.store.unwrap_or_else(|| "sqlite:issuer.db".to_owned());
        let mut config =
            format!("listen = \"127.0.0.1:{port}\"\nstore = \"{store}\"\nsecret = {{ file = \"issuer.secret\" }}\n");
        if !self.settings.iter().any(|line| line.starts_with("pow_difficulty")) {
            config.push_str(&format!("pow_difficulty = {POW_DIFFICULTY}\n"));
        }
        self.settings.iter().for_each(|line| config.push_str(&format!("{line}\n")));
        let file = folder.path().join("issuer.toml");
        fs::write(&file, config).unwrap();
        let process = run(&file);
        let url = format!("http://127.0.0.1:{port}");
        Issuer { api_base: format!("{url}/api/v1"), url, file, process, folder: Arc::new(folder) }
    }
}

fn run(file: &Path) -> Process {
    let process = Process::start("issuer", lime(["issuer", "run", "-c", file.to_str().unwrap(), "--json"]));
    assert!(process.ready().is_some(), "the issuer does not start:\n{}", process.said());
    process
}

/// A running issuer.
#[derive(Debug)]
pub struct Issuer {
    /// Its `iss`.
    pub url: String,
    /// The root of its API.
    pub api_base: String,
    /// The process; killed and started again by [`Issuer::restart`].
    pub process: Process,
    file: PathBuf,
    /// Gone with the last process that uses it.
    folder: Arc<TempDir>,
}

/// A site or gateway as it was registered.
#[derive(Clone, Debug)]
pub struct Registered {
    /// Its id.
    pub id: String,
    /// Its token.
    pub token: String,
}

/// An agent as it was registered.
#[derive(Clone, Debug)]
pub struct Agent {
    /// Its id.
    pub id: String,
    /// Its token.
    pub token: String,
}

/// What an agent reads before it approves.
#[derive(Clone, Debug)]
pub struct Challenge {
    /// The text to hash.
    pub text: String,
    /// Leading zero bits asked for.
    pub difficulty: u8,
    /// The whole answer.
    pub data: Value,
}

impl Challenge {
    /// A nonce that solves it, the first from `start` on.
    #[must_use]
    pub fn solve_from(&self, start: u64) -> u64 {
        let difficulty = pow::Difficulty::new(self.difficulty).unwrap();
        pow::solve(&self.text, difficulty, start, u64::MAX).unwrap()
    }

    /// A nonce that solves it: a long one, which stands in no log by chance.
    #[must_use]
    pub fn solve(&self) -> String {
        let nonce = self.solve_from(NONCE_START).to_string();
        records::secret(&nonce);
        nonce
    }
}

impl Issuer {
    /// One with a store on disk and defaults, except for an easier challenge.
    #[must_use]
    pub fn start() -> Self {
        IssuerSetup::default().start()
    }

    /// Its configuration file.
    #[must_use]
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// Starts it again where it was, after [`Process::kill`] or not.
    pub fn restart(&mut self) {
        self.process.kill();
        self.process = run(&self.file);
    }

    /// Another process with the same store, under the same name, on a port of its own.
    #[must_use]
    pub fn twin(&self) -> Self {
        let port = free_port();
        let config = fs::read_to_string(&self.file).unwrap();
        let (_, rest) = config.split_once('\n').unwrap();
        let file = self.file.with_file_name(format!("issuer-{port}.toml"));
        fs::write(&file, format!("listen = \"127.0.0.1:{port}\"\npublic_url = \"{}\"\n{rest}", self.url)).unwrap();
        let process = run(&file);
        let url = format!("http://127.0.0.1:{port}");
        Self { api_base: format!("{url}/api/v1"), url, file, process, folder: Arc::clone(&self.folder) }
    }

    /// Runs an operator's command.
    #[must_use]
    pub fn try_operate(&self, arguments: &[&str]) -> Output {
        let place = ["--json", "-c", self.file.to_str().unwrap()];
        Output::of(lime(["issuer"].iter().chain(arguments).chain(&place)))
    }

    /// Runs an operator's command that reads `input` and answers with one object.
    #[track_caller]
    pub fn operate_with_input(&self, arguments: &[&str], input: &str) -> Value {
        let place = ["--json", "-c", self.file.to_str().unwrap()];
        let command = lime(["issuer"].iter().chain(arguments).chain(&place));
        let mut lines = Output::with_input(command, input).json_lines();
        assert_eq!(lines.len(), 1, "{arguments:?}");
        lines.remove(0)
    }

    /// Runs an operator's command that answers with one object.
    #[track_caller]
    pub fn operate(&self, arguments: &[&str]) -> Value {
        let mut lines = self.try_operate(arguments).json_lines();
        assert_eq!(lines.len(), 1, "{arguments:?}");
        lines.remove(0)
    }

    /// Runs an operator's command that answers with a list.
    #[track_caller]
    #[must_use]
    pub fn list(&self, arguments: &[&str]) -> Vec<Value> {
        self.try_operate(arguments).json_lines()
    }

    /// Registers an owner; its id.
    #[must_use]
    pub fn owner(&self) -> String {
        text(&self.operate(&["owner", "add", "--name", "Owner"]), "owner_id")
    }

    /// Registers an owner who can sign in; its id.
    #[must_use]
    pub fn owner_who_signs_in(&self, user: &str, password: &str) -> String {
        records::secret(password);
        let arguments = ["owner", "add", "--name", "Owner", "--user", user, "--password"];
        text(&self.operate_with_input(&arguments, &format!("{password}\n")), "owner_id")
    }

    /// Registers a site of `owner`.
    #[must_use]
    pub fn site(&self, owner: &str, url: &str) -> Registered {
        let site = self.operate(&["site", "add", "--owner", owner, "--name", "Site", "--url", url]);
        Registered { id: text(&site, "site_id"), token: secret(&site, "site_token") }
    }

    /// Registers an agent of `owner` that may log in at `sites`; at any, if there is none.
    #[must_use]
    pub fn agent(&self, owner: &str, sites: &[&str]) -> Agent {
        let mut arguments = vec!["agent", "add", "--owner", owner, "--name", "Agent"];
        if sites.is_empty() {
            arguments.push("--any-site");
        }
        sites.iter().for_each(|site| arguments.extend(["--site", site]));
        let agent = self.operate(&arguments);
        Agent { id: text(&agent, "agent_id"), token: secret(&agent, "agent_token") }
    }

    /// Registers a gateway credential of `owner` for `sites`.
    #[must_use]
    pub fn gateway(&self, owner: &str, sites: &[&str]) -> Registered {
        let mut arguments = vec!["gateway", "add", "--owner", owner, "--name", "Gateway"];
        sites.iter().for_each(|site| arguments.extend(["--site", site]));
        let gateway = self.operate(&arguments);
        Registered { id: text(&gateway, "gateway_id"), token: secret(&gateway, "gateway_token") }
    }

    /// Asks `GET path` below the API base.
    #[must_use]
    pub fn get(&self, path: &str) -> http::Request {
        http::get(&format!("{}{path}", self.api_base))
    }

    /// Asks `POST path` below the API base.
    #[must_use]
    pub fn post(&self, path: &str, body: &Value) -> http::Request {
        http::post(&format!("{}{path}", self.api_base), body)
    }

    /// Opens a login request as a site does; its id.
    #[track_caller]
    #[must_use]
    pub fn open_login(&self, site: &Registered) -> String {
        let opened = self.post("/modules/agent-login/requests", &json!({})).header("X-Site-Token", &site.token).send();
        assert_eq!(opened.status, 201, "{}", opened.text());
        text(&opened.json()["data"], "login_request_id")
    }

    /// Reads the challenge of a login request.
    #[track_caller]
    #[must_use]
    pub fn challenge(&self, id: &str) -> Challenge {
        let reply = self.get(&format!("/auth/requests/{id}")).send();
        assert_eq!(reply.status, 200, "{}", reply.text());
        let data = reply.json()["data"].clone();
        let difficulty = u8::try_from(data["pow_difficulty"].as_u64().unwrap()).unwrap();
        Challenge { text: text(&data, "pow_challenge"), difficulty, data }
    }

    /// The approve of a login request, ready to be sent.
    #[must_use]
    pub fn approve(&self, id: &str, agent: &Agent, nonce: &str) -> http::Request {
        let path = format!("/modules/agent-login/requests/{id}/approve");
        self.post(&path, &json!({ "pow_nonce": nonce })).header("X-Agent-Token", &agent.token)
    }

    /// Approves a login request as an agent does.
    #[track_caller]
    pub fn log_in(&self, id: &str, agent: &Agent) -> Reply {
        self.approve(id, agent, &self.challenge(id).solve()).send()
    }

    /// Opens the event stream of a site.
    #[track_caller]
    #[must_use]
    pub fn events(&self, site: &Registered) -> Stream {
        Stream::open(&self.get("/modules/agent-login/events").header("X-Site-Token", &site.token))
    }

    /// Asks for an access token.
    #[must_use]
    pub fn try_token(&self, agent: &Agent, domain: &str) -> Reply {
        self.post("/modules/oauth/token", &json!({ "domain": domain })).header("X-Agent-Token", &agent.token).send()
    }

    /// An access token for `domain`.
    #[track_caller]
    #[must_use]
    pub fn token(&self, agent: &Agent, domain: &str) -> String {
        let reply = self.try_token(agent, domain);
        assert_eq!(reply.status, 200, "{}", reply.text());
        text(&reply.json(), "access_token")
    }

    /// The key set it publishes.
    #[track_caller]
    #[must_use]
    pub fn jwks(&self) -> Vec<u8> {
        let reply = self.get("/core/.well-known/jwks.json").send();
        assert_eq!(reply.status, 200);
        reply.body
    }
}

#[track_caller]
fn text(object: &Value, member: &str) -> String {
    object[member].as_str().unwrap_or_else(|| panic!("no {member} in {object}")).to_owned()
}

/// A member that must be in no log.
#[track_caller]
fn secret(object: &Value, member: &str) -> String {
    let secret = text(object, member);
    records::secret(&secret);
    secret
}
