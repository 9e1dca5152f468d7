use super::*;

/// Hides what begins with `hidden`.
fn filtered(answer: &str, cache_scope: CacheScope) -> Result<String, Unreadable> {
    let mut judge = |entry: &Entry<'_>| if entry.name.starts_with("hidden") { Sight::Hidden } else { Sight::Shown };
    let found = filter_lists(answer.as_bytes(), cache_scope, &mut judge)?;
    Ok(String::from_utf8(found.into_owned()).unwrap())
}

#[track_caller]
fn check(answer: &str, expected: &str) {
    assert_eq!(filtered(answer, CacheScope::WhereSaid).unwrap(), expected);
}

#[test]
fn hidden_entries_are_left_out_and_the_rest_stays_as_it_was_written() {
    check(
        r#"{"jsonrpc":"2.0","id":7,"result":{"tools":[{"name":"b", "n":1.50},{"name":"hidden"},{"x":1e400,"name":"a\u0062"}],"nextCursor":"c","ttlMs":300000,"_meta":{"k" : 1}}}"#,
        r#"{"jsonrpc":"2.0","id":7,"result":{"tools":[{"name":"b", "n":1.50},{"x":1e400,"name":"a\u0062"}],"nextCursor":"c","ttlMs":300000,"_meta":{"k" : 1}}}"#,
    );
    for (member, key) in
        [("tools", "name"), ("resources", "uri"), ("resourceTemplates", "uriTemplate"), ("prompts", "name")]
    {
        check(
            &format!(r#"{{"id":1,"result":{{"{member}":[{{"{key}":"hidden_1"}},{{"{key}":"shown"}}]}}}}"#),
            &format!(r#"{{"id":1,"result":{{"{member}":[{{"{key}":"shown"}}]}}}}"#),
        );
    }
}

#[test]
fn what_has_nothing_to_hide_stays_byte_for_byte() {
    for answer in [
        r#" { "id" : 1, "result" : { "tools" : [ { "name" : "a" } ] } } "#,
        r#"{"id":1,"error":{"code":-32601,"message":"no"}}"#,
        r#"{"id":1,"result":{"resultType":"input_required","inputRequests":{}}}"#,
        r#"{"id":1,"result":{"content":[{"type":"text","text":"tools"}]}}"#,
        r#"{"id":1,"result":null}"#,
        r#"{"method":"notifications/progress","params":{"tools":[{"name":"hidden"}]}}"#,
        r#"{"id":1,"result":{"tools":[],"cacheScope":"private"}}"#,
    ] {
        check(answer, answer);
    }
}

#[test]
fn a_list_is_for_its_caller_alone() {
    let list = |scope: &str| format!(r#"{{"id":1,"result":{{"tools":[{{"name":"a"}}]{scope}}}}}"#);
    let (public, private) = (r#","cacheScope":"public""#, r#","cacheScope":"private""#);
    for (scope, cache_scope, expected) in [
        (public, CacheScope::WhereSaid, private),
        (public, CacheScope::Always, private),
        ("", CacheScope::Always, private),
        ("", CacheScope::WhereSaid, ""),
        (r#","cacheScope":null"#, CacheScope::WhereSaid, private),
    ] {
        assert_eq!(filtered(&list(scope), cache_scope).unwrap(), list(expected), "{scope}");
    }
    let no_list = r#"{"id":1,"result":{"resultType":"input_required"}}"#;
    assert_eq!(filtered(no_list, CacheScope::Always).unwrap(), no_list);
}

#[test]
fn an_entry_that_nobody_could_ask_for_is_left_out() {
    check(
        r#"{"id":1,"result":{"tools":["a",1,{"title":"no name"},{"name":7},{"name":"b"}]}}"#,
        r#"{"id":1,"result":{"tools":[{"name":"b"}]}}"#,
    );
}

#[test]
fn what_could_be_read_in_two_ways_is_refused() {
    for (answer, expected) in [
        ("", Unreadable::Syntax),
        ("<html>", Unreadable::Syntax),
        (r#"{"id":1,"result":{"tools":[{"name":"a"}]}"#, Unreadable::Syntax),
        (r#"[{"id":1,"result":{"tools":[]}}]"#, Unreadable::Syntax),
        (r#"{"result":{},"result":{"tools":[]}}"#, Unreadable::Twice),
        (r#"{"result":{"tools":[],"tools":[{"name":"hidden"}]}}"#, Unreadable::Twice),
        (r#"{"result":{"tools":[{"name":"a","name":"hidden"}]}}"#, Unreadable::Twice),
        (r#"{"Result":{"tools":[{"name":"hidden"}]}}"#, Unreadable::LookAlike),
        (r#"{"result":{"Tools":[{"name":"hidden"}]}}"#, Unreadable::LookAlike),
        (r#"{"result":{"tools":[{"name":"a","Name":"hidden"}]}}"#, Unreadable::LookAlike),
        (r#"{"result":{"tools":[]},"error":{}}"#, Unreadable::TwoOutcomes),
        (r#"{"result":{"tools":{"0":{"name":"hidden"}}}}"#, Unreadable::NoList),
        (r#"{"result":{"tools":null}}"#, Unreadable::NoList),
    ] {
        assert_eq!(filtered(answer, CacheScope::WhereSaid), Err(expected), "{answer}");
    }
}

#[test]
fn only_methods_that_list_are_of_lists() {
    for (method, expected) in [
        ("tools/list", Some(Listed::Tools)),
        ("resources/list", Some(Listed::Resources)),
        ("resources/templates/list", Some(Listed::Templates)),
        ("prompts/list", Some(Listed::Prompts)),
        ("tools/call", None),
        ("tasks/list", None),
        ("Tools/list", None),
    ] {
        assert_eq!(Listed::of_method(method), expected, "{method}");
    }
}
