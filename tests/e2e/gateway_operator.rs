//! What an operator of a gateway types, reads and measures.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, Instant};

use lime_tests::{Gateway, Issuer, Output, Stub, forge, http, lime, until};
use serde_json::json;
use tempfile::TempDir;

use crate::scene::{Scene, refused};

#[test]
fn a_port_in_use_ends_the_gateway_at_once() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("lime.toml");
    let site = "[[site]]\nurl = \"https://shop.lime.test\"\norigin = \"http://127.0.0.1:3000\"\n";
    for server in [
        format!("listen = \"{address}\"\n[server]\nops_listen = \"127.0.0.1:0\"\n"),
        format!("listen = \"127.0.0.1:0\"\n[server]\nops_listen = \"{address}\"\n"),
    ] {
        fs::write(&file, format!("{server}{site}")).unwrap();
        let started = Instant::now();
        let output = Output::of(lime(["gateway", "run", "-c", file.to_str().unwrap()]));
        assert_eq!(output.code, 4, "{}", output.stderr);
        assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
        assert!(output.stderr.contains(&address.to_string()), "{}", output.stderr);
    }
}

#[track_caller]
fn invalid(config: &str, words: &[&str]) {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("lime.toml");
    fs::write(&file, config).unwrap();
    for arguments in [&["validate", "-c"][..], &["gateway", "run", "-c"]] {
        let output = Output::of(lime(arguments.iter().copied().chain([file.to_str().unwrap()])));
        assert_eq!((output.code, output.stdout.as_str()), (3, ""), "{}", output.stderr);
        words.iter().for_each(|word| assert!(output.stderr.contains(word), "{word} is not in {}", output.stderr));
    }
}

#[test]
fn a_configuration_that_is_wrong_says_where_and_what_instead() {
    let site = "[[site]]\nurl = \"https://shop.lime.test\"\norigin = \"http://127.0.0.1:3000\"\n";
    invalid("[[site]]\nurl = \"https://a.test\"\norigon = \"http://127.0.0.1:3000\"\n", &["lime.toml:3:1", "`origin`"]);
    invalid(&format!("{site}mode = \"enforced\"\n"), &["lime.toml:4:", "enforce"]);
    invalid(&format!("{site}mode = \"enforce\"\n"), &["lime.toml:4:", "protect"]);
    invalid(&format!("{site}protect = [\"/agents/*\"]\n"), &["lime.toml:", "issuer"]);
    invalid(&format!("{site}{site}"), &["lime.toml:", "shop.lime.test"]);
    invalid("[[site]]\nurl = \"https://a.test/path\"\norigin = \"http://127.0.0.1:3000\"\n", &["lime.toml:2:"]);
    invalid("listen = \"127.0.0.1:0\"\n", &["lime.toml", "site"]);
    invalid("listen = [\n", &["lime.toml:"]);
    invalid("colour = \"red\"\nlistn = \"x\"\n", &["lime.toml:1:1", "lime.toml:2:1", "`listen`"]);
    let missing = Output::of(lime(["gateway", "run", "-c", "/nothing/lime.toml"]));
    assert_eq!(missing.code, 3, "{}", missing.stderr);
}

#[test]
fn every_example_is_valid_to_the_command_too() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../config/examples");
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            continue;
        }
        let is_issuer = path.file_name().unwrap().to_str().unwrap().starts_with("issuer");
        let mut command = lime(["validate", "-c", path.to_str().unwrap()]);
        command.args(is_issuer.then_some("--issuer"));
        let output = Output::of(command);
        assert_eq!(output.code, 0, "{}: {}", path.display(), output.stderr);
    }
}

#[test]
fn init_writes_what_validate_takes_and_never_over_another() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("lime.toml");
    let origin = Stub::saying("hello");
    let init = || {
        let arguments =
            ["init", "--url", "https://shop.lime.test", "--origin", &origin.url, "-c", file.to_str().unwrap()];
        Output::of(lime(arguments))
    };
    assert_eq!(init().code, 0);
    let written = fs::read_to_string(&file).unwrap();
    assert!(written.lines().filter(|line| !line.starts_with('#')).count() <= 6, "six lines:\n{written}");
    let validated = Output::of(lime(["validate", "-c", file.to_str().unwrap()]));
    assert_eq!(validated.code, 0, "{}", validated.stderr);
    assert!(validated.stdout.contains("https://shop.lime.test"), "{}", validated.stdout);
    let again = init();
    assert_eq!(again.code, 2);
    assert_eq!(fs::read_to_string(&file).unwrap(), written);
}

