//! An issuer, a gateway before an MCP server, and an owner who can sign in.

use std::fs;

use lime_tests::http::{self, Reply, Request};
use lime_tests::{Certificate, Gateway, Issuer, IssuerSetup, Process, Registered, free_port, node, python, records};
use serde_json::{Value, json};
use tempfile::TempDir;

pub(super) const USER: &str = "owner";
pub(super) const PASSWORD: &str = "correct horse battery staple";

pub(super) const VERSION: &str = "2026-07-28";
pub(super) const OLDER_VERSION: &str = "2025-11-25";

/// The MCP server itself.
pub(super) struct Upstream {
    pub(super) url: String,
    _process: Process,
}

impl Upstream {
    /// `manner`: `strict`, or `lax` for one that believes bodies, whatever the headers say.
    pub(super) fn start(manner: &str) -> Self {
        let port = free_port().to_string();
        let mut command = node::node("mcp/upstream.mjs");
        command.args([&port, "both", manner]);
        let process = Process::start("mcp server", command);
        assert!(process.ready().is_some(), "it does not start:\n{}", process.said());
        Self { url: format!("http://127.0.0.1:{port}"), _process: process }
    }

    /// Method, headers and length of every request that reached it, in order.
    pub(super) fn seen(&self) -> Vec<Value> {
        http::get(&format!("{}/seen", self.url)).send().json().as_array().unwrap().clone()
    }

    pub(super) fn last(&self) -> Value {
        self.seen().pop().expect("a request reached it")
    }
}

