//! Single messages at the gateway: whose token counts, how messages are read, what is hidden (R5-R8, R10-R13, R15).

use lime_tests::http::{self, Reply};
use lime_tests::{Http2, forge, free_port};
use serde_json::json;

use super::client::Client;
use super::owner::encoded;
use super::scene::{OLDER_VERSION, Scene, Setup, Tls, VERSION, added, answer, call, request};

fn signed_in(scene: &Scene, scope: &str) -> String {
    Client::register(scene).tokens(scene, scope).access
}

#[track_caller]
fn invalid(reply: &Reply) {
    assert_eq!(reply.status, 401, "{}", reply.text());
    assert!(
        reply.header("www-authenticate").is_some_and(|value| value.contains("error=\"invalid_token\"")),
        "{reply:?}"
    );
}

#[test]
fn only_a_token_for_this_resource_of_this_issuer_counts() {
    let scene = Scene::new();
    let token = signed_in(&scene, "mcp:read");
    added(&scene.add(&token));
    let kid = forge::header_of(&token)["kid"].as_str().unwrap().to_owned();
    for forged in [
        forge::with_alg_none(&token),
        forge::with_hs256(&token, &scene.issuer.jwks()),
        forge::with_kid(&token, "strange"),
        forge::with_claim(&token, "sub", json!("0193a000-0000-7000-8000-000000000001")),
        forge::with_claim(&token, "scope", json!("mcp:read mcp:write")),
        forge::with_claim(&token, "exp", json!(4_000_000_000_u64)),
        // Signed well, by somebody else.
        forge::Forger::new(&kid).token(&forge::claims_of(&token)),
        format!("{token}x"),
    ] {
        invalid(&scene.add(&forged));
    }
}

#[test]
fn a_token_for_another_resource_is_no_token_here() {
    let scene = Scene::new();
    let other = format!("{}/other", scene.gateway.url);
    let place = ["resource", "add", "--site", &scene.site.id, "--url", &other, "--scope", "mcp:read=Read"];
    scene.issuer.operate(&place);
    let client = Client::register(&scene);
    let query = client.authorize(&scene, &[("resource", Some(&other))]);
    let reply = client.redeem(&scene, &query["code"], &[("resource", Some(&other))]);
    let token = reply.json()["access_token"].as_str().unwrap().to_owned();
    assert_eq!(forge::claims_of(&token)["aud"], other.as_str());
    invalid(&scene.add(&token));
}

#[test]
fn a_token_counts_in_its_header_alone() {
    let scene = Scene::new();
    let token = signed_in(&scene, "mcp:read");
    let body = call("add", &json!({ "a": 2, "b": 40 }));
    let before = scene.upstream.seen().len();
    let query = encoded(&[("access_token", &token)]);
    let request = http::request("POST", &format!("{}/mcp?{query}", scene.gateway.url));
    let request = request.header("Content-Type", "application/json").body(body.to_string());
    // Refused even though a good one is where it belongs.
    for (request, status) in [(request.clone(), 400), (request.bearer(&token), 400)] {
        assert_eq!(request.send().status, status);
    }
    let reply = scene.message(&body).bearer(&token).bearer(&token).send();
    assert!((400..500).contains(&reply.status), "twice: {}", reply.status);
    assert_eq!(scene.upstream.seen().len(), before);
}

#[test]
fn the_server_behind_sees_who_asks_and_never_the_token() {
    let scene = Scene::new();
    let token = signed_in(&scene, "mcp:read");
    let message = scene.message(&call("add", &json!({ "a": 2, "b": 40 }))).bearer(&token);
    added(&message.header("Lime-Agent-Id", "x").header("DPoP", "eyJ.proof").send());
    let headers = scene.upstream.last()["headers"].clone();
    assert_eq!(headers["lime-agent-id"], forge::claims_of(&token)["sub"]);
    assert!(!headers.to_string().contains(&token), "{headers}");
    assert_eq!((headers.get("authorization"), headers.get("lime-authorization")), (None, None));
    assert_eq!(headers.get("dpop"), None);
    assert_eq!((&headers["mcp-method"], &headers["mcp-name"]), (&json!("tools/call"), &json!("add")));
}