#[test]
fn the_environment_stands_over_the_file() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("lime.toml");
    let site = "[[site]]\nurl = \"https://shop.lime.test\"\norigin = \"http://127.0.0.1:3000\"\n";
    fs::write(&file, format!("listen = \"127.0.0.1:1\"\n{site}")).unwrap();
    let mut command = lime(["gateway", "run", "--json", "-c", file.to_str().unwrap()]);
    command.env("LIME__SERVER__LISTEN", "127.0.0.1:0").env("LIME__SERVER__OPS_LISTEN", "127.0.0.1:0");
    command.env("STATE_DIRECTORY", folder.path().join("state"));
    let process = lime_tests::Process::start("gateway", command);
    let ready = process.ready().unwrap_or_else(|| panic!("{}", process.said()));
    assert!(!ready["gateway"][0].as_str().unwrap().ends_with(":1"), "{ready}");
    assert!(folder.path().join("state").is_dir());
}

#[test]
fn a_stop_takes_no_longer_than_what_is_in_flight() {
    let origin = Stub::saying("x");
    let mut gateway = Gateway::start(|url, _| format!("[[site]]\nurl = \"{url}\"\norigin = \"{}\"\n", origin.url));
    assert_eq!(gateway.get("/").send().status, 200);
    let idle = http::connect(gateway.address()).unwrap();
    let started = Instant::now();
    gateway.process.terminate();
    assert!(gateway.process.ended().success());
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
    drop(idle);
}

#[test]
fn a_stop_waits_for_a_request_in_flight_but_not_for_ever() {
    let origin = Stub::start(|asked| match asked.target.as_str() {
        "/hang" => lime_tests::Answer::Hang,
        _ => lime_tests::Answer::text(200, "x"),
    });
    let mut gateway = Gateway::start(|url, _| {
        format!("[server]\ngrace_period = \"2s\"\n[[site]]\nurl = \"{url}\"\norigin = \"{}\"\n", origin.url)
    });
    let hanging = gateway.get("/hang");
    let client = std::thread::spawn(move || hanging.try_send());
    until("it is in flight", || origin.count("/hang") == 1);
    let started = Instant::now();
    gateway.process.terminate();
    gateway.process.ended();
    let took = started.elapsed();
    assert!(took >= Duration::from_millis(1900) && took < Duration::from_secs(6), "{took:?}");
    drop(client.join().unwrap());
}

#[test]
fn an_access_line_says_what_was_decided_and_holds_no_credential() {
    let origin = Stub::saying("x");
    let scene = Scene::new(&origin.url);
    let token = scene.token();
    assert_eq!(scene.gateway.get("/agents/a?secret=1").bearer(&token).send().status, 200);
    let id = origin.last().header("x-request-id").unwrap().to_owned();
    let line = scene.gateway.access_line(&id);
    for (name, value) in [
        ("method", json!("GET")),
        ("path", json!("/agents/a")),
        ("status", json!(200)),
        ("site", json!(scene.gateway.url)),
        ("agent_id", json!(scene.agent.id)),
        ("agent_trust", json!("passport")),
        ("credential", json!("access_token")),
        ("decision", json!("allow")),
        ("mode", json!("enforce")),
        ("iss", json!(scene.issuer.url)),
        ("kid", forge::header_of(&token)["kid"].clone()),
    ] {
        assert_eq!(line[name], value, "{name} in {line}");
    }
    assert!(line["duration_ms"].as_f64().unwrap() < 5000.0);
    let refusal = scene.gateway.get("/agents/a").send();
    let id = refusal.json()["request_id"].as_str().unwrap().to_owned();
    let line = scene.gateway.access_line(&id);
    assert_eq!((&line["decision"], &line["reason"]), (&json!("deny"), &json!("passport_required")));
    let said = scene.gateway.process.said();
    assert!(!said.contains(&token) && !said.contains("secret=1"), "{said}");
}

#[test]
fn health_and_metrics_are_for_this_machine() {
    let origin = Stub::saying("x");
    let scene = Scene::new(&origin.url);
    until("contact with the issuer", || scene.gateway.health()["status"] == "ok");
    for path in ["/livez", "/readyz", "/healthz", "/metrics"] {
        let url = format!("{}{path}", scene.gateway.ops);
        assert_eq!(http::get(&url).send().status, 200, "{path}");
        assert_eq!(http::get(&url).header("Host", "evil.test").send().status, 421, "{path} by another name");
    }
    assert_eq!(scene.protected().send().status, 401);
    assert_eq!(scene.protected().bearer(&scene.token()).send().status, 200);
    until("they are counted", || scene.gateway.counted("lime_gateway_requests_total") >= 2);
    let metrics = http::get(&format!("{}/metrics", scene.gateway.ops)).send().text();
    assert!(!metrics.contains(&scene.agent.id), "no agent becomes a label");
    assert_eq!(http::get(&format!("{}/nothing", scene.gateway.ops)).send().status, 404);
}

