//! Messages of every size, over HTTP/1.1.

use super::*;

const SIZES: [usize; 4] = [65_535, 65_536, 65_537, 1_048_576];

#[tokio::test(flavor = "multi_thread")]
async fn a_message_of_any_size_goes_on_as_it_was_sent() {
    let folder = tempfile::tempdir().unwrap();
    let (rig, origin, issuer) = rig(folder.path()).await;
    let bearer = issuer.bearer("agent-1");
    for bytes in [100, 40_000, 131_072, 131_073].into_iter().chain(SIZES) {
        let body = call("search", bytes);
        let answer = post(&rig, "/mcp", &[&bearer], &body).await;
        assert_eq!(answer.status, 200, "{bytes}: {}", answer.body);
        assert!(answer.body.ends_with(&body), "{bytes}");
        let answer = post_chunked(&rig, "/mcp", &[&bearer], &body).await;
        assert_eq!(answer.status, 200, "{bytes}");
        assert!(answer.body.contains(&body), "{bytes}");
    }
    assert_eq!(origin.requests(), 16);
}

#[tokio::test(flavor = "multi_thread")]
async fn where_there_is_no_room_for_a_message_its_sender_is_told_so() {
    let folder = tempfile::tempdir().unwrap();
    let (rig, origin, issuer) = rig(folder.path()).await;
    let (bearer, body) = (issuer.bearer("agent-1"), call("search", 100));
    let all = rig.held_memory.take(256 * 1024 * 1024).unwrap();
    for answer in [post(&rig, "/mcp", &[&bearer], &body).await, post_chunked(&rig, "/mcp", &[&bearer], &body).await] {
        assert_eq!((answer.status, answer.reason().as_str()), (503, "overloaded"));
    }
    assert_eq!(origin.requests(), 0);
    drop(all);
    assert_eq!(post(&rig, "/mcp", &[&bearer], &body).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_message_that_is_refused_nothing_reaches_the_origin() {
    let folder = tempfile::tempdir().unwrap();
    let (rig, origin, issuer) = rig(folder.path()).await;
    let bearer = issuer.bearer("agent-1");
    for bytes in [100].into_iter().chain(SIZES) {
        let answer = post(&rig, "/mcp", &[&bearer], &call("internal_x", bytes)).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.json()["error"]["message"], "Unknown tool: internal_x");
        assert_eq!(answer.json()["id"], 7);
        let answer = post(&rig, "/mcp", &[&bearer], &call("delete_x", bytes)).await;
        assert_eq!((answer.status, answer.reason().as_str()), (403, "insufficient_scope"));
        let challenge = answer.header("www-authenticate").unwrap();
        assert!(challenge.starts_with("Bearer error=\"insufficient_scope\", scope=\"mcp:write\""), "{challenge}");
    }
    let answer = post(&rig, "/mcp", &[&bearer], &call("search", 1_048_577)).await;
    assert_eq!((answer.status, answer.reason().as_str()), (413, "message_too_large"));
    assert_eq!(origin.requests(), 0, "the origin is not even asked");
    for bytes in [100].into_iter().chain(SIZES) {
        let answer = post_chunked(&rig, "/mcp", &[&bearer], &call("internal_x", bytes)).await;
        assert_eq!((answer.status, answer.json()["error"]["code"].as_i64()), (200, Some(-32602)), "{bytes}");
    }
    let answer = post_chunked(&rig, "/mcp", &[&bearer], &call("search", 1_048_577)).await;
    assert_eq!((answer.status, answer.reason().as_str()), (413, "message_too_large"));
    let lines = rig.lines(17).await;
    assert!(lines.iter().all(|line| line["decision"] == "deny" && line["note"].is_null()), "{lines:?}");
    assert!(lines.iter().all(|line| line["agent_id"] == "agent-1"), "{lines:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_could_be_read_in_two_ways_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (rig, origin, issuer) = rig(folder.path()).await;
    let bearer = issuer.bearer("agent-1");
    let batch = format!("[{}]", call("search", 100));
    let twice = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"search","name":"internal_x"}}"#;
    for (body, code) in [(&*batch, -32600), (twice, -32600), ("{", -32700), ("", -32700)] {
        for answer in [post(&rig, "/mcp", &[&bearer], body).await, post_chunked(&rig, "/mcp", &[&bearer], body).await] {
            assert_eq!((answer.status, answer.json()["error"]["code"].as_i64()), (400, Some(code)), "{body}");
        }
    }
    let body = call("search", 100);
    for (fields, status, reason) in [
        (&["Mcp-Name: search", "Mcp-Name: internal_x"][..], 400, "header_repeated"),
        (&["Mcp_Name: search"], 400, "header_repeated"),
        (&["Origin: https://evil.example"], 403, "origin_denied"),
        (&["Content-Encoding: gzip"], 415, "media_type_unsupported"),
        (&["Mcp-Session-Id: s-1"], 404, "session_unknown"),
    ] {
        let mut fields = fields.to_vec();
        fields.push(&bearer);
        let answer = post(&rig, "/mcp", &fields, &body).await;
        assert_eq!((answer.status, answer.reason().as_str()), (status, reason), "{fields:?}");
    }
    let modern = ["MCP-Protocol-Version: 2026-07-28", "Mcp-Method: tools/call", "Mcp-Name: other", &bearer];
    let answer = post(&rig, "/mcp", &modern, &body).await;
    assert_eq!(
        (answer.status, &answer.json()["error"]["code"], &answer.json()["id"]),
        (400, &(-32020).into(), &7.into())
    );
    assert_eq!(rig.send("PUT", "/mcp", &[&bearer]).await.status, 405);
    let upgrade = ["Connection: Upgrade", "Upgrade: websocket", &bearer];
    assert_eq!(rig.send("GET", "/mcp", &upgrade).await.status, 405);
    let before = origin.requests();
    let mut client = rig.client().await;
    client.request("GET", "/mcp", &["Content-Length: 100", &bearer]).await;
    client.write(call("internal_x", 100).as_bytes()).await;
    let answer = client.answer().await;
    assert_eq!((answer.status, answer.reason().as_str()), (400, "message_invalid"), "a message where none may be");
    assert!(origin.requests() <= before + 1);
    // What is whole in every way goes on.
    let modern = ["MCP-Protocol-Version: 2026-07-28", "Mcp-Method: tools/call", "Mcp-Name: search", &bearer];
    assert_eq!(post(&rig, "/mcp", &modern, &body).await.status, 200);
    assert_eq!(rig.send("GET", "/mcp", &[&bearer]).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_waits_to_be_asked_is_asked_by_the_gateway() {
    let folder = tempfile::tempdir().unwrap();
    let (rig, _origin, issuer) = rig(folder.path()).await;
    let bearer = issuer.bearer("agent-1");
    for (tool, bytes) in [("search", 100), ("search", 100_000), ("internal_x", 100), ("internal_x", 100_000)] {
        let body = call(tool, bytes);
        let mut client = rig.client().await;
        let length = format!("Content-Length: {bytes}");
        let fields = ["Content-Type: application/json", &length, "Expect: 100-continue", &bearer];
        client.request("POST", "/mcp", &fields).await;
        assert_eq!(client.answer().await.status, 100);
        client.write(body.as_bytes()).await;
        let answer = client.answer().await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.body.contains("Unknown tool"), tool == "internal_x", "{}", answer.body);
        assert!(!answer.body.to_lowercase().contains("expect:"), "{}", answer.body);
    }
    // Who would be refused anyway is told before he has sent anything.
    let mut client = rig.client().await;
    client.request("POST", "/mcp", &["Content-Length: 10", "Expect: 100-continue", &bearer]).await;
    assert_eq!(client.answer().await.status, 415);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_at_once_are_not_taken_for_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let (rig, _origin, issuer) = rig(folder.path()).await;
    let (rig, bearer) = (Arc::new(rig), Arc::new(issuer.bearer("agent-1")));
    let mut tasks = tokio::task::JoinSet::new();
    for count in 0..40_usize {
        let (rig, bearer) = (Arc::clone(&rig), Arc::clone(&bearer));
        tasks.spawn(async move {
            let tool = if count % 2 == 0 { format!("tool_{count}") } else { format!("internal_{count}") };
            let body = call(&tool, 60_000 + count * 997);
            let answer = if count % 3 == 0 {
                post_chunked(&rig, "/mcp", &[&bearer], &body).await
            } else {
                post(&rig, "/mcp", &[&bearer], &body).await
            };
            assert_eq!(answer.status, 200, "{tool}");
            if count % 2 == 0 {
                assert!(answer.body.contains(&body), "{tool}");
            } else {
                assert_eq!(answer.json()["error"]["message"], format!("Unknown tool: {tool}"));
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_serves_one_message_after_another() {
    let folder = tempfile::tempdir().unwrap();
    let (rig, _origin, issuer) = rig(folder.path()).await;
    let bearer = issuer.bearer("agent-1");
    let mut client = rig.client().await;
    for (tool, bytes) in
        [("search", 100), ("internal_x", 70_000), ("search", 70_000), ("delete_x", 100), ("search", 200)]
    {
        let body = call(tool, bytes);
        let length = format!("Content-Length: {bytes}");
        client.request("POST", "/mcp", &["Content-Type: application/json", &length, &bearer]).await;
        client.write(body.as_bytes()).await;
        let answer = client.answer().await;
        assert_eq!(answer.body.ends_with(&body), tool == "search", "{tool} {bytes}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_limits_of_a_rule_count_calls() {
    let folder = tempfile::tempdir().unwrap();
    let (origin, issuer) = (Origin::start().await, Issuer::start().await);
    let mut site = bare(&origin, &issuer);
    let mut endpoint = (*site.mcp[0]).clone();
    let limit = config::Limit { per: config::LimitPer::Agent, rate: "2/h".parse().unwrap(), burst: 2 };
    let few = Policy { limits: vec![limit], ..Policy::new("few", Require::Passport) };
    let rule = McpRule {
        kind: RuleKind::Tool,
        pattern: "few".parse().unwrap(),
        demand: McpDemand::Policy(few.into()),
        defined_at: site.defined_at.clone(),
    };
    endpoint.rules = McpRules::new(vec![rule]);
    site.mcp = vec![Arc::new(endpoint)];
    let rig = Rig::start(folder.path(), vec![site]).await;
    let bearer = issuer.bearer("agent-1");
    for _ in 0..2 {
        let answer = post(&rig, "/mcp", &[&bearer], &call("few", 100)).await;
        assert!(answer.status == 200 && answer.header("ratelimit").is_some());
    }
    let answer = post(&rig, "/mcp", &[&bearer], &call("few", 100)).await;
    assert_eq!((answer.status, answer.reason().as_str()), (429, "rate_limited"));
    assert!(answer.header("retry-after").is_some());
    assert_eq!(post(&rig, "/mcp", &[&bearer], &call("search", 100)).await.status, 200);
    assert_eq!(post(&rig, "/mcp", &[&issuer.bearer("agent-2")], &call("few", 100)).await.status, 200);
}
