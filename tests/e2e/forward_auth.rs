//! Forward-auth: nginx, Caddy and Envoy keep the traffic and ask the gateway, each with its example of `config/examples`.

use std::fs;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;

use lime_tests::http::{self, Reply, Request};
use lime_tests::python::python;
use lime_tests::{Issuer, Output, Process, Stub, free_port, lime, until};
use tempfile::TempDir;

use crate::scene::Scene;

/// A proxy that asks the gateway, and everything it takes.
struct Front {
    scene: Scene,
    origin: Stub,
    /// Where the gateway answers other proxies.
    auth: String,
    /// Where the proxy listens.
    url: String,
    process: Option<Process>,
    /// Its configuration.
    _folder: TempDir,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Nginx,
    Caddy,
    Envoy,
}

impl Front {
    fn start(kind: Kind) -> Self {
        let (origin, auth, port) = (Stub::saying("from the site"), free_port(), free_port());
        let trusted = "trusted_proxies = [\"127.0.0.1\"]";
        let server = format!("[server]\nauth_listen = \"127.0.0.1:{auth}\"\n{trusted}\n");
        let scene = Scene::with(Issuer::start(), &origin.url, &server);
        let folder = TempDir::new().unwrap();
        let addresses = [
            ("127.0.0.1:8080", scene.gateway.address().to_string()),
            ("127.0.0.1:9181", format!("127.0.0.1:{auth}")),
            ("127.0.0.1:3000", origin.url.trim_start_matches("http://").to_owned()),
        ];
        let command = match kind {
            Kind::Nginx => nginx(folder.path(), port, &addresses),
            Kind::Caddy => caddy(folder.path(), port, &addresses),
            Kind::Envoy => envoy(folder.path(), port, &addresses),
        };
        let mut process = Process::start("front", command);
        until("the proxy listens", || {
            assert!(process.runs(), "{kind:?} does not start:\n{}", process.said());
            TcpStream::connect(("127.0.0.1", port)).is_ok()
        });
        let (url, auth) = (format!("http://127.0.0.1:{port}"), format!("http://127.0.0.1:{auth}/.lime/auth"));
        Self { scene, origin, auth, url, process: Some(process), _folder: folder }
    }

    fn request(&self, method: &str, path: &str) -> Request {
        http::request(method, &format!("{}{path}", self.url))
    }

    fn get(&self, path: &str) -> Request {
        // The site is known by the host alone.
        http::get(&format!("{}{path}", self.url))
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        // Workers of nginx are processes of their own: a killed master would leave them behind.
        if let Some(mut process) = self.process.take()
            && process.runs()
        {
            process.terminate();
            process.ended();
        }
    }
}

fn example(name: &str, addresses: &[(&str, String)]) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../config/examples/forward-auth").join(name);
    let text = fs::read_to_string(path).unwrap();
    addresses.iter().fold(text, |text, (written, real)| {
        assert!(text.contains(written), "{name} has no {written}");
        text.replace(written, real)
    })
}

fn nginx(folder: &Path, port: u16, addresses: &[(&str, String)]) -> Command {
    let server = example("nginx.conf", addresses).replace("listen 443 ssl;", &format!("listen 127.0.0.1:{port};"));
    let server: String =
        server.lines().filter(|line| !line.contains("ssl_certificate")).map(|line| format!("{line}\n")).collect();
    let home = folder.display();
    let paths =
        ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(|name| format!("{name}_temp_path {home}/{name};"));
    let user = if fs::metadata("/root").is_ok_and(|_| fs::read_dir("/root").is_ok()) { "user root;" } else { "" };
    let text = format!(
        "daemon off;\npid {home}/nginx.pid;\n{user}\nevents {{}}\nhttp {{\naccess_log off;\n{}\n{server}}}\n",
        paths.join("\n")
    );
    fs::write(folder.join("nginx.conf"), text).unwrap();
    let program = ["/usr/sbin/nginx", "/usr/local/sbin/nginx"].into_iter().find(|path| Path::new(path).exists());
    let mut command = Command::new(program.unwrap_or("nginx"));
    command.arg("-p").arg(folder).arg("-c").arg(folder.join("nginx.conf")).args(["-e", "stderr"]);
    command
}

