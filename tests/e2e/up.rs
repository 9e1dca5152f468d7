//! `lime up`: everything in one process, with a login through it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use lime_tests::http::{self, get};
use lime_tests::{Output, Process, Stub, lime};
use serde_json::Value;
use tempfile::TempDir;

const ANYWHERE: [&str; 6] =
    ["--listen", "127.0.0.1:0", "--issuer-listen", "127.0.0.1:0", "--ops-listen", "127.0.0.1:0"];

fn up(data: &TempDir, more: &[&str]) -> std::process::Command {
    lime(["up", "--data", data.path().to_str().unwrap()].iter().chain(&ANYWHERE).chain(more))
}

fn steps(lines: &[Value]) -> Vec<(u64, String)> {
    let steps = lines.iter().filter(|line| line["event"] == "step");
    steps.map(|step| (step["n"].as_u64().unwrap(), step["name"].as_str().unwrap().to_owned())).collect()
}

#[test]
fn up_once_shows_a_login_in_five_steps() {
    let data = TempDir::new().unwrap();
    let mut passwords = Vec::new();
    for _ in ["the first time", "and again"] {
        let output = Output::of(up(&data, &["--once", "--json"]));
        let lines = output.json_lines();
        let ready = &lines[0];
        assert_eq!(ready["event"], "ready");
        for name in ["issuer", "api_base", "gateway", "origin", "agent_token", "site_token", "site_token_spare"] {
            assert!(
                ready[name].as_str().is_some_and(|text| !text.is_empty() && !text.ends_with(":0")),
                "{name}: {ready}"
            );
        }
        assert_eq!(ready["owner_user"], "owner");
        let file = ready["owner_password_file"].as_str().unwrap();
        assert_eq!(fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
        passwords.push(fs::read_to_string(file).unwrap());
        let expected = ["open", "challenge", "approve", "deliver", "verify"];
        let expected: Vec<_> = (1..).zip(expected.map(str::to_owned)).collect();
        assert_eq!(steps(&lines), expected, "{}", output.stderr);
        assert!(lines.iter().skip(1).all(|line| line["ms"].as_f64().is_some_and(|ms| ms >= 0.0)));
    }
    assert!(passwords[0].len() >= 32 && passwords[0] == passwords[1]);
    // A directory from before owners signed in gets a password too.
    fs::remove_file(data.path().join("owner.password")).unwrap();
    assert_eq!(Output::of(up(&data, &["--once", "--json"])).code, 0);
    assert_ne!(fs::read_to_string(data.path().join("owner.password")).unwrap(), passwords[0]);
}

#[test]
fn up_tells_a_story_to_people() {
    let data = TempDir::new().unwrap();
    let output = Output::of(up(&data, &["--once"]));
    assert_eq!(output.code, 0, "{}", output.stderr);
    assert!(output.stdout.contains("owner.password"), "{}", output.stdout);
    for words in ["1. open", "5. verify", "lime-site-login", "passport_version"] {
        assert!(output.stdout.contains(words), "{words} is not in\n{}", output.stdout);
    }
}

#[test]
fn up_stays_and_can_be_used() {
    let data = TempDir::new().unwrap();
    let site = Stub::saying("my own site");
    let mut process = Process::start("lime up", up(&data, &["--json", "--origin", &site.url]));
    let ready = process.ready().unwrap_or_else(|| panic!("{}", process.said()));
    let text = |name: &str| ready[name].as_str().unwrap().to_owned();
    assert_eq!(text("origin"), site.url);
    process.json(Duration::from_secs(60), |line| line["n"] == 5).expect("the login");
    let refusal = get(&text("gateway")).send();
    assert_eq!((refusal.status, refusal.reason().as_str()), (401, "passport_required"));
    let mut fetch = lime(["agent", "fetch", &text("gateway")]);
    fetch.env("LIME_API_BASE", text("api_base")).env("LIME_AGENT_TOKEN", text("agent_token"));
    let fetched = Output::of(fetch);
    assert_eq!((fetched.code, fetched.stdout.as_str()), (0, "my own site"), "{}", fetched.stderr);
    // The spare site is one whose logins the agent may approve, and on which nobody listens.
    let open = format!("{}/modules/agent-login/requests", text("api_base"));
    for token in ["site_token", "site_token_spare"] {
        let opened = http::post(&open, &serde_json::json!({})).header("X-Site-Token", text(token)).send();
        assert_eq!(opened.status, 201, "{}", opened.text());
        let id = opened.json()["data"]["login_request_id"].as_str().unwrap().to_owned();
        let mut login = lime(["agent", "login", &id]);
        login.env("LIME_API_BASE", text("api_base")).env("LIME_AGENT_TOKEN", text("agent_token"));
        assert_eq!(Output::of(login).code, 0);
    }
    // Its operator's commands work beside it.
    let listed = Output::of(lime(["issuer", "agent", "list", "--json", "--data", data.path().to_str().unwrap()]));
    let agent = listed.json_lines()[0]["id"].as_str().unwrap().to_owned();
    let suspend = ["issuer", "agent", "suspend", &agent, "--data", data.path().to_str().unwrap()];
    assert_eq!(Output::of(lime(suspend)).code, 0);
    let mut fetch = lime(["agent", "fetch", &text("gateway")]);
    fetch.env("LIME_API_BASE", text("api_base")).env("LIME_AGENT_TOKEN", text("agent_token"));
    assert_eq!(Output::of(fetch).code, 1);
    process.terminate();
    assert!(process.ended().success());
}

#[test]
fn up_ends_at_once_when_a_port_is_in_use() {
    let data = TempDir::new().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for flag in ["--listen", "--issuer-listen", "--ops-listen"] {
        let mut arguments = ANYWHERE.map(str::to_owned);
        let at = arguments.iter().position(|argument| argument == flag).unwrap();
        arguments[at + 1] = address.clone();
        let data = data.path().to_str().unwrap();
        let output = Output::of(lime(["up", "--data", data].map(str::to_owned).iter().chain(&arguments)));
        assert_eq!(output.code, 4, "{flag}: {}", output.stderr);
        assert!(output.stderr.contains(&address), "{}", output.stderr);
    }
}