#[test]
fn a_missing_scope_can_be_asked_for_and_a_rule_cannot() {
    let scene = Scene::new();
    let token = signed_in(&scene, "mcp:read");
    let delete = call("delete_note", &json!({ "id": "1" }));
    let reply = scene.say(&token, &delete);
    let said = reply.header("www-authenticate").unwrap_or_default();
    assert_eq!(reply.status, 403, "{}", reply.text());
    assert!(said.starts_with("Bearer ") && said.contains("error=\"insufficient_scope\""), "{said}");
    let scope = said.split("scope=\"").last().unwrap().split('"').next().unwrap();
    let mut scopes: Vec<_> = scope.split(' ').collect();
    scopes.sort_unstable();
    assert_eq!(scopes, ["mcp:read", "mcp:write"], "needed and current: {said}");
    assert!(said.contains("resource_metadata="), "{said}");

    let hidden = scene.say(&token, &call("internal_reset", &json!({})));
    let error = answer(&hidden)["error"].clone();
    assert_eq!((hidden.status, error["code"].as_i64()), (200, Some(-32602)), "{error}");
    let message = error["message"].as_str().unwrap().to_owned();
    assert!(message.contains("internal_reset"), "{message}");
    let absent = scene.say(&token, &call("no_such_tool", &json!({})));
    let same = answer(&absent)["error"]["message"].as_str().unwrap().replace("no_such_tool", "internal_reset");
    // The server's own words are its affair; ours are those of most servers.
    assert!(same.to_lowercase().contains("internal_reset"), "{same} / {message}");
    assert!(scene.upstream.seen().iter().all(|seen| seen["headers"]["mcp-name"] != "internal_reset"));
    let writer = signed_in(&scene, "mcp:read mcp:write");
    assert_eq!(answer(&scene.say(&writer, &delete))["result"]["content"][0]["text"], "deleted 1");
}

#[test]
fn a_list_is_made_for_each_caller_and_kept_by_none_in_between() {
    let scene = Scene::new();
    let token = signed_in(&scene, "mcp:read");
    let reply = scene.say(&token, &request("tools/list", &json!({})));
    let result = answer(&reply)["result"].clone();
    let names: Vec<_> = result["tools"].as_array().unwrap().iter().map(|tool| tool["name"].as_str().unwrap()).collect();
    assert!(names.contains(&"add") && !names.contains(&"internal_reset"), "{names:?}");
    assert!(names.contains(&"delete_note"), "it can be had for a scope: {names:?}");
    assert_eq!(result["cacheScope"], "private", "the server behind says public");
    assert!(!reply.text().contains("internal_reset"));
    assert!(reply.header("cache-control").is_some_and(|value| value.contains("private") || value.contains("no-store")));
}

#[test]
fn no_other_path_leads_to_the_server() {
    let scene = Scene::new();
    let token = signed_in(&scene, "mcp:read");
    let body = call("internal_reset", &json!({})).to_string();
    for path in ["/MCP", "/mcp/x", "/Mcp/", "/", "/x", "/mcp2"] {
        for request in [
            http::request("POST", &format!("{}{path}", scene.gateway.url)),
            http::request("POST", &format!("{}{path}", scene.gateway.url)).bearer(&token),
        ] {
            let reply = request.header("Content-Type", "application/json").body(&*body).send();
            assert_eq!((reply.status, &reply.json()["reason"]), (404, &json!("not_found")), "{path}");
        }
    }
    assert!(scene.upstream.seen().is_empty());
    let open = "[[site.route]]\npath = \"/health\"\npolicy = \"open\"\n";
    let scene = Scene::with(Setup { endpoint: open, site: "policy = \"open\"\n", ..Setup::default() });
    let post = |path: &str| http::request("POST", &format!("{}{path}", scene.gateway.url)).body(&*body).send();
    for path in ["/MCP", "/mcp/x", "/mcp/%2e%2e/mcp/x", "/%4dcp"] {
        let reply = post(path);
        assert_eq!((reply.status, &reply.json()["reason"]), (400, &json!("path_ambiguous")), "{path}");
    }
    assert!(scene.upstream.seen().is_empty());
    post("/health");
    assert_eq!(scene.upstream.seen().len(), 1, "what is said to be open is open");
}