#[test]
fn an_idle_gateway_is_small() {
    let origin = Stub::saying("x");
    let scene = Scene::new(&origin.url);
    assert_eq!(scene.protected().bearer(&scene.token()).send().status, 200);
    let kib = scene.gateway.process.anonymous_bytes() / 1024;
    assert!(kib <= 24 * 1024, "{kib} KiB resident");
}

#[test]
fn a_refusal_says_what_to_do_and_every_reason_is_explained() {
    let origin = Stub::saying("x");
    let scene = Scene::new(&origin.url);
    let refusal = scene.protected().header("Authorization", "Basic eDp4").send();
    refused(&refusal, 401, "passport_required");
    assert_eq!(refusal.header("content-type"), Some("application/problem+json"));
    assert!(refusal.header("www-authenticate").unwrap().starts_with("Bearer"));
    let problem = refusal.json();
    let (gateway, issuer) = (&scene.gateway.url, &scene.issuer.url);
    assert_eq!(problem["type"], format!("{gateway}/.lime/help#passport_required"));
    assert_eq!(problem["issuer"], issuer.as_str());
    assert!(problem["detail"].as_str().unwrap().contains("Authorization header is the site's"), "{problem}");
    assert_eq!(
        problem["ways_in"],
        json!([
            { "way": "token", "at": format!("{issuer}/api/v1/modules/oauth/token"), "body": { "domain": "127.0.0.1" } },
            { "way": "login", "at": format!("{gateway}/.lime/login"), "method": "POST" },
        ])
    );
    // Never from what the client sent.
    let spoofed = scene.protected().header("Host", "localhost:1").send();
    assert_eq!(spoofed.json()["ways_in"], problem["ways_in"]);
    let page = scene.protected().header("Accept", "text/html,*/*;q=0.8").send();
    assert_eq!(page.status, 401);
    assert!(page.header("content-type").unwrap().starts_with("text/html"));
    assert!(page.header("content-security-policy").unwrap().contains("default-src 'none'"));
    let help = scene.gateway.get("/.lime/help").header("Accept", "text/html").send().text();
    for reason in ["passport_required", "invalid_token", "issuer_unavailable", "path_ambiguous", "login_expired"] {
        assert!(help.contains(&format!("id=\"{reason}\"")), "{reason} has no section");
    }
}

/// Starts the gateway again after `edit`; gives what it said.
fn restarted(scene: &mut Scene, edit: impl FnOnce(&std::path::Path)) -> String {
    scene.gateway.process.kill();
    edit(&scene.gateway.state());
    scene.gateway.restart();
    scene.gateway.process.said()
}

fn state_file(folder: &std::path::Path, prefix: &str) -> std::path::PathBuf {
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files = files.filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with(prefix));
    files.next().unwrap_or_else(|| panic!("no {prefix} in {}", folder.display()))
}

#[test]
fn keys_from_a_file_that_was_edited_are_not_believed() {
    let origin = Stub::saying("x");
    let mut scene = Scene::new(&origin.url);
    let token = scene.token();
    assert_eq!(scene.protected().bearer(&token).send().status, 200);
    let state = scene.gateway.state();
    until("the keys are stored", || fs::read_dir(&state).unwrap().count() >= 3);
    scene.issuer.process.kill();
    let said = restarted(&mut scene, |_| {});
    assert!(!said.contains("not believed"), "{said}");
    assert_eq!(scene.protected().bearer(&token).send().status, 200, "from the file, untouched");

    // Somebody adds a key of their own.
    let own = forge::key();
    let forged = own.sign(&forge::claims(&scene.issuer.url, "127.0.0.1")).unwrap();
    let keys = state_file(&state, "keys-");
    let good = fs::read_to_string(&keys).unwrap();
    let said = restarted(&mut scene, |_| {
        let jwk = serde_json::to_string(own.jwk()).unwrap().replace('"', "\\\"");
        let edited = good.replacen("{\\\"keys\\\":[", &format!("{{\\\"keys\\\":[{jwk},"), 1);
        assert_ne!(edited, good);
        fs::write(&keys, edited).unwrap();
    });
    assert!(said.contains("not believed"), "{said}");
    assert_ne!(scene.protected().bearer(&forged).send().status, 200);
    refused(&scene.protected().bearer(&token).send(), 503, "issuer_unavailable");
    assert_eq!(scene.gateway.get("/").send().status, 200);

    // One that others may write, and a link to one, are as bad.
    fs::write(&keys, &good).unwrap();
    let said = restarted(&mut scene, |_| fs::set_permissions(&keys, fs::Permissions::from_mode(0o666)).unwrap());
    assert!(said.contains("not believed"), "{said}");
    let elsewhere = keys.with_extension("elsewhere");
    let said = restarted(&mut scene, |_| {
        fs::set_permissions(&keys, fs::Permissions::from_mode(0o600)).unwrap();
        fs::rename(&keys, &elsewhere).unwrap();
        std::os::unix::fs::symlink(&elsewhere, &keys).unwrap();
    });
    assert!(said.contains("not believed"), "{said}");
    refused(&scene.protected().bearer(&token).send(), 503, "issuer_unavailable");
    // Put back, it counts again.
    restarted(&mut scene, |_| {
        fs::remove_file(&keys).unwrap();
        fs::rename(&elsewhere, &keys).unwrap();
    });
    assert_eq!(scene.protected().bearer(&token).send().status, 200);
}

