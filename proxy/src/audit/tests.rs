use passport::UnixTime;
use serde_json::Value;

use super::*;

fn at(secs: u64) -> Timestamp {
    Timestamp::from(UnixTime::from_secs(secs))
}

fn spoken() -> Spoken {
    Spoken {
        trace_id: Some("0af7651916cd43dd8448eb211c80319c".into()),
        era: Some("stateless"),
        method: Some("tools/call".into()),
        target: Some((RuleKind::Tool, "delete_note".into())),
        arguments: Some(Arguments::of(r#"{"id": 7}"#, &AuditedArguments::Digest)),
    }
}

fn line(spoken: &Spoken, secs: u64, decision: DecisionWord) -> AuditLine<'_> {
    AuditLine {
        at: at(secs),
        request_id: "01JD",
        site: "https://tools.example.com",
        endpoint: "https://tools.example.com/mcp",
        caller: Some(Caller { issuer: "https://id.example.net", agent: "agent-1", client: Some("client-1") }),
        session: Some(b"s3cret-session"),
        spoken,
        decision,
        rule: Some("tool delete_*"),
        policy: Some("writers"),
        reason: (decision != DecisionWord::Allow).then_some("insufficient_scope"),
        status: Some(200),
        took: Duration::from_micros(1234),
    }
}

fn lines(text: &[u8]) -> Vec<Value> {
    std::str::from_utf8(text).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_line_is_one_json_object_and_holds_no_secret() {
    let (spoken, mut text) = (spoken(), Vec::new());
    line(&spoken, 0, DecisionWord::Allow).write_to(&mut text);
    let text = String::from_utf8(text).unwrap();
    assert_eq!(
        text,
        concat!(
            r#"{"ts":"1970-01-01T00:00:00.000Z","level":"info","msg":"mcp","request_id":"01JD","#,
            r#""trace_id":"0af7651916cd43dd8448eb211c80319c","site":"https://tools.example.com","#,
            r#""endpoint":"https://tools.example.com/mcp","iss":"https://id.example.net","agent_id":"agent-1","#,
            r#""client_id":"client-1","session":"SESSION","era":"stateless","method":"tools/call","tool":"delete_note","#,
            r#""arguments_sha256":"DIGEST","decision":"allow","rule":"tool delete_*","policy":"writers","#,
            r#""status":200,"duration_ms":1.234}"#,
            "\n"
        )
        .replace("SESSION", arguments_digest("s3cret-session").get(..16).unwrap())
        .replace("DIGEST", &arguments_digest(r#"{"id": 7}"#))
    );
    serde_json::from_str::<Value>(&text).unwrap();
}

#[test]
fn a_line_about_an_unread_message_says_what_is_known() {
    let (spoken, mut text) = (Spoken::default(), Vec::new());
    let line = AuditLine { caller: None, session: None, status: None, ..line(&spoken, 0, DecisionWord::Deny) };
    line.write_to(&mut text);
    let found = lines(&text).remove(0);
    assert_eq!(found["reason"], "insufficient_scope");
    assert!(found["status"].is_null());
    for absent in ["agent_id", "session", "method", "tool", "arguments_sha256", "trace_id"] {
        assert_eq!(found.get(absent), None, "{absent}");
    }
}

#[test]
fn arguments_are_written_as_configured_and_never_at_length() {
    let values = AuditedArguments::Values { redact: vec!["password".into()] };
    let sent = r#"{"user":"a\"b","password":"hunter2"}"#;
    let found = Arguments::of(sent, &values);
    assert_eq!(found, Arguments::Values(r#"{"user":"a\"b","password":"[redacted]"}"#.into()));
    let spoken = Spoken { arguments: Some(found), ..spoken() };
    let mut text = Vec::new();
    line(&spoken, 0, DecisionWord::Allow).write_to(&mut text);
    assert_eq!(lines(&text)[0]["arguments"]["user"], "a\"b");
    let long = format!("{{\"a\":\"{}\"}}", "x".repeat(5000));
    assert_eq!(Arguments::of(&long, &values), Arguments::Digest(arguments_digest(&long)));
}

#[test]
fn long_names_are_cut_between_letters() {
    let spoken = Spoken { target: Some((RuleKind::Tool, "ß".repeat(200).into())), ..spoken() };
    let mut text = Vec::new();
    line(&spoken, 0, DecisionWord::Allow).write_to(&mut text);
    assert_eq!(lines(&text)[0]["tool"], "ß".repeat(128));
}

#[test]
fn repeated_refusals_are_written_as_one_line() {
    let (mut coalescer, mut text, spoken) = (Coalescer::default(), Vec::new(), spoken());
    let mut take = |secs| {
        let line = line(&spoken, secs, DecisionWord::Deny);
        coalescer.take(line.key(), &line, &mut text)
    };
    assert_eq!([take(0), take(1), take(9)], [Taken::Written, Taken::Counted, Taken::Counted]);
    assert_eq!(take(10), Taken::Written, "the next window begins with a line of its own");
    assert_eq!(take(11), Taken::Counted);
    coalescer.sweep(at(19), Due::Ended, &mut text);
    coalescer.sweep(at(20), Due::Ended, &mut text);
    coalescer.sweep(at(40), Due::Ended, &mut text);
    let found: Vec<_> = lines(&text).iter().map(|line| (line["ts"].to_string(), line["repeated"].as_u64())).collect();
    let expected = [("00.000", None), ("10.000", Some(2)), ("10.000", None), ("20.000", Some(1))];
    assert_eq!(found, expected.map(|(secs, repeated)| (format!("\"1970-01-01T00:00:{secs}Z\""), repeated)));
}

#[test]
fn refusals_of_other_things_or_other_callers_are_not_counted_together() {
    let (mut coalescer, mut text, spoken) = (Coalescer::default(), Vec::new(), spoken());
    let other_tool = Spoken { target: Some((RuleKind::Tool, "other".into())), ..spoken.clone() };
    let first = line(&spoken, 0, DecisionWord::Deny);
    let caller = Some(Caller { issuer: "https://id.example.net", agent: "agent-2", client: Some("client-1") });
    for line in [
        first,
        AuditLine { caller, ..first },
        AuditLine { caller: None, ..first },
        AuditLine { spoken: &other_tool, ..first },
        AuditLine { reason: Some("rate_limited"), ..first },
        AuditLine { endpoint: "https://tools.example.com/b", ..first },
    ] {
        assert_eq!(coalescer.take(line.key(), &line, &mut text), Taken::Written, "{line:?}");
    }
    assert_eq!(coalescer.take(first.key(), &first, &mut text), Taken::Counted);
    coalescer.sweep(at(0), Due::All, &mut text);
    assert_eq!(lines(&text).len(), 7);
}

#[test]
fn a_flood_of_different_refusals_takes_no_more_room_than_it_may() {
    let mut coalescer = Coalescer::default();
    for index in 0..5000 {
        let spoken = Spoken { target: Some((RuleKind::Tool, format!("t{index}").into())), ..spoken() };
        let line = line(&spoken, 0, DecisionWord::Deny);
        assert_eq!(coalescer.take(line.key(), &line, &mut Vec::new()), Taken::Written);
    }
    let mut text = Vec::new();
    coalescer.sweep(at(0), Due::All, &mut text);
    assert!(text.is_empty(), "each was written when it came");
}

#[test]
fn the_id_of_a_trace_is_taken_only_from_what_is_one() {
    let id = "0af7651916cd43dd8448eb211c80319c";
    for (given, expected) in [
        (format!("00-{id}-b7ad6b7169203331-01"), Some(id)),
        (format!("cc-{id}-b7ad6b7169203331-01-new"), Some(id)),
        (format!("00-{}-b7ad6b7169203331-01", id.to_uppercase()), None),
        ("00-0af7-b7ad6b7169203331-01".to_owned(), None),
        (String::new(), None),
    ] {
        assert_eq!(trace_id(&given), expected, "{given}");
    }
}
