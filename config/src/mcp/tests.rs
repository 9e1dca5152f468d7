use std::path::Path;

use super::*;
use crate::{Gateway, Mode, Site};

const START: &str = "[policy.writers]\nrequire = 'passport'\nscopes = ['mcp:write', 'mcp:read']\n\
                     [[site]]\nurl = 'https://tools.example.com'\norigin = 'http://127.0.0.1:9000'\nmode = 'enforce'\n\
                     issuer = 'https://id.example.net'\n";

fn parse(lines: &str) -> Result<Gateway, crate::ConfigError> {
    Gateway::parse(&format!("{START}{lines}"), Path::new("lime.toml"), &|_| None)
}

#[track_caller]
fn site(lines: &str) -> Arc<Site> {
    parse(lines).unwrap_or_else(|error| panic!("{error}")).sites.pop().unwrap()
}

#[track_caller]
fn refuse(lines: &str, problem: &str) {
    let said = parse(lines).unwrap_err().to_string();
    assert!(said.contains(problem), "{lines}\n{said}");
    assert!(said.starts_with("lime.toml:"), "{said}");
}

const WRITERS: &str = "[[site.mcp.rule]]\ntool = 'delete_*'\npolicy = 'writers'\n";

#[test]
fn one_word_makes_a_site_an_mcp_server() {
    let site = site("mcp = true\npolicy = 'open'\n[[site.route]]\npath = '/x'\npolicy = 'writers'\n");
    let [endpoint] = &site.mcp[..] else { panic!("one endpoint") };
    assert_eq!((&*endpoint.resource, endpoint.path.to_string()), ("https://tools.example.com/mcp", "/mcp".to_owned()));
    assert_eq!(endpoint.metadata_path(), "/.well-known/oauth-protected-resource/mcp");
    assert_eq!((endpoint.unlisted, endpoint.pins, endpoint.body_bytes_max), (Unlisted::Allow, Pins::Off, 1_048_576));
    assert_eq!((&*endpoint.policy, &endpoint.arguments), (&*Policy::passport(), &AuditedArguments::Digest));
    assert_eq!(endpoint.defined_at.to_string(), "lime.toml:9");
    assert_eq!(site.mode, Mode::Enforce, "there is something to enforce");
    for path in ["/mcp", "/mcp/"] {
        let asked = site.route(path.as_bytes(), &http::Method::POST).policy;
        assert!(Arc::ptr_eq(asked, &endpoint.gate) && asked.require == Require::Passport, "{path}");
    }
    for path in ["/", "/mcp2", "/mcp/x", "/MCP"] {
        assert!(site.mcp_at(path.as_bytes()).is_none(), "{path}");
    }
    assert!(!Arc::ptr_eq(&endpoint.gate, &Policy::passport()), "no path beside it has its policy");
    assert!(self::site("mcp = false\nprotect = '/a'").mcp.is_empty());
}

#[test]
fn what_a_server_may_take_for_its_endpoint_needs_a_word_of_its_own() {
    let post = &http::Method::POST;
    let near = |lines: &str, path: &str| site(lines).may_be_taken_for_mcp(path.as_bytes(), post);
    let open = "mcp = true\npolicy = 'open'\n";
    for path in ["/MCP", "/Mcp/", "/mcp/x", "/mCp/x/y"] {
        assert!(near(open, path), "{path}");
    }
    for path in ["/mcp", "/mcp/", "/mcp2", "/x/mcp", "/"] {
        assert!(!near(open, path), "{path}");
    }
    let route = |path: &str| format!("{open}[[site.route]]\npath = '{path}'\npolicy = 'open'\n");
    assert!(!near(&route("/mcp/health"), "/mcp/health") && near(&route("/mcp/health"), "/mcp/x"));
    assert!(!near(&route("/mcp/*"), "/mcp/x") && !near(&route("/MCP"), "/MCP"));
    assert!(near(&route("/*"), "/mcp/x"), "a route for everything says nothing of this");
}