#[test]
fn state_is_for_its_owner_alone() {
    let origin = Stub::saying("x");
    let mut scene = Scene::new(&origin.url);
    let state = scene.gateway.state();
    assert_eq!(fs::metadata(&state).unwrap().permissions().mode() & 0o777, 0o700);
    for entry in fs::read_dir(&state).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{:?}", entry.file_name());
    }
    scene.gateway.process.kill();
    fs::set_permissions(&state, fs::Permissions::from_mode(0o777)).unwrap();
    let output = Output::of(lime(["gateway", "run", "-c", state.with_file_name("lime.toml").to_str().unwrap()]));
    assert_eq!(output.code, 1, "{}", output.stderr);
    assert!(output.stderr.contains("chmod 700"), "{}", output.stderr);
}

#[test]
fn a_second_line_of_the_secret_keeps_old_sessions_alive() {
    let origin = Stub::saying("x");
    let mut scene = Scene::new(&origin.url);
    let session = scene.session();
    let secret = state_file(&scene.gateway.state(), "gateway.secret");
    let old = fs::read_to_string(&secret).unwrap();
    let new = old.trim().chars().rev().collect::<String>();
    restarted(&mut scene, |_| fs::write(&secret, format!("{new}\n{old}")).unwrap());
    assert_eq!(scene.protected().bearer(&session).send().status, 200);
    let other = scene.session();
    restarted(&mut scene, |_| fs::write(&secret, format!("{new}\n")).unwrap());
    refused(&scene.protected().bearer(&session).send(), 401, "invalid_token");
    assert_eq!(scene.protected().bearer(&other).send().status, 200);
}

#[test]
fn many_sites_are_found_by_their_host() {
    let issuer = Issuer::start();
    let origins = ["one", "two"].map(Stub::saying);
    let gateway = Gateway::start(|_, _| {
        let site = |host: &str, origin: &Stub| {
            format!(
                "[[site]]\nurl = \"http://{host}.lime.test\"\norigin = \"{}\"\nissuer = \"{}\"\n",
                origin.url, issuer.url
            )
        };
        site("one", &origins[0]) + &site("two", &origins[1])
    });
    for (host, text) in [("one.lime.test", "one"), ("TWO.lime.test:8080", "two"), ("two.lime.test.", "two")] {
        assert_eq!(gateway.get("/").header("Host", host).send().text(), text, "{host}");
    }
    refused(&gateway.get("/").header("Host", "three.lime.test").send(), 421, "host_unknown");
    refused(&gateway.get("/").send(), 421, "host_unknown");
}

#[test]
fn metrics_on_an_address_that_others_reach_are_told_under_any_name() {
    let origin = Stub::saying("x");
    let mut gateway = Gateway::start(|url, _| format!("[[site]]\nurl = \"{url}\"\norigin = \"{}\"\n", origin.url));
    let status =
        |gateway: &Gateway| http::get(&format!("{}/livez", gateway.ops)).header("Host", "lime.internal").send().status;
    assert_eq!(status(&gateway), 421, "on this machine alone a page in a browser might ask");
    let text = fs::read_to_string(gateway.file()).unwrap();
    fs::write(gateway.file(), text.replace("ops_listen = \"127.0.0.1:0\"", "ops_listen = \"0.0.0.0:0\"")).unwrap();
    gateway.restart();
    assert_eq!(status(&gateway), 200);
}