fn caddy(folder: &Path, port: u16, addresses: &[(&str, String)]) -> Command {
    let text =
        example("Caddyfile", addresses).replace("shop.example.com {", &format!("http://:{port} {{\n\tbind 127.0.0.1"));
    fs::write(folder.join("Caddyfile"), format!("{{\n\tadmin off\n}}\n{text}")).unwrap();
    let mut command = Command::new("caddy");
    command.args(["run", "--adapter", "caddyfile", "--config"]).arg(folder.join("Caddyfile"));
    command.env("HOME", folder).env("XDG_DATA_HOME", folder).env("XDG_CONFIG_HOME", folder);
    command
}

fn envoy(folder: &Path, port: u16, addresses: &[(&str, String)]) -> Command {
    let mut text = example("envoy.yaml", &[])
        .replace("address: 0.0.0.0, port_value: 8000", &format!("address: 127.0.0.1, port_value: {port}"));
    for (written, real) in addresses {
        let of = |address: &str| format!("port_value: {}", address.rsplit_once(':').unwrap().1);
        text = text.replace(&of(written), &of(real));
    }
    fs::write(folder.join("envoy.yaml"), text).unwrap();
    let program = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../target/venv/bin/envoy");
    let mut command = Command::new(program);
    command.arg("-c").arg(folder.join("envoy.yaml")).args(["--log-level", "warning", "--disable-hot-restart"]);
    command
}

/// The one thing the origin was told by a name; empty and absent are the same to it.
#[track_caller]
fn told(front: &Front, name: &str) -> String {
    front.origin.last().header(name).unwrap_or_default().to_owned()
}

/// All that the origin was told last.
fn sent_on(front: &Front) -> String {
    front.origin.last().headers.iter().map(|(name, value)| format!("{name}: {value}\n")).collect()
}

#[track_caller]
fn refused(reply: &Reply, status: u16, reason: &str) {
    assert_eq!((reply.status, reply.reason().as_str()), (status, reason), "{:?} {}", reply.headers, reply.text());
}

fn a_site_behind(kind: Kind) {
    let front = Front::start(kind);
    let token = front.scene.token();

    // Open to everybody; nothing that a client says of itself arrives.
    let spoofed = front.get("/").header("Lime-Agent-Id", "admin").header("Lime-Agent-Trust", "passport");
    let reply = spoofed.header("Authorization", "Basic YTpi").header("Cookie", "a=b").send();
    assert_eq!((reply.status, reply.text().as_str()), (200, "from the site"));
    assert_eq!(
        (told(&front, "lime-agent-id"), told(&front, "lime-agent-trust")),
        (String::new(), "unknown".to_owned())
    );
    assert_eq!((told(&front, "authorization"), told(&front, "cookie")), ("Basic YTpi".to_owned(), "a=b".to_owned()));

    // In no spelling, and where the proxy cannot take it away the request goes no further.
    for name in ["Lime_Agent_Id", "Lime-Agent_Id", "X-Lime-Agent-Id", "X_Lime-Agent-Trust", "Lime-Anything"] {
        let seen = front.origin.received().len();
        let reply = front.get("/").header(name, "admin").send();
        let arrived = front.origin.received().len() > seen && sent_on(&front).contains("admin");
        assert!(!arrived, "{kind:?} passes {name} on: {}", reply.status);
    }

    // For agents: a stranger is told the ways in, and the site does not see him.
    let seen = front.origin.received().len();
    let reply = front.get("/agents/list.txt?a=1").send();
    refused(&reply, 401, "passport_required");
    assert!(reply.header("www-authenticate").unwrap().starts_with("Bearer"), "{:?}", reply.headers);
    assert!(!reply.json()["ways_in"].as_array().unwrap().is_empty());
    refused(&front.get("/agents/x").bearer(&format!("{token}x")).send(), 401, "invalid_token");
    // nginx knows only 401 and 403, and is given the whole answer when it asks for the page.
    refused(&front.get("/x/..%2fagents/x").send(), 400, "path_ambiguous");
    assert_eq!(front.origin.received().len(), seen);

    // A client that speaks in the words of other proxies gets no further for it.
    for (uri, method) in [("X-Original-URI", "X-Original-Method"), ("X-Forwarded-Uri", "X-Forwarded-Method")] {
        let reply = front.get("/agents/x").header(uri, "/").header(method, "GET").send();
        assert!(reply.status >= 400, "{kind:?} believes {uri}: {}", reply.status);
    }
    assert_eq!(front.origin.received().len(), seen);

    // An agent is introduced, and its token stays here.
    let reply = front.get("/agents/list.txt?a=1").bearer(&token).send();
    assert_eq!((reply.status, reply.text().as_str()), (200, "from the site"));
    assert_eq!(front.origin.last().target, "/agents/list.txt?a=1");
    assert_eq!(
        (told(&front, "lime-agent-id"), told(&front, "lime-agent-trust")),
        (front.scene.agent.id.clone(), "passport".to_owned())
    );
    assert_eq!(told(&front, "authorization"), "");
    let reply = front.get("/agents/x").header("Lime-Authorization", format!("Bearer {token}")).send();
    assert_eq!((reply.status, told(&front, "lime-agent-trust").as_str()), (200, "passport"));
    assert!(!sent_on(&front).contains(&token), "{kind:?} passes a token on");

    // Frameworks take `post` for POST, and a policy on methods does not.
    let seen = front.origin.received().len();
    assert!(front.request("post", "/").send().status >= 400);
    assert_eq!(front.origin.received().len(), seen);

    // Its own pages.
    assert_eq!(front.get("/.lime/help").send().status, 200);
    assert_eq!(front.get("/.well-known/lime").send().status, 200);
    work_gets_in(kind, &front);
}