/// A token of a machine of another owner.
fn of_another_owner(scene: &Scene) -> String {
    let agent = scene.issuer.agent(&scene.issuer.owner(), &[&scene.site.id]);
    let client = scene.issuer.operate(&["client", "add", "--agent", &agent.id, "--name", "Machine"]);
    let text = |name: &str| client[name].as_str().unwrap().to_owned();
    lime_tests::records::secret(&text("client_secret"));
    let fields = encoded(&[("grant_type", "client_credentials"), ("scope", "mcp:read"), ("resource", &scene.resource)]);
    let secret = format!("{}:{}", text("client_id"), text("client_secret"));
    let basic = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, secret);
    let request = http::request("POST", &scene.oauth("token")).header("Authorization", format!("Basic {basic}"));
    let reply = request.header("Content-Type", "application/x-www-form-urlencoded").body(fields).send();
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply.json()["access_token"].as_str().unwrap().to_owned()
}

#[test]
fn two_callers_see_two_lists_at_the_same_time() {
    let known = "[policy.known]\nrequire = \"passport\"\nowners = { allow = [\"OWNER_ID\"] }\n\
                 [[site.mcp.rule]]\ntool = \"slow\"\npolicy = \"known\"\n";
    let scene = Scene::with(Setup { endpoint: known, ..Setup::default() });
    let (stranger, known) = (of_another_owner(&scene), signed_in(&scene, "mcp:read"));
    let sees_slow = |token: &str| {
        let result = answer(&scene.say(token, &request("tools/list", &json!({}))))["result"].clone();
        assert_eq!(result["cacheScope"], "private");
        result["tools"].as_array().unwrap().iter().any(|tool| tool["name"] == "slow")
    };
    for _ in 0..3 {
        assert_eq!((sees_slow(&stranger), sees_slow(&known)), (false, true));
        assert_eq!((sees_slow(&known), sees_slow(&stranger)), (true, false));
    }
    let slow = call("slow", &json!({ "times": 1, "every": 1 }));
    assert_eq!(answer(&scene.say(&stranger, &slow))["error"]["code"], -32602);
    assert_eq!(answer(&scene.say(&known, &slow))["result"]["content"][0]["text"], "done");
}

#[test]
fn resources_prompts_and_methods_have_rules_as_tools_do() {
    let rules = "[[site.mcp.rule]]\nresource = \"test://static-*\"\ndeny = true\n\
                 [[site.mcp.rule]]\nprompt = \"test_*\"\ndeny = true\n\
                 [[site.mcp.rule]]\nmethod = \"completion/complete\"\ndeny = true\n";
    let scene = Scene::with(Setup { endpoint: rules, ..Setup::default() });
    let token = signed_in(&scene, "mcp:read");
    let ask = |method: &str, params: serde_json::Value| answer(&scene.say(&token, &request(method, &params)));
    let listed = |method: &str, list: &str, name: &str| -> Vec<String> {
        let found = ask(method, json!({}))["result"][list].as_array().unwrap().clone();
        found.iter().map(|one| one[name].as_str().unwrap().to_owned()).collect()
    };
    let resources = listed("resources/list", "resources", "uri");
    assert!(resources.iter().all(|uri| !uri.starts_with("test://static-")), "{resources:?}");
    assert!(resources.contains(&"note://1".to_owned()), "{resources:?}");
    assert_eq!(ask("resources/read", json!({ "uri": "note://1" }))["result"]["contents"][0]["text"], "buy milk");
    let prompts = listed("prompts/list", "prompts", "name");
    assert_eq!(prompts, ["summarise"]);
    assert!(ask("prompts/get", json!({ "name": "summarise", "arguments": { "note": "1" } })).get("result").is_some());
    let before = scene.upstream.seen().len();
    for (method, params) in [
        ("resources/read", json!({ "uri": "test://static-text" })),
        ("resources/read", json!({ "uri": "TEST://Static-text" })),
        ("prompts/get", json!({ "name": "test_simple_prompt" })),
        (
            "completion/complete",
            json!({ "ref": { "type": "ref/prompt", "name": "test_simple_prompt" }, "argument": { "name": "a", "value": "" } }),
        ),
        ("x/invoke", json!({})),
    ] {
        assert!(ask(method, params).get("error").is_some(), "{method}");
    }
    assert_eq!(scene.upstream.seen().len(), before, "none of it was asked");
}

