use super::*;

fn read(text: &str) -> Result<Message<'_>, Malformed> {
    Message::read(text.as_bytes())
}

#[track_caller]
fn refuse(text: &str, expected: Malformed) {
    assert_eq!(read(text).map(|message| message.kind), Err(expected), "{text}");
}

/// A request for a tool, with more members.
fn call(more: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"x"{more}}}}}"#)
}

#[test]
fn a_message_says_what_it_is_about() {
    let text = r#" {"jsonrpc":"2.0", "id" : "a\"b", "method":"tools/call",
        "params":{"name":"delete_n\u006fte","arguments":{ "x": [1, {"y":"z"}] },
        "_meta":{"traceparent":"00-4bf9-00f0-01","io.modelcontextprotocol/protocolVersion":"2026-07-28"}}}
    "#;
    let message = read(text).unwrap();
    assert_eq!((message.kind, message.id), (Kind::Request, Some(r#""a\"b""#)));
    assert_eq!(message.method.as_deref(), Some("tools/call"));
    assert_eq!(message.targets, [(RuleKind::Tool, Cow::from("delete_note"))]);
    assert_eq!(message.arguments, Some(r#"{ "x": [1, {"y":"z"}] }"#), "as they were written");
    assert_eq!(message.trace_parent.as_deref(), Some("00-4bf9-00f0-01"));
    assert_eq!(message.protocol_version, Some("\"2026-07-28\""));
}

#[test]
fn a_message_is_a_request_a_notification_or_a_response() {
    for (text, kind) in [
        (r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#, Kind::Request),
        (r#"{"jsonrpc":"2.0","id":-7,"method":"ping","params":{}}"#, Kind::Request),
        (r#"{"jsonrpc":"2.0","id":"","method":"ping","params":null}"#, Kind::Request),
        (r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#, Kind::Notification),
        (r#"{"jsonrpc":"2.0","id":1,"result":{}}"#, Kind::Response),
        (r#"{"jsonrpc":"2.0","id":"x","error":{"code":1,"message":""}}"#, Kind::Response),
    ] {
        assert_eq!(read(text).unwrap().kind, kind, "{text}");
    }
}

#[test]
fn what_has_rules_is_found_in_every_method_that_is_about_it() {
    let targets = |text: &str| -> Vec<(RuleKind, String)> {
        read(text).unwrap().targets.into_iter().map(|(kind, name)| (kind, name.into_owned())).collect()
    };
    let message =
        |method: &str, params: &str| format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{params}}}"#);
    for (method, params, expected) in [
        ("tools/call", r#"{"name":"a"}"#, &[(RuleKind::Tool, "a")][..]),
        ("prompts/get", r#"{"name":"a"}"#, &[(RuleKind::Prompt, "a")]),
        ("resources/read", r#"{"uri":"a:b"}"#, &[(RuleKind::Resource, "a:b")]),
        ("resources/subscribe", r#"{"uri":"a:b"}"#, &[(RuleKind::Resource, "a:b")]),
        ("resources/unsubscribe", r#"{"uri":"a:b"}"#, &[(RuleKind::Resource, "a:b")]),
        ("completion/complete", r#"{"ref":{"type":"ref/prompt","name":"a"}}"#, &[(RuleKind::Prompt, "a")]),
        ("completion/complete", r#"{"ref":{"type":"ref/resource","uri":"a:b"}}"#, &[(RuleKind::Resource, "a:b")]),
        (
            "subscriptions/listen",
            r#"{"notifications":{"resourceSubscriptions":["a:b", "c\u003ad"]}}"#,
            &[(RuleKind::Resource, "a:b"), (RuleKind::Resource, "c:d")],
        ),
        ("subscriptions/listen", r#"{"notifications":{"resourceSubscriptions":[]}}"#, &[]),
        ("subscriptions/listen", "{}", &[]),
        ("tools/list", r#"{"name":"a"}"#, &[]),
        ("x/y", r#"{"uri":1}"#, &[]),
    ] {
        let expected: Vec<_> = expected.iter().map(|(kind, name)| (*kind, (*name).to_owned())).collect();
        assert_eq!(targets(&message(method, params)), expected, "{method} {params}");
    }
    for (method, params) in [
        ("tools/call", "{}"),
        ("tools/call", r#"{"name":1}"#),
        ("tools/call", r#"{"uri":"a"}"#),
        ("prompts/get", r#"{"name":null}"#),
        ("resources/read", r#"{"uri":["a"]}"#),
        ("completion/complete", r#"{"ref":{"type":"ref/tool","name":"a"}}"#),
        ("completion/complete", r#"{"ref":{"type":"ref/prompt","uri":"a"}}"#),
        ("completion/complete", "{}"),
        ("subscriptions/listen", r#"{"notifications":{"resourceSubscriptions":"a"}}"#),
        ("subscriptions/listen", r#"{"notifications":{"resourceSubscriptions":["a",1]}}"#),
    ] {
        refuse(&message(method, params), Malformed::Params);
    }
}

#[test]
fn what_is_no_json_is_no_message() {
    for text in [
        "",
        " ",
        "null",
        "1",
        "\"x\"",
        "{",
        "{}}",
        "{}x",
        "{,}",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{'a':1}",
        "\u{feff}{}",
        "{\"a\":01}",
        "{\"a\":1.}",
        "{\"a\":.5}",
        "{\"a\":+1}",
        "{\"a\":1e}",
        "{\"a\":-}",
        "{\"a\":NaN}",
        "{\"a\":nul}",
        "{\"a\":\"\n\"}",
        "{\"a\":\"\\x\"}",
        "{\"a\":\"\\u12\"}",
        "{\"a\":\"\\u12g4\"}",
        "{\"a\":\"",
        "{\"a\":[1,]}",
        "{\"a\":[1 2]}",
        "{\"a\":[}",
        "// x\n{}",
        "{\"a\":\"\\u+123\"}",
    ] {
        refuse(text, Malformed::Syntax);
    }
    refuse("[]", Malformed::Batch);
    refuse(&format!("[{}]", call("")), Malformed::Batch);
    refuse(r#" [{"jsonrpc":"2.0"#, Malformed::Batch);
    assert_eq!(Message::read(b"{\"a\":\"\xff\"}").unwrap_err(), Malformed::Encoding);
    assert_eq!(Message::read(b"{\"a\":\"\xc0\xaf\"}").unwrap_err(), Malformed::Encoding, "an overlong slash");
}

#[test]
fn a_member_stands_once_at_every_depth() {
    for text in [
        call(r#","name":"y""#),
        call(r#","n\u0061me":"y""#),
        call(r#","arguments":{"a":1,"a":1}"#),
        call(r#","arguments":{"a":[{"b":{"c":1,"\u0063":2}}]}"#),
        call(r#","_meta":{"x":1,"x":1}"#),
        r#"{"jsonrpc":"2.0","id":1,"method":"ping","id":1}"#.to_owned(),
        r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":{},"params":{"name":"x"}}"#.to_owned(),
        r#"{"jsonrpc":"2.0","id":1,"method":"ping","x":{"":1,"":2}}"#.to_owned(),
    ] {
        refuse(&text, Malformed::Duplicate);
    }
    let many = |last: &str| {
        let members: String = (0..1000).map(|count| format!("\"m{count}\":{{\"m\":1}},")).collect();
        call(&format!(",\"arguments\":{{{members}\"{last}\":1}}"))
    };
    refuse(&many("m3"), Malformed::Duplicate);
    refuse(&many("m999"), Malformed::Duplicate);
    assert!(read(&many("m1000")).is_ok());
}

#[test]
fn no_name_is_one_that_case_alone_tells_from_another() {
    for text in [
        call(r#","Name":"y""#),
        call(r#","NAME":"y""#),
        call(r#","n\u0041me":"y""#),
        call(r#","argument\u017f":{}"#),
        call(",\"argument\u{17f}\":{}"),
        call(",\"ta\u{17f}\u{212a}Id\":1"),
        call(r#","_Meta":{}"#),
        call(r#","_meta":{"TraceParent":"x"}"#),
        call(r#","_meta":{"io.modelcontextprotocol/protocolversion":"x"}"#),
        r#"{"jsonrpc":"2.0","id":1,"method":"ping","Method":"tools/call"}"#.to_owned(),
        r#"{"jsonrpc":"2.0","id":1,"method":"ping","Params":{}}"#.to_owned(),
        r#"{"JSONRPC":"2.0","id":1,"method":"ping"}"#.to_owned(),
        r#"{"jsonrpc":"2.0","ID":1,"method":"ping"}"#.to_owned(),
        r#"{"jsonrpc":"2.0","id":1,"method":"Tools/Call","params":{"name":"x"}}"#.to_owned(),
        r#"{"jsonrpc":"2.0","id":1,"method":"tool\u017f/call"}"#.to_owned(),
        r#"{"jsonrpc":"2.0","id":1,"method":""}"#.to_owned(),
    ] {
        refuse(&text, Malformed::LookAlike);
    }
    assert!(read(&call(r#","arguments":{"Name":1,"name":2}"#)).is_ok(), "arguments are the tool's own");
    refuse(&call(r#","arguments":{"a\u0000":1}"#), Malformed::Nul);
    refuse(r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"delete_x\u0000"}}"#, Malformed::Nul);
    let watch = r#"{"jsonrpc":"2.0","id":1,"method":"subscriptions/listen","params":{"notifications":{"resourceSubscriptions":["a\u0000"]}}}"#;
    refuse(watch, Malformed::Nul);
}

#[test]
fn half_a_surrogate_pair_and_too_much_depth_are_refused() {
    for half in [r"\ud800", r"\ud800x", r"\ud800\ud800", r"\udc00", r"\udc00\ud800", r"\ud800\n", r"\ud83d\u0041"] {
        refuse(&call(&format!(r#","arguments":{{"a":"{half}"}}"#)), Malformed::Surrogate);
    }
    let message =
        read(r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"\ud83d\ude00 \t\/"}}"#).unwrap();
    assert_eq!(message.name.as_deref(), Some("😀 \t/"));
    let nested = |depth: usize| call(&format!(",\"arguments\":{}1{}", "[".repeat(depth), "]".repeat(depth)));
    assert!(read(&nested(62)).is_ok());
    refuse(&nested(63), Malformed::TooDeep);
    refuse(&nested(500_000), Malformed::TooDeep);
}

#[test]
fn a_message_is_about_as_much_as_can_be_judged() {
    let listen = |count: usize| {
        let uris = vec![r#""a:b""#; count].join(",");
        format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"subscriptions/listen","params":{{"notifications":{{"resourceSubscriptions":[{uris}]}}}}}}"#
        )
    };
    assert_eq!(read(&listen(256)).unwrap().targets.len(), 256);
    refuse(&listen(257), Malformed::Params);
    for method in ["resources/subscribe", "resources/unsubscribe"] {
        let params = |params: &str| format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{params}}}"#);
        refuse(&params(r#"{"uri":["file:///a"]}"#), Malformed::Params);
        assert_eq!(read(&params("{}")).unwrap().targets, []);
        assert_eq!(read(&params(r#"{"uri":"a:b"}"#)).unwrap().targets.len(), 1);
    }
}

#[test]
fn the_form_of_json_rpc_is_kept() {
    for (text, expected) in [
        (r#"{"id":1,"method":"ping"}"#, Malformed::Version),
        (r#"{"jsonrpc":2.0,"id":1,"method":"ping"}"#, Malformed::Version),
        (r#"{"jsonrpc":"1.0","id":1,"method":"ping"}"#, Malformed::Version),
        ("{}", Malformed::Version),
        (r#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#, Malformed::Id),
        (r#"{"jsonrpc":"2.0","id":1.5,"method":"ping"}"#, Malformed::Id),
        (r#"{"jsonrpc":"2.0","id":1e3,"method":"ping"}"#, Malformed::Id),
        (r#"{"jsonrpc":"2.0","id":[1],"method":"ping"}"#, Malformed::Id),
        (r#"{"jsonrpc":"2.0","id":true,"method":"ping"}"#, Malformed::Id),
        (r#"{"jsonrpc":"2.0"}"#, Malformed::Shape),
        (r#"{"jsonrpc":"2.0","id":1}"#, Malformed::Shape),
        (r#"{"jsonrpc":"2.0","id":1,"method":1}"#, Malformed::Shape),
        (r#"{"jsonrpc":"2.0","id":1,"method":null}"#, Malformed::Shape),
        (r#"{"jsonrpc":"2.0","id":1,"method":"ping","result":{}}"#, Malformed::Shape),
        (r#"{"jsonrpc":"2.0","id":1,"result":{},"error":{}}"#, Malformed::Shape),
        (r#"{"jsonrpc":"2.0","result":{}}"#, Malformed::Shape),
        (r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":[]}"#, Malformed::Params),
        (r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":"x"}"#, Malformed::Params),
    ] {
        refuse(text, expected);
    }
}

/// What is accepted, the parser that most servers of this language have accepts too, and reads the same.
#[test]
fn whatever_is_read_another_parser_reads_alike() {
    let seed = r#" {"jsonrpc":"2.0","id":"a\u00e9","method":"tools/call","params":{"name":"d\u0065l\ud83d\ude00","arguments":
        {"a":[1,-0.5e+3,true,null,{"b":"\\\"/"}],"é":{}},"_meta":{"traceparent":"00-1"}}} "#;
    let mut state = 7_u64;
    let mut random = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap() % below
    };
    let alphabet = br#"{}[]",:\u0deE+-.9tfn aN"#;
    let mut accepted = 0;
    for _ in 0..200_000 {
        let mut bytes = seed.as_bytes().to_vec();
        for _ in 0..=random(3) {
            let (at, byte) = (random(bytes.len()), alphabet[random(alphabet.len())]);
            match random(3) {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                _ => drop(bytes.remove(at)),
            }
        }
        let Ok(message) = Message::read(&bytes) else { continue };
        let other: serde_json::Value = serde_json::from_slice(&bytes)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&bytes)));
        assert_eq!(other["method"].as_str(), message.method.as_deref());
        assert_eq!(other["params"]["name"].as_str(), message.name.as_deref(), "{other}");
        let arguments = message.arguments.map(|text| serde_json::from_str::<serde_json::Value>(text).unwrap());
        assert_eq!(other["params"].get("arguments"), arguments.as_ref());
        accepted += 1;
    }
    assert!(accepted > 10_000, "{accepted}");
}