/// Strangers who work get in through a proxy too.
fn work_gets_in(kind: Kind, front: &Front) {
    let file = front.scene.gateway.file();
    let text = fs::read_to_string(file).unwrap().replace("protect = [\"/agents/*\"]", "policy = \"cleared\"");
    fs::write(file, text).unwrap();
    let reloaded = lime(["reload", "-c", file.to_str().unwrap()]).output().unwrap();
    assert!(reloaded.status.success(), "{reloaded:?}");
    let mut python = Command::new("python3");
    python.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/python/solve.py")).arg(format!("{}/a", front.url));
    let output = Output::of(python);
    assert_eq!((output.code, output.stdout.trim()), (0, "from the site"), "{kind:?}: {}", output.stderr);
    let page = front.get("/a").header("Accept", "text/html").header("Sec-Fetch-Dest", "document").send();
    assert!(page.status == 403 && page.text().contains("lime-gw1."), "{kind:?}: {} {}", page.status, page.text());
    let ticket = page.header("set-cookie").unwrap_or_else(|| panic!("{kind:?}: {:?}", page.headers));
    assert!(ticket.starts_with("lime-ticket="), "{ticket}");
}

#[test]
fn nginx_asks_with_auth_request() {
    a_site_behind(Kind::Nginx);
}

#[test]
fn caddy_asks_with_forward_auth() {
    a_site_behind(Kind::Caddy);
}

#[test]
fn envoy_asks_with_ext_authz() {
    a_site_behind(Kind::Envoy);
}

