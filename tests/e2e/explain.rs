//! Why a request is refused, or would be: asked without sending it, and held to in CI.

use std::fs;

use lime_tests::lime;
use serde_json::Value;
use tempfile::TempDir;

const CONFIG: &str = r#"
[policy.write]
require = "passport"
scopes = ["orders:write"]
owner_level = 1
[[site]]
url = "https://shop.example.com"
also = ["*.shop.example.com"]
origin = "http://127.0.0.1:3000"
mode = "enforce"
policy = "open"
issuer = "https://id.example.net"
[[site.route]]
path = "/agents/*"
policy = "passport"
[[site.route]]
path = "/agents/orders/*"
methods = ["POST"]
policy = "write"
"#;

fn folder() -> TempDir {
    let folder = TempDir::new().unwrap();
    let state = folder.path().join("state");
    fs::write(folder.path().join("lime.toml"), format!("[server]\nstate = {state:?}\n{CONFIG}")).unwrap();
    folder
}

fn run(folder: &TempDir, arguments: &[&str]) -> (String, Option<i32>) {
    let config = folder.path().join("lime.toml");
    let output = lime(arguments.iter().copied().chain(["-c", config.to_str().unwrap()])).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(!folder.path().join("state").exists(), "nothing is made");
    (said, output.status.code())
}

#[track_caller]
fn explained(folder: &TempDir, arguments: &[&str]) -> Value {
    let (said, code) = run(folder, &[&["explain", "--json"], arguments].concat());
    assert_eq!(code, Some(0), "{said}");
    serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}: {said}"))
}

#[test]
fn a_request_is_explained_by_what_would_decide_it() {
    let folder = folder();
    for (arguments, policy, decision, reason) in [
        (&["https://shop.example.com/"][..], "open", "allow", None),
        (&["GET", "https://eu.shop.example.com/agents/x?a=1"], "passport", "deny", Some("passport_required")),
        (&["GET", "https://shop.example.com/agents/x", "--agent", "a-1"], "passport", "allow", None),
        (
            &["POST", "https://shop.example.com/agents/orders/7", "--agent", "a-1"],
            "write",
            "deny",
            Some("owner_level_too_low"),
        ),
        (
            &["POST", "https://shop.example.com/agents/orders/7", "--agent", "a-1", "--owner-level", "1"],
            "write",
            "deny",
            Some("insufficient_scope"),
        ),
        (
            &[
                "POST",
                "https://shop.example.com/agents/orders/7",
                "--agent",
                "a-1",
                "--owner-level",
                "1",
                "--scope",
                "a orders:write",
            ],
            "write",
            "allow",
            None,
        ),
        (&["https://shop.example.com/x/..%2fagents/x"], "open", "deny", Some("path_ambiguous")),
    ] {
        let found = explained(&folder, arguments);
        assert_eq!(
            (found["decision"].as_str(), found["reason"].as_str()),
            (Some(decision), reason),
            "{arguments:?} {found}"
        );
        assert_eq!(found["policy"].as_str(), Some(policy), "{arguments:?}");
        assert_eq!(found["site"], "https://shop.example.com");
    }
    let elsewhere = explained(&folder, &["https://bank.test/"]);
    assert_eq!((elsewhere["reason"].as_str(), elsewhere["status"].as_u64()), (Some("host_unknown"), Some(421)));
}

#[test]
fn what_the_origin_would_be_sent_is_shown() {
    let folder = folder();
    let (said, code) = run(
        &folder,
        &[
            "explain",
            "https://shop.example.com/agents/x",
            "-H",
            "Lime-Agent-Id: admin",
            "-H",
            "Cookie: a=b",
            "--agent",
            "a-1",
            "--client",
            "192.0.2.7",
        ],
    );
    assert_eq!(code, Some(0), "{said}");
    for line in [
        "decision   allow",
        "lime-agent-id: a-1",
        "cookie: a=b",
        "x-forwarded-for: 192.0.2.7",
        "x-forwarded-proto: https",
        "http://127.0.0.1:3000",
    ] {
        assert!(said.contains(line), "{line} is not in\n{said}");
    }
    assert!(!said.contains("admin") && !said.contains("lime-authorization"), "{said}");
    let (said, code) = run(&folder, &["explain", "shop.example.com/x"]);
    assert!(said.contains("the URL has no scheme: write it like GET https://") && code == Some(2), "{said}");
}

#[test]
fn a_configuration_is_held_to_what_is_expected_of_it() {
    let folder = folder();
    let tests = folder.path().join("tests.toml");
    let good = "[[test]]\nrequest = \"GET https://shop.example.com/agents/x\"\nexpect = \"deny\"\nstatus = 401\n\
                reason = \"passport_required\"\n\
                [[test]]\nrequest = \"POST https://shop.example.com/agents/orders/1\"\n\
                agent = { id = \"a-1\", owner = \"o-1\", owner_level = 2, scope = \"orders:write\" }\n\
                expect = \"allow\"\npolicy = \"write\"\n";
    let check = |text: &str| {
        fs::write(&tests, text).unwrap();
        run(&folder, &["validate", "--tests", tests.to_str().unwrap()])
    };
    let (said, code) = check(good);
    assert!(said.contains("2 requests of") && said.contains("came out as expected") && code == Some(0), "{said}");
    let (said, code) = check(&good.replace("expect = \"allow\"", "expect = \"deny\""));
    assert!(
        said.contains("tests.toml:7: POST https://shop.example.com/agents/orders/1: expected deny, found allow"),
        "{said}"
    );
    assert_eq!(code, Some(3));
    for (text, problem) in [
        (good.replace("expect = \"deny\"", "expct = \"deny\""), "unknown field `expct`"),
        (
            good.replace("expect = \"deny\"", "expect = \"no\""),
            "`expect` is one of allow, deny, would_deny, challenge, error, not `no`",
        ),
        ("".to_owned(), "no test: write a [[test]]"),
    ] {
        let (said, code) = check(&text);
        assert!(said.contains(problem) && code == Some(2), "{said}");
    }
}