#[test]
fn beside_an_endpoint_nothing_is_open_unless_it_is_said() {
    for (lines, expected) in [
        ("mcp = true", "closed"),
        ("mcp = true\nopen = ['/health']", "closed"),
        ("mcp = true\npolicy = 'open'", "open"),
        ("mcp = true\nprotect = ['/a/*']", "open"),
        ("mcp = false\nprotect = ['/a/*']", "open"),
    ] {
        assert_eq!(&*site(lines).policy.name, expected, "{lines}");
    }
    assert!(!site("mcp = true").may_be_taken_for_mcp(b"/MCP", &http::Method::POST), "nobody gets there");
    let root = "[site.mcp]\npath = '/'\n";
    assert_eq!(&*site(root).policy.name, "closed");
    for lines in ["policy = 'open'\n", "policy = 'passport'\n", "protect = ['/a']\n"] {
        refuse(&format!("{lines}{root}"), "an MCP server at the root may take any other path for its own");
    }
}

#[test]
fn an_endpoint_may_say_all_there_is() {
    let lines = "[site.mcp]\npath = '/'\npolicy = 'writers'\nunlisted = 'deny'\nscopes = ['mcp:read']\n\
                 body_bytes_max = '64KiB'\npins = 'enforce'\naudit = { arguments = 'values', redact = ['password'] }\n\
                 [[site.mcp.rule]]\nresource = 'file:///*'\ndeny = true\n";
    let site = site(&format!("{lines}{WRITERS}"));
    let [endpoint] = &site.mcp[..] else { panic!("one endpoint") };
    assert_eq!((&*endpoint.resource, &*endpoint.metadata_path()), ("https://tools.example.com", McpEndpoint::METADATA));
    assert_eq!((endpoint.unlisted, endpoint.pins, endpoint.body_bytes_max), (Unlisted::Deny, Pins::Enforce, 65_536));
    assert_eq!(endpoint.arguments, AuditedArguments::Values { redact: vec!["password".into()] });
    assert_eq!(endpoint.first_scopes(), [Box::from("mcp:read")]);
    assert_eq!(endpoint.all_scopes(), ["mcp:read", "mcp:write"]);
    assert!(site.policies().any(|policy| *policy.name == *"writers"), "its limits and scopes count");
    let names: Vec<String> = endpoint.rules.all().iter().map(McpRule::name).collect();
    assert_eq!(names, ["resource file:///*", "tool delete_*"]);
}

#[test]
fn several_endpoints_are_several_resources() {
    let site = site("mcp = [{ path = '/a/mcp' }, { path = '/b/mcp', body_bytes_max = 2048 }]");
    let resources: Vec<&str> = site.mcp.iter().map(|endpoint| &*endpoint.resource).collect();
    assert_eq!(resources, ["https://tools.example.com/a/mcp", "https://tools.example.com/b/mcp"]);
    assert_eq!(site.mcp_at(b"/b/mcp").unwrap().body_bytes_max, 2048);
}

#[test]
fn the_most_specific_rule_counts() {
    let rule = |kind: &str, pattern: &str| format!("[[site.mcp.rule]]\n{kind} = '{pattern}'\ndeny = true\n");
    let lines = [("tool", "*"), ("tool", "delete_*"), ("tool", "delete_draft"), ("prompt", "delete_draft")];
    let lines: String = lines.map(|(kind, pattern)| rule(kind, pattern)).concat();
    let site = site(&format!("[site.mcp]\n{lines}"));
    let rules = &site.mcp[0].rules;
    for (name, pattern) in [("delete_draft", "delete_draft"), ("delete_x", "delete_*"), ("Delete_x", "*"), ("", "*")] {
        let (_, rule) = rules.find(RuleKind::Tool, name).unwrap();
        assert_eq!((rule.kind, rule.pattern.to_string()), (RuleKind::Tool, pattern.to_owned()), "{name}");
    }
    assert!(rules.find(RuleKind::Resource, "delete_draft").is_none());
    assert_eq!(rules.find(RuleKind::Prompt, "delete_draft").unwrap().1.kind, RuleKind::Prompt);
}

