//! Who came: read from what a real gateway logged, and from logs of before there was one.

use std::fs;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use lime_tests::{Stub, lime};
use serde_json::Value;
use tempfile::TempDir;

use crate::scene::Scene;

fn report(arguments: &[&str], input: &str) -> String {
    let mut command = lime(["report"].into_iter().chain(arguments.iter().copied()));
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn line(client: &str, path: &str, user_agent: &str) -> String {
    format!("{client} - - [25/Nov/2026:10:00:01 +0000] \"GET {path} HTTP/1.1\" 200 512 \"-\" \"{user_agent}\"\n")
}

#[test]
fn what_a_gateway_logged_is_told() {
    let origin = Stub::saying("x");
    let scene = Scene::new(&origin.url);
    let (token, firefox) = (scene.token(), "Mozilla/5.0 (X11; rv:140.0) Gecko/20100101 Firefox/140.0");
    assert_eq!(scene.gateway.get("/agents/a").bearer(&token).send().status, 200);
    assert_eq!(scene.gateway.get("/agents/b").header("User-Agent", "curl/8").send().status, 401);
    assert_eq!(scene.gateway.get("/c?secret=1").header("User-Agent", firefox).send().status, 200);
    let folder = TempDir::new().unwrap();
    let log = folder.path().join("access.log");
    let logged = ["/agents/a", "/agents/b", "/c"].map(|path| {
        let line = scene.gateway.process.json(Duration::from_secs(10), |line| line["path"] == path);
        line.unwrap_or_else(|| panic!("no line for {path}")).to_string()
    });
    fs::write(&log, format!("2026-11-25T00:00:00Z  INFO something else\n{}\n", logged.join("\n"))).unwrap();
    let found: Value = serde_json::from_str(&report(&["--output", "json", log.to_str().unwrap()], "")).unwrap();
    assert_eq!((found["requests"].as_u64(), found["skipped_lines"].as_u64()), (Some(3), Some(0)), "{found}");
    let visitors = found["visitors"].as_array().unwrap();
    let visitor =
        |name: &str| visitors.iter().find(|row| row["name"] == name).unwrap_or_else(|| panic!("no {name} in {found}"));
    assert_eq!(visitor(&scene.agent.id)["proof"], "passport");
    assert_eq!((&visitor("curl")["kind"], &visitor("Firefox")["kind"]), (&"program".into(), &"browser".into()));
    assert_eq!(found["refusals"][0]["reason"], "passport_required");
    assert!(found["warnings"].to_string().contains("all clients are this machine itself"), "{found}");
}

#[test]
fn a_log_of_before_says_what_protecting_a_path_would_have_refused() {
    let hostile = "/<script>alert(1)</script>";
    let log = [
        line("192.0.2.1", "/search?q=a", "Mozilla/5.0 Chrome/140.0"),
        line("192.0.2.2", "/search/b", "Mozilla/5.0 (compatible; Googlebot/2.1)"),
        line("192.0.2.3", "/searching", "curl/8.5"),
        line("192.0.2.4", "/feed.xml", "FreshRSS/1.24"),
        line("192.0.2.5", hostile, "\\x1b[31mred"),
        "no line\n".to_owned(),
    ]
    .concat();
    let arguments =
        |output: &'static str| ["--format", "combined", "--if-protect", "/search/*", "--output", output, "-"];
    let text = report(&arguments("text"), &log);
    for expected in [
        "5 requests, 2.5 KiB, 2026-11-25T10:00:01Z",
        "Googlebot",
        "not checked",
        "browser 1, crawler 1",
        "open = [\"/feed.xml\"]",
        "warning: 1 lines are not of the format",
    ] {
        assert!(text.contains(expected), "{expected} is not in\n{text}");
    }
    assert!(!text.contains('\u{1b}'), "a terminal would obey");
    let page = report(&arguments("html"), &log);
    assert!(page.contains("&lt;script&gt;") && !page.contains("<script") && page.contains("<svg"), "{page}");
    let markdown = report(&arguments("markdown"), &log);
    assert!(markdown.contains("| /search/* | 2 |") || markdown.contains("| /search/\\* | 2 |"), "{markdown}");
    // What it says to paste is valid.
    let (_, route) = text.split_once("keep them open:").unwrap();
    let route: String = route.lines().filter(|line| line.starts_with("    ")).map(|line| format!("{line}\n")).collect();
    let folder = TempDir::new().unwrap();
    let config = folder.path().join("lime.toml");
    let site = "[[site]]\nurl = \"https://a.example\"\norigin = \"http://127.0.0.1:3000\"\npolicy = \"open\"\n";
    fs::write(&config, format!("{site}{route}")).unwrap();
    assert!(lime(["validate", "-c", config.to_str().unwrap()]).output().unwrap().status.success(), "{route}");
}

#[test]
fn what_log_rotation_compressed_is_read_as_well_and_only_since_a_time() {
    let folder = TempDir::new().unwrap();
    let log = folder.path().join("access.log.1");
    let old = line("192.0.2.1", "/old", "curl/8.5").replace("25/Nov/2026", "24/Nov/2026");
    fs::write(&log, format!("{old}{}", line("192.0.2.2", "/new", "curl/8.5"))).unwrap();
    assert!(Command::new("gzip").arg(&log).status().unwrap().success());
    let compressed = folder.path().join("access.log.1.gz");
    let asked = ["--format", "combined", "--output", "json", compressed.to_str().unwrap()];
    let found: Value = serde_json::from_str(&report(&asked, "")).unwrap();
    assert_eq!((&found["requests"], &found["skipped_lines"]), (&2.into(), &0.into()), "{found}");
    let found: Value = serde_json::from_str(&report(&[&asked[..], &["--since", "2026-11-25"]].concat(), "")).unwrap();
    assert_eq!((&found["requests"], &found["paths"][0]["path"]), (&1.into(), &"/new".into()), "{found}");
    let refused = lime(["report", "--since", "yesterday", "-"]).output().unwrap();
    assert!(String::from_utf8_lossy(&refused.stderr).contains("is no time: write 2026-11-25"), "{refused:?}");
    assert_eq!(refused.status.code(), Some(2));
}