#[test]
fn what_the_gateway_serves_itself_is_explained_as_it_is_served() {
    let folder = folder();
    for (request, decision, reason) in [
        (["GET", "https://shop.example.com/.lime/help"], "allow", None),
        (["POST", "https://shop.example.com/.lime/help"], "deny", Some("method_not_allowed")),
        (["GET", "https://shop.example.com/.lime/nothing"], "deny", Some("not_found")),
        (["POST", "https://shop.example.com/.lime/login"], "deny", Some("login_off")),
        (["GET", "https://shop.example.com/.well-known/lime"], "allow", None),
    ] {
        let found = explained(&folder, &request);
        assert_eq!((found["decision"].as_str(), found["reason"].as_str()), (Some(decision), reason), "{request:?}");
    }
}

#[test]
fn an_agent_of_an_issuer_that_tells_nothing_of_owners_has_none() {
    let folder = folder();
    let file = folder.path().join("lime.toml");
    let text = fs::read_to_string(&file).unwrap();
    let table = "[issuer.id]\nurl = \"https://id.example.net\"\nkind = \"oauth\"\n";
    fs::write(&file, text.replace("issuer = \"https://id.example.net\"", "issuer = \"id\"") + table).unwrap();
    let url = "https://shop.example.com/agents/orders/7";
    let found = explained(&folder, &["POST", url, "--agent", "a-1", "--owner-level", "2", "--scope", "orders:write"]);
    assert_eq!(found["reason"], "owner_level_too_low");
}

const MCP: &str = r#"
[site.mcp]
unlisted = "deny"
[[site.mcp.rule]]
tool = "search"
policy = "passport"
[[site.mcp.rule]]
tool = "delete_*"
policy = "write"
[[site.mcp.rule]]
tool = "internal_*"
deny = true
"#;

fn mcp_folder() -> TempDir {
    let folder = folder();
    let file = folder.path().join("lime.toml");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text + MCP).unwrap();
    folder
}

#[test]
fn a_message_is_explained_by_the_rule_that_decides_about_it() {
    let folder = mcp_folder();
    let url = "https://shop.example.com/mcp";
    let call = |tool: &str| format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"{tool}"}}}}"#);
    let knows_owner = ["--owner-level", "1"];
    for (data, scopes, rule, decision, reason) in [
        (call("search"), "", Some("tool search"), "allow", None),
        (call("delete_note"), "", Some("tool delete_*"), "deny", Some("insufficient_scope")),
        (call("delete_note"), "orders:write", Some("tool delete_*"), "allow", None),
        (call("internal_reset"), "orders:write", Some("tool internal_*"), "deny", Some("call_denied")),
        (call("other"), "", None, "deny", Some("call_denied")),
        ("[]".to_owned(), "", None, "deny", Some("message_invalid")),
    ] {
        let arguments = [&[url, "--data", &*data, "--agent", "a-1", "--scope", scopes][..], &knows_owner].concat();
        let found = explained(&folder, &arguments);
        let seen = (found["rule"].as_str(), found["decision"].as_str(), found["reason"].as_str());
        assert_eq!(seen, (rule, Some(decision), reason), "{data} {found}");
    }
    let (said, _) = run(&folder, &["explain", url, "-d", &call("delete_note"), "--agent", "a-1", "--owner-level", "1"]);
    for line in ["MCP at /mcp, ", "message    tools/call delete_note", "rule       tool delete_*", "insufficient_scope"]
    {
        assert!(said.contains(line), "{line} is not in\n{said}");
    }
    let found = explained(&folder, &[url, "-d", &call("search")]);
    assert_eq!((found["status"].as_u64(), found["message"].as_str()), (Some(401), None), "nobody is let in unknown");
}

#[test]
fn the_rules_of_an_endpoint_are_listed_and_held_to_what_is_expected() {
    let folder = mcp_folder();
    let tests = folder.path().join("tests.toml");
    let text = r#"
[[test]]
request = "POST https://shop.example.com/mcp"
body = '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"delete_note"}}'
agent = { id = "a-1", owner_level = 1 }
expect = "deny"
reason = "insufficient_scope"
status = 403
"#;
    fs::write(&tests, text).unwrap();
    let (said, code) = run(&folder, &["validate", "--tests", tests.to_str().unwrap()]);
    assert_eq!(code, Some(0), "{said}");
    let expected = "\
    /mcp (MCP): passport
      tool search: passport (passport)
      tool internal_*: nobody
      tool delete_*: scope orders:write (write)
      every other tool, resource and prompt: nobody";
    assert!(said.contains(expected), "{said}");
}