#[test]
fn traefik_is_told_every_header_and_a_stranger_nothing() {
    let front = Front::start(Kind::Caddy);
    let ask = |uri: &str| {
        let asked = http::get(&front.auth).header("X-Forwarded-Uri", uri).header("X-Forwarded-Method", "GET");
        asked.header("X-Forwarded-Host", "127.0.0.1").header("X-Forwarded-For", "192.0.2.1")
    };
    let reply = ask("/").send();
    for name in ["lime-agent-trust", "lime-agent-id", "lime-owner-level", "lime-owner-id"] {
        assert!(reply.header(name).is_some(), "{name}: {:?}", reply.headers);
    }
    assert_eq!((reply.status, reply.header("lime-agent-trust")), (200, Some("unknown")));
    assert_eq!(ask("/agents/x").send().status, 401);
    // What cannot be understood is never let through.
    for (what, reply) in [
        ("nothing", http::get(&front.auth).send()),
        ("no method", http::get(&front.auth).header("X-Forwarded-Uri", "/").send()),
        ("two paths", ask("/").header("X-Forwarded-Uri", "/agents/x").send()),
        (
            "another host",
            http::get(&front.auth)
                .header("X-Forwarded-Uri", "/")
                .header("X-Forwarded-Method", "GET")
                .header("X-Forwarded-Host", "bank.test")
                .send(),
        ),
        ("no path", ask("").send()),
        ("our own", ask("/.lime/login").send()),
    ] {
        assert!(reply.status >= 400, "{what}: {}", reply.status);
    }
    for name in ["X-Lime-Agent-Id", "Lime_Agent_Id", "Lime-Anything"] {
        refused(&ask("/").header(name, "admin").send(), 400, "header_reserved");
    }
    assert_eq!(ask("/").header("Lime-Puzzles", "1").send().status, 200, "a client may ask for one puzzle");
    let post = http::get(&front.auth).header("X-Forwarded-Uri", "/").header("X-Forwarded-Method", "post");
    refused(&post.header("X-Forwarded-Host", "127.0.0.1").send(), 405, "method_not_allowed");
    let line = front.scene.gateway.process.json(std::time::Duration::from_secs(10), |line| line["path"] == "/agents/x");
    let line = line.unwrap();
    assert_eq!(
        (line["status"].as_u64(), line["client_ip"].as_str(), line["reason"].as_str()),
        (Some(401), Some("192.0.2.1"), Some("passport_required"))
    );
}

#[test]
fn a_peer_that_is_not_trusted_is_told_nothing() {
    let (origin, auth) = (Stub::saying("x"), free_port());
    let server = format!("[server]\nauth_listen = \"127.0.0.1:{auth}\"\ntrusted_proxies = [\"192.0.2.9\"]\n");
    let _scene = Scene::with(Issuer::start(), &origin.url, &server);
    let asked = http::get(&format!("http://127.0.0.1:{auth}/.lime/auth"))
        .header("X-Forwarded-Uri", "/")
        .header("X-Forwarded-Method", "GET");
    let reply = asked.header("X-Forwarded-Host", "127.0.0.1").send();
    refused(&reply, 403, "agent_denied");
    assert_eq!(reply.header("lime-agent-trust"), None);
}

/// Reads the examples of proxies that no test starts, as those would.
const JUDGE: &str = "
import sys, yaml
traefik, kubernetes = (open(path) for path in sys.argv[1:])
http = yaml.safe_load(traefik)['http']
auth = http['middlewares']['lime']['forwardAuth']
assert auth['address'].endswith('/.lime/auth')
routers, services = http['routers'], http['services']
assert routers['shop']['middlewares'] == ['lime'] and not routers['lime-pages'].get('middlewares')
assert {router['service'] for router in routers.values()} == set(services)
print(','.join(sorted(auth['authResponseHeaders'])))
shop, pages = yaml.safe_load_all(kubernetes)
notes = {name.rsplit('/', 1)[1]: text for name, text in shop['metadata']['annotations'].items()}
assert notes['auth-url'].endswith('/.lime/auth') and 'X-Original-URI $request_uri;' in notes['auth-snippet']
assert 'annotations' not in pages['metadata']
paths = [path['path'] for rule in pages['spec']['rules'] for path in rule['http']['paths']]
assert paths == ['/.lime', '/.well-known/lime'], paths
print(','.join(sorted(notes['auth-response-headers'].split(','))))
";

#[test]
fn the_examples_of_traefik_and_kubernetes_copy_every_header() {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../config/examples/forward-auth");
    let mut command = python();
    command.args(["-c", JUDGE]).arg(examples.join("traefik.yaml")).arg(examples.join("kubernetes.yaml"));
    let output = Output::of(command);
    assert_eq!(output.code, 0, "{}", output.stderr);
    let copied =
        "Authorization,Cookie,Lime-Agent-Id,Lime-Agent-Trust,Lime-Authorization,Lime-Owner-Id,Lime-Owner-Level";
    assert_eq!(output.stdout.lines().collect::<Vec<_>>(), [copied, copied]);
}
