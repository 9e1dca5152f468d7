//! What is passed on of a server's lists, what tools were, and what is written of it.

use config::{Pins, Place};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;

use super::super::rig::until;
use super::*;

const FORMS: [&str; 4] = ["/tools", "/events", "/twice", "/packed"];

fn listing_site(origin: &Origin, issuer: &Issuer, pins: Pins) -> Site {
    let site = mcp_site(origin, issuer);
    let place = Place { ..site.defined_at.clone() };
    let endpoint = |path: &str| {
        let endpoint = McpEndpoint::new(&site.url, path.parse().unwrap(), place.clone());
        Arc::new(McpEndpoint { pins, rules: site.mcp[0].rules.clone(), ..endpoint })
    };
    Site { mcp: FORMS.map(endpoint).to_vec(), ..site }
}

struct Stage {
    rig: Rig,
    origin: Origin,
    bearer: String,
    folder: tempfile::TempDir,
}

impl Stage {
    async fn start(pins: Pins) -> Self {
        Self::start_in(pins, Mode::Enforce).await
    }

    async fn start_in(pins: Pins, mode: Mode) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (origin, issuer) = (Origin::start().await, Issuer::start().await);
        let site = Site { mode, ..listing_site(&origin, &issuer, pins) };
        let rig = Rig::start(folder.path(), vec![site]).await;
        Self { rig, bearer: issuer.bearer("agent-1"), origin, folder }
    }

    async fn list(&self, path: &str) -> super::super::client::Answer {
        let body = r#"{"jsonrpc":"2.0","id":7,"method":"tools/list"}"#;
        post(&self.rig, path, &[&self.bearer, "Accept-Encoding: gzip, br"], body).await
    }

    /// The names of the tools that are seen.
    async fn tools(&self) -> Vec<String> {
        let answer = self.list("/tools").await.json();
        let tools = answer["result"]["tools"].as_array().unwrap().iter();
        tools.map(|tool| tool["name"].as_str().unwrap().to_owned()).collect()
    }

    async fn order(&self, order: &Value) -> Value {
        let mut stream = UnixStream::connect(self.folder.path().join("state/control.sock")).await.unwrap();
        stream.write_all(format!("{}\n", json!({ "command": "pins", "order": order })).as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        serde_json::from_str(&answer).unwrap()
    }

    async fn has_metric(&self, line: &str) -> bool {
        self.rig.ops("GET", "/metrics", "localhost").await.body.lines().any(|found| found == line)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_has_what_its_caller_may_see_in_whatever_form_it_comes() {
    let stage = Stage::start(Pins::Off).await;
    let shown = r#"{"jsonrpc":"2.0","id":7,"result":{"tools":[{"name":"search","description":""},{"name":"delete_x"}],"nextCursor":"c"}}"#;
    let answer = stage.list("/tools").await;
    assert_eq!((answer.status, &*answer.body), (200, shown));
    assert_eq!((answer.header("content-length"), answer.header("transfer-encoding")), (None, Some("chunked")));
    assert!(stage.origin.head.lock().to_lowercase().contains("accept-encoding: identity"), "it must be readable");
    assert_eq!(stage.list("/events").await.body, format!(": ping\n\nid: 1\ndata: {shown}\n\n"));
    for path in ["/twice", "/packed"] {
        let answer = stage.list(path).await;
        assert_eq!((answer.status, answer.json()["error"]["code"].as_i64()), (200, Some(-32603)), "{path}");
        assert_eq!(
            (answer.header("content-type"), answer.header("content-encoding")),
            (Some("application/json"), None)
        );
        assert!(!answer.body.contains("internal_x"), "{path}");
    }
    // Whatever is no list is not touched.
    let answer = post(&stage.rig, "/tools", &[&stage.bearer, "Accept-Encoding: gzip"], &call("search", 100)).await;
    assert!(answer.body.contains("internal_x") && answer.header("content-length").is_some());
    assert!(stage.origin.head.lock().to_lowercase().contains("accept-encoding: gzip"));
}

#[tokio::test(flavor = "multi_thread")]
async fn where_nobody_is_refused_lists_pass_as_they_come_and_tools_are_remembered() {
    let stage = Stage::start_in(Pins::Enforce, Mode::Observe).await;
    assert_eq!(stage.tools().await, ["search", "internal_x", "delete_x"]);
    "another".clone_into(&mut stage.origin.description.lock());
    assert_eq!(stage.tools().await, ["search", "internal_x", "delete_x"]);
    assert!(stage.has_metric(r#"lime_gateway_mcp_tools_changed{site="https://shop.example"} 1"#).await);
    let answer = stage.list("/packed").await;
    assert_eq!(answer.header("content-encoding"), Some("gzip"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tool_that_becomes_another_is_gone_until_it_is_accepted() {
    let stage = Stage::start(Pins::Enforce).await;
    assert_eq!(stage.tools().await, ["search", "delete_x"]);
    "and sends it on".clone_into(&mut stage.origin.description.lock());
    assert_eq!(stage.tools().await, ["delete_x"]);
    let search = call("search", 100);
    let fields = [stage.bearer.as_str()];
    let called = || post(&stage.rig, "/tools", &fields, &search);
    let refused = called().await;
    assert_eq!((refused.status, refused.json()["error"]["message"].as_str()), (200, Some("Unknown tool: search")));
    let audited = stage.rig.lines_of("mcp", 3).await;
    assert_eq!((audited[2]["rule"].as_str(), audited[2]["reason"].as_str()), (Some("pins"), Some("call_denied")));
    let row = &stage.order(&json!({ "action": "diff", "tool": "search" })).await["pins"][0];
    let expected = json!([{ "at": "description", "before": "", "after": "and sends it on" }]);
    assert_eq!((row["state"].as_str(), &row["differences"]), (Some("changed"), &expected));
    let answer = stage.order(&json!({ "action": "accept", "tool": "search", "hash": "0000" })).await;
    assert!(answer["error"].as_str().unwrap().contains("look at it again"), "{answer}");
    let answer = stage.order(&json!({ "action": "accept", "tool": "search", "hash": row["changed_hash"] })).await;
    assert_eq!((answer["ok"].as_bool(), answer["pins"][0]["state"].as_str()), (Some(true), Some("accepted")));
    assert_eq!(stage.tools().await, ["search", "delete_x"]);
    assert_eq!(called().await.json()["result"]["nextCursor"], "c", "the server has answered");
    assert!(stage.has_metric(r#"lime_gateway_mcp_tools_changed{site="https://shop.example"} 0"#).await);
    let file = stage.folder.path().join("state/mcp-pins.json");
    until("the pins are saved", async || std::fs::read_to_string(&file).is_ok_and(|text| text.contains("sends it on")))
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_message_has_its_line_and_a_refusal_that_repeats_is_counted() {
    let mut stage = Stage::start(Pins::Off).await;
    let trace = "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    post(&stage.rig, "/tools", &[&stage.bearer, trace], &call("search", 100)).await;
    post(&stage.rig, "/tools", &[&stage.bearer], &call("delete_x", 100)).await;
    for _ in 0..3 {
        post(&stage.rig, "/tools", &[&stage.bearer], &call("internal_x", 100)).await;
        post(&stage.rig, "/tools", &[], &call("search", 100)).await;
    }
    stage.rig.get("/tools", &[&stage.bearer]).await;
    stage.rig.lines(9).await;
    stage.rig.stop().await;
    let lines = stage.rig.lines_of("mcp", 6).await;
    let said = |line: &Value| {
        let text = |name: &str| line[name].as_str().unwrap_or("-").to_owned();
        [text("tool"), text("decision"), text("reason"), line["status"].to_string(), line["repeated"].to_string()]
            .join(" ")
    };
    let mut said: Vec<String> = lines.iter().map(said).collect();
    said.sort_unstable();
    assert_eq!(
        said,
        [
            "- deny passport_required 401 2",
            "- deny passport_required 401 null",
            "delete_x deny insufficient_scope 403 null",
            "internal_x deny call_denied 200 2",
            "internal_x deny call_denied 200 null",
            "search allow - 200 null",
        ]
    );
    let first = &lines[0];
    assert_eq!((first["agent_id"].as_str(), first["method"].as_str()), (Some("agent-1"), Some("tools/call")));
    assert_eq!(first["trace_id"], "0af7651916cd43dd8448eb211c80319c");
    assert_eq!(first["endpoint"], "https://shop.example/tools");
    assert_eq!(first["arguments_sha256"].as_str().unwrap().len(), 64);
    assert_eq!(first.get("arguments"), None);
}