#[test]
fn a_message_that_can_be_read_in_two_ways_is_not_read() {
    let scene = Scene::new();
    let token = signed_in(&scene, "mcp:read mcp:write");
    let one = call("add", &json!({ "a": 2, "b": 40 })).to_string();
    let before = scene.upstream.seen().len();
    let post = |body: &str| {
        let request = scene.post(body).bearer(&token).header("MCP-Protocol-Version", VERSION);
        request.header("Mcp-Method", "tools/call").header("Mcp-Name", "add")
    };
    let twice = |from: &str, to: &str| one.replacen(from, to, 1);
    let table = [
        (post(&format!("[{one}]")), 400, Some(-32600)),
        (post("[]"), 400, Some(-32600)),
        (post(&twice("\"method\":\"tools/call\"", "\"method\":\"tools/list\",\"method\":\"tools/call\"")), 400, None),
        (post(&twice("\"name\":\"add\"", "\"name\":\"internal_reset\",\"name\":\"add\"")), 400, None),
        (post(&twice("\"name\":\"add\"", "\"n\\u0061me\":\"internal_reset\",\"name\":\"add\"")), 400, None),
        (post(&format!("{one} {one}")), 400, None),
        (post(one.strip_suffix('}').unwrap()), 400, None),
        (post("\u{feff}{}"), 400, None),
        (post(&format!("{}{}", "[".repeat(5000), "]".repeat(5000))), 400, None),
        (post(&one).header("Content-Encoding", "gzip"), 415, None),
        (post(&one).header("Mcp-Name", "add"), 400, None),
        (post(&one).header("Mcp-Method", "tools/call"), 400, None),
        (post(&one).header("MCP-Protocol-Version", VERSION), 400, None),
    ];
    for (number, (request, status, code)) in table.into_iter().enumerate() {
        let reply = request.send();
        assert_eq!(reply.status, status, "{number}: {}", reply.text());
        if let Some(code) = code {
            assert_eq!(reply.json()["error"]["code"], code, "{number}: {}", reply.text());
        }
    }
    let bytes = [&one.as_bytes()[..one.len() - 1], b",\"x\":\"\xff\"}"].concat();
    assert_eq!(post("").body(bytes).send().status, 400, "not UTF-8");
    let kinds = ["text/plain", "application/json; charset=utf-16", "application/x-www-form-urlencoded"];
    for kind in kinds {
        let request = http::request("POST", &format!("{}/mcp", scene.gateway.url)).header("Content-Type", kind);
        let reply = request.bearer(&token).header("MCP-Protocol-Version", VERSION).body(one.clone()).send();
        assert!([400, 415].contains(&reply.status), "{kind}: {}", reply.status);
    }
    assert_eq!(scene.upstream.seen().len(), before, "the server behind has heard of none of it");
}

#[test]
fn headers_that_do_not_say_what_the_body_says_are_refused() {
    let scene = Scene::new();
    let token = signed_in(&scene, "mcp:read mcp:write");
    let body = call("add", &json!({ "a": 2, "b": 40 })).to_string();
    let before = scene.upstream.seen().len();
    let with = |headers: &[(&str, &str)]| {
        let request = scene.post(&body).bearer(&token);
        headers.iter().fold(request, |request, (name, value)| request.header(name, value)).send()
    };
    let (version, method, name) =
        (("MCP-Protocol-Version", VERSION), ("Mcp-Method", "tools/call"), ("Mcp-Name", "add"));
    for headers in [
        &[version, ("Mcp-Method", "tools/list"), name][..],
        &[version, method, ("Mcp-Name", "delete_note")],
        &[version, method, ("Mcp-Name", "ADD")],
        &[version, method],
        &[version, name],
        &[version, method, ("Mcp-Name", "=?base64?ZGVsZXRlX25vdGU=?=")],
        &[version, method, ("Mcp-Name", "=?base64?not base64?=")],
    ] {
        let reply = with(headers);
        assert_eq!((reply.status, reply.json()["error"]["code"].as_i64()), (400, Some(-32020)), "{headers:?}");
    }
    // An older version makes no promise about these headers, and is no way around the body.
    let reply = with(&[("MCP-Protocol-Version", OLDER_VERSION), method, ("Mcp-Name", "delete_note")]);
    assert_eq!(reply.status, 400, "{}", reply.text());
    assert_eq!(scene.upstream.seen().len(), before);
    added(&with(&[version, method, ("Mcp-Name", "=?base64?YWRk?=")]));
    added(&with(&[version, method, name]));
}