#[test]
fn a_mistake_is_told_with_what_to_write() {
    refuse("[site.mcp]\npath = '/mcp/*'", "`path`: a server has one path");
    refuse("[site.mcp]\npath = '/mcp/'", "leave the final slash out");
    refuse("[site.mcp]\npath = 'mcp'", "`path`: a path starts with a slash");
    for path in ["/.lime/mcp", "/.lime", "/.well-known/x", "/auth.md"] {
        refuse(&format!("[site.mcp]\npath = '{path}'"), "`path`: is the gateway's own");
    }
    refuse("mcp = [{ path = '/a' }, { path = '/a' }]", "`mcp`: the path /a stands twice: keep one");
    refuse("mcp = 'yes'", "`mcp`: takes a table, not a string: write `mcp = true`");
    refuse("[site.mcp]\npolicy = 'open'", "`policy`: `open` lets in whoever shows no passport");
    refuse("[site.mcp]\npolicy = 'writer'", "did you mean \"writers\"?");
    refuse("[site.mcp]\nunlisted = 'hide'", "`unlisted`: `hide` is not known");
    refuse("[site.mcp]\nbody_bytes_max = '17MiB'", "`body_bytes_max`: does not fit: write \"1KiB\" to \"16MiB\"");
    refuse("[site.mcp]\nbody_bytes_max = 10", "`body_bytes_max`: does not fit");
    refuse("[site.mcp]\nbody_bytes_max = 'much'", "`body_bytes_max`: is no size");
    refuse("[site.mcp]\nscopes = ['a b']", "`a b` is no scope");
    refuse("[site.mcp]\naudit = { arguments = 'digest', redact = 'x' }", "`redact`: of a digest nothing can be read");
    refuse("mcp = true\nopen = '/mcp'", "the MCP endpoint has the path /mcp too");
    refuse("mcp = true\nprotect = '/mcp'", "the MCP endpoint has the path /mcp too");
    let only_get = "mcp = true\npolicy = 'open'\n[[site.route]]\npath = '/mcp'\nmethods = 'GET'\npolicy = 'open'";
    refuse(only_get, "the MCP endpoint has the path /mcp too");
}

#[test]
fn a_rule_is_for_one_thing_and_asks_for_one() {
    let rule = |lines: &str| format!("[site.mcp]\n[[site.mcp.rule]]\n{lines}");
    refuse(&rule("policy = 'writers'"), "a rule says what it is for");
    refuse(&rule("tool = 'a'\nprompt = 'b'\ndeny = true"), "`prompt`: a rule is for one thing: write two rules");
    refuse(&rule("tool = 'a'"), "a rule says what is asked for");
    refuse(&rule("tool = 'a'\ndeny = false"), "`deny = false` asks for nothing");
    refuse(&rule("tool = 'a'\ndeny = true\npolicy = 'writers'"), "`deny` stands beside `policy`");
    refuse(&rule("tool = 'a*b'\ndeny = true"), "`tool`: `*` may only stand at the end");
    refuse(&rule("tool = 'a'\npolicy = 'cleared'"), "`policy`: `cleared` lets in whoever shows no passport");
    refuse(
        &format!("[site.mcp]\n{WRITERS}{WRITERS}"),
        "\"delete_*\" never counts here: the rule at lime.toml:11 is for it",
    );
    let many: String = (0..257).map(|count| format!("[[site.mcp.rule]]\ntool = 't{count}'\ndeny = true\n")).collect();
    refuse(&format!("[site.mcp]\n{many}"), "more than 256 rules");
    refuse(&rule("tol = 'a'\ndeny = true"), "`tol`");
}

#[test]
fn without_an_issuer_nobody_could_get_in() {
    let text = "[[site]]\nurl = 'https://a.example'\norigin = 'http://127.0.0.1:3000'\nmcp = true\n";
    let said = Gateway::parse(text, Path::new("lime.toml"), &|_| None).unwrap_err().to_string();
    assert!(said.contains("`mcp`: whose passports count here? write `issuer = "), "{said}");
}