/// How a scene differs from the usual one.
#[derive(Default)]
pub(super) struct Setup {
    pub(super) issuer: IssuerSetup,
    /// Lines of `[issuer.id]` at the gateway.
    pub(super) trust: &'static str,
    /// Lines of the site at the gateway.
    pub(super) site: &'static str,
    /// What the gateway does about what it finds: `enforce` unless it is set.
    pub(super) mode: Option<&'static str>,
    /// Lines of `[site.mcp]` at the gateway; `OWNER_ID` stands for that of the owner who signs in.
    pub(super) endpoint: &'static str,
    /// Another server than the usual, behind the gateway.
    pub(super) origin: Option<String>,
    /// Whether tools are told apart.
    pub(super) rules: Rules,
    pub(super) manner: Manner,
    /// The site's URL, where it is not to be the gateway's address.
    pub(super) url: Option<&'static str>,
    /// Whether the gateway speaks TLS on another port, with the certificate of the scene.
    pub(super) tls: Tls,
    /// The `host:port` of TLS servers that client documents may lie at, beside that of the scene.
    pub(super) documents_at: Vec<String>,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Rules {
    #[default]
    ByTool,
    None,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Tls {
    #[default]
    None,
    At(u16),
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Manner {
    #[default]
    Strict,
    Lax,
}

pub(super) struct Scene {
    pub(super) issuer: Issuer,
    pub(super) owner: String,
    pub(super) site: Registered,
    pub(super) gateway: Gateway,
    pub(super) upstream: Upstream,
    /// Of `localhost`, believed by the issuer.
    pub(super) certificate: Certificate,
    /// The issuer may read client documents there, at `localhost`.
    pub(super) document_port: u16,
    /// What tokens are for.
    pub(super) resource: String,
    _folder: TempDir,
}

impl Scene {
    pub(super) fn new() -> Self {
        Self::with(Setup::default())
    }

    pub(super) fn with(setup: Setup) -> Self {
        let folder = TempDir::new().unwrap();
        let certificate = Certificate::make(folder.path(), &["localhost"]);
        Self::believing(certificate, folder, setup)
    }

    /// One whose issuer believes a certificate that was made before.
    pub(super) fn believing(certificate: Certificate, folder: TempDir, setup: Setup) -> Self {
        let document_port = free_port();
        let allowed: Vec<String> =
            setup.documents_at.iter().cloned().chain([format!("localhost:{document_port}")]).collect();
        let documents = format!("cimd = {{ allow = {allowed:?}, ca = {:?} }}", certificate.chain.to_str().unwrap());
        let issuer = setup.issuer.setting(&documents).start();
        let owner = issuer.owner_who_signs_in(USER, PASSWORD);
        let manner = if setup.manner == Manner::Lax { "lax" } else { "strict" };
        let upstream = Upstream::start(manner);
        let rules = match setup.rules {
            Rules::None => "",
            Rules::ByTool => {
                "[[site.mcp.rule]]\ntool = \"delete_*\"\npolicy = \"writers\"\n\
                 [[site.mcp.rule]]\ntool = \"internal_*\"\ndeny = true\n"
            }
        };
        let tls = match setup.tls {
            Tls::None => String::new(),
            Tls::At(port) => certificate.settings(port),
        };
        let mut registered = None;
        let gateway = Gateway::start(|url, folder| {
            let url = setup.url.unwrap_or(url);
            let site = issuer.site(&owner, url);
            fs::write(folder.join("site.token"), &site.token).unwrap();
            registered = Some((site, format!("{url}/mcp")));
            format!(
                "[issuer.id]\nurl = \"{}\"\n{}\n\
                 [policy.writers]\nrequire = \"passport\"\nscopes = [\"mcp:write\"]\n\
                 [[site]]\nurl = \"{url}\"\norigin = \"{}\"\nmode = \"{}\"\nissuer = \"id\"\n\
                 credential = {{ file = \"site.token\" }}\n{}\
                 [site.mcp]\nscopes = [\"mcp:read\"]\n{}{rules}{tls}",
                issuer.url,
                setup.trust,
                setup.origin.as_ref().unwrap_or(&upstream.url),
                setup.mode.unwrap_or("enforce"),
                setup.site,
                setup.endpoint.replace("OWNER_ID", &owner)
            )
        });
        let (site, resource) = registered.unwrap();
        let scopes = ["--scope", "mcp:read=Read your notes", "--scope", "mcp:write=Delete your notes"];
        let place = ["resource", "add", "--site", &site.id, "--url", &resource];
        issuer.operate(&[&place[..], &scopes].concat());
        Self { issuer, owner, site, gateway, upstream, certificate, document_port, resource, _folder: folder }
    }

    /// What the scripts of real clients are told.
    pub(super) fn environment(&self) -> Vec<(String, String)> {
        let path = |path: &std::path::Path| path.to_str().unwrap().to_owned();
        let known = [
            ("MCP_URL", self.resource.clone()),
            ("ISSUER", self.issuer.url.clone()),
            ("OWNER_USER", USER.to_owned()),
            ("OWNER_PASSWORD", PASSWORD.to_owned()),
            ("CIMD_CERT", path(&self.certificate.chain)),
            ("CIMD_KEY", path(&self.certificate.key)),
            ("CIMD_PORT", self.document_port.to_string()),
        ];
        known.map(|(name, value)| (format!("LIME_TEST_{name}"), value)).into()
    }

    /// A path of the issuer's OAuth module.
    pub(super) fn oauth(&self, path: &str) -> String {
        format!("{}/modules/oauth/{path}", self.issuer.api_base)
    }

    /// A message as it is sent to the MCP endpoint in the newer era, without a token.
    pub(super) fn message(&self, body: &Value) -> Request {
        let method = body["method"].as_str().unwrap_or_default();
        let params = &body["params"];
        let name = params["name"].as_str().or(params["uri"].as_str());
        let request = self.post(&body.to_string()).header("MCP-Protocol-Version", VERSION).header("Mcp-Method", method);
        name.map_or(request.clone(), |name| request.header("Mcp-Name", name))
    }

    /// Bytes posted to the MCP endpoint.
    pub(super) fn post(&self, body: &str) -> Request {
        let request = http::request("POST", &format!("{}/mcp", self.gateway.url));
        let request = request.header("Content-Type", "application/json");
        request.header("Accept", "application/json, text/event-stream").body(body)
    }

    /// Sends a message with a token.
    pub(super) fn say(&self, token: &str, body: &Value) -> Reply {
        self.message(body).bearer(token).send()
    }

    /// Calls `add` with a token.
    pub(super) fn add(&self, token: &str) -> Reply {
        self.say(token, &call("add", &json!({ "a": 2, "b": 40 })))
    }

    /// Changes what the issuer keeps, where one would wait for days or send a hundred thousand requests; the number of rows.
    pub(super) fn alter(&self, sql: &str) -> usize {
        let script = "import sqlite3, sys\nstore = sqlite3.connect(sys.argv[1], timeout=30)\n\
                      print(store.execute(sys.argv[2]).rowcount)\nstore.commit()";
        let store = self.issuer.file().with_file_name("issuer.db");
        let done = python::python().args(["-c", script]).arg(store).arg(sql).output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8(done.stdout).unwrap().trim().parse().unwrap()
    }

    /// A client of the operator's, for `client_credentials`: its id and secret.
    pub(super) fn machine(&self) -> (String, String) {
        let agent = self.issuer.agent(&self.owner, &[&self.site.id]);
        let client = self.issuer.operate(&["client", "add", "--agent", &agent.id, "--name", "Machine"]);
        let text = |name: &str| client[name].as_str().unwrap_or_else(|| panic!("no {name} in {client}")).to_owned();
        records::secret(&text("client_secret"));
        (text("client_id"), text("client_secret"))
    }
}

/// A request of the newer era.
pub(super) fn request(method: &str, params: &Value) -> Value {
    let mut params = params.clone();
    params["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": VERSION,
        "io.modelcontextprotocol/clientInfo": { "name": "test", "version": "1" },
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params })
}

/// A call of a tool.
pub(super) fn call(tool: &str, arguments: &Value) -> Value {
    request("tools/call", &json!({ "name": tool, "arguments": arguments }))
}

/// The JSON-RPC message in an answer, be it JSON or the last event of a stream.
#[track_caller]
pub(super) fn answer(reply: &Reply) -> Value {
    let text = reply.text();
    let is_stream = reply.header("content-type").is_some_and(|value| value.starts_with("text/event-stream"));
    let mut events = text.lines().filter_map(|line| line.strip_prefix("data:")).filter(|data| !data.trim().is_empty());
    let last = if is_stream { events.next_back().unwrap_or_default() } else { &text };
    serde_json::from_str(last.trim()).unwrap_or_else(|error| panic!("{error}: {reply:?}"))
}

/// The sum that `add` gave.
#[track_caller]
pub(super) fn added(reply: &Reply) {
    assert_eq!((reply.status, answer(reply)["result"]["content"][0]["text"].as_str()), (200, Some("42")), "{reply:?}");
}