#[test]
fn a_page_of_another_origin_does_not_speak_to_a_server() {
    let scene = Scene::new();
    let token = signed_in(&scene, "mcp:read");
    let from = |origin: &str| {
        scene.message(&call("add", &json!({ "a": 2, "b": 40 }))).bearer(&token).header("Origin", origin).send()
    };
    for origin in ["https://evil.example", "null", "", &format!("{}.evil.example", scene.gateway.url)] {
        assert_eq!(from(origin).status, 403, "{origin:?}");
    }
    added(&from(&scene.gateway.url));
}

/// A call of exactly so many bytes.
fn call_of(tool: &str, bytes: usize) -> String {
    let arguments = json!({ "a": 2, "b": 40, "id": "1", "padding": "" });
    let body = call(tool, &arguments).to_string();
    let padding = "x".repeat(bytes - body.len());
    let body = body.replacen("\"padding\":\"\"", &format!("\"padding\":\"{padding}\""), 1);
    assert_eq!(body.len(), bytes);
    body
}

/// Around the length from which on a body is not replayed by the proxy, and the longest there may be.
const SIZES: [usize; 4] = [65_535, 65_536, 65_537, 1 << 20];

/// Judges calls of every size, however they are sent.
fn judge_sizes(scene: &Scene, send: impl Fn(&str, String) -> Reply) {
    for bytes in SIZES {
        added(&send("add", call_of("add", bytes)));
        assert_eq!(scene.upstream.last()["bytes"], bytes, "it is passed on as it came");
        let before = scene.upstream.seen().len();
        assert_eq!(send("delete_note", call_of("delete_note", bytes)).status, 403, "{bytes}");
        let hidden = send("internal_reset", call_of("internal_reset", bytes));
        assert_eq!((hidden.status, answer(&hidden)["error"]["code"].as_i64()), (200, Some(-32602)), "{bytes}");
        assert_eq!(send("add", call_of("delete_note", bytes)).status, 400, "{bytes}");
        // The server may hear that something comes, and never hears the end of it.
        let whole = scene.upstream.seen().into_iter().skip(before).filter(|seen| seen["bytes"] == bytes).count();
        assert_eq!(whole, 0, "{bytes}");
    }
    assert_eq!(send("add", call_of("add", (1 << 20) + 1)).status, 413);
    added(&send("add", call_of("add", 1000)));
}

#[test]
fn a_message_of_any_size_is_judged_and_passed_on_as_it_came() {
    let scene = Scene::new();
    let token = signed_in(&scene, "mcp:read");
    judge_sizes(&scene, |tool, body| {
        let request = scene.post(&body).bearer(&token).header("MCP-Protocol-Version", VERSION);
        request.header("Mcp-Method", "tools/call").header("Mcp-Name", tool).send()
    });
}

#[test]
fn a_message_of_any_size_is_judged_over_http_2_too() {
    let port = free_port();
    let scene = Scene::with(Setup { tls: Tls::At(port), url: Some("https://localhost"), ..Setup::default() });
    let token = signed_in(&scene, "mcp:read");
    let bearer = format!("Bearer {token}");
    let client = Http2::to(([127, 0, 0, 1], port).into(), "localhost", &scene.certificate);
    judge_sizes(&scene, |tool, body| {
        let headers = [
            ("authorization", bearer.as_str()),
            ("content-type", "application/json"),
            ("accept", "application/json, text/event-stream"),
            ("mcp-protocol-version", VERSION),
            ("mcp-method", "tools/call"),
            ("mcp-name", tool),
        ];
        client.post("https://localhost/mcp", &headers, body)
    });
}

#[test]
fn a_client_that_waits_for_a_word_before_its_body_gets_one() {
    let scene = Scene::new();
    let token = signed_in(&scene, "mcp:read");
    let request = scene.message(&call("add", &json!({ "a": 2, "b": 40 }))).bearer(&token);
    added(&request.header("Expect", "100-continue").send());
}
