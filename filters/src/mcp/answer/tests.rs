use super::super::listing::{Entry, Sight};
use super::*;

const LIST: &str = r#"{"jsonrpc":"2.0","id":7,"result":{"tools":[{"name":"a"},{"name":"hidden"}]}}"#;
const FILTERED: &str = r#"{"jsonrpc":"2.0","id":7,"result":{"tools":[{"name":"a"}]}}"#;
const ERROR: &str = r#"{"jsonrpc":"2.0","id":7,"error":{"code":-32603,"message":"The server's answer could not be read safely, and was not passed on."}}"#;

fn judge(entry: &Entry<'_>) -> Sight {
    if entry.name == "hidden" { Sight::Hidden } else { Sight::Shown }
}

/// What passes of an answer that comes in pieces of some size, and what was wrong with it.
fn passed(form: AnswerForm, id: Option<&str>, answer: &str, size: usize) -> (String, Option<AnswerFault>) {
    let mut filter = AnswerFilter::new(form, id.map(Box::from), CacheScope::WhereSaid, 512);
    let mut out = Vec::new();
    for piece in answer.as_bytes().chunks(size) {
        out.extend(filter.push(piece, Part::Some, &mut judge));
    }
    out.extend(filter.push(b"", Part::Last, &mut judge));
    (String::from_utf8(out).unwrap(), filter.fault())
}

#[track_caller]
fn check(form: AnswerForm, id: Option<&str>, answer: &str, expected: &str, fault: Option<AnswerFault>) {
    for size in [1, 7, 1000] {
        assert_eq!(passed(form, id, answer, size), (expected.to_owned(), fault), "in pieces of {size}: {answer}");
    }
}

#[test]
fn a_document_passes_filtered_or_not_at_all() {
    let check = |answer: &str, expected: &str, fault| check(AnswerForm::Document, Some("7"), answer, expected, fault);
    check(LIST, FILTERED, None);
    check("", "", None);
    check("<html>hidden</html>", ERROR, Some(Unreadable::Syntax.into()));
    check(&format!("[{LIST}]"), ERROR, Some(Unreadable::Syntax.into()));
    check(&format!("{LIST}{}", " ".repeat(512)), ERROR, Some(AnswerFault::TooLong));
    check(r#"{"id":7,"error":{"code":1}}"#, r#"{"id":7,"error":{"code":1}}"#, None);
}

#[test]
fn of_events_only_the_list_is_another() {
    let check = |answer: &str, expected: &str, fault| check(AnswerForm::Events, Some("7"), answer, expected, fault);
    let progress = r#"data: {"method":"notifications/progress","params":{}}"#;
    check(
        &format!("id: 1\ndata:\n\n: ping\n\n{progress}\n\nid: 2\ndata: {LIST}\n\n"),
        &format!("id: 1\ndata:\n\n: ping\n\n{progress}\n\nid: 2\ndata: {FILTERED}\n\n"),
        None,
    );
    check("data: ping hidden\n\n", "data: ping hidden\n\n", None);
    check(
        &format!("data: {{\"a\":1,\"a\":2}}\n\ndata: {LIST}\n\n"),
        &format!("data: {ERROR}\n\ndata: {FILTERED}\n\n"),
        Some(Unreadable::Twice.into()),
    );
    check(
        &format!("data: {LIST}\n\ndata: {}\n\ndata: {LIST}\n\n", "x".repeat(512)),
        &format!("data: {FILTERED}\n\ndata: {ERROR}\n\n"),
        Some(AnswerFault::TooLong),
    );
}

#[test]
fn a_stream_that_is_taken_up_again_may_bring_a_list_too() {
    let check = |answer: &str, expected: &str, fault| check(AnswerForm::Events, None, answer, expected, fault);
    check(&format!("data: {LIST}\n\n"), &format!("data: {FILTERED}\n\n"), None);
    check(&format!("data: [{LIST}]\n\ndata: x\n\n"), "\ndata: x\n\n", Some(Unreadable::Syntax.into()));
    check(&format!("data: x\n\ndata: {}", "x".repeat(512)), "data: x\n\n", Some(AnswerFault::TooLong));
}

#[test]
fn nobody_waits_for_events_that_do_not_pass() {
    for (form, expected) in [(AnswerForm::Events, true), (AnswerForm::Document, false)] {
        let mut filter = AnswerFilter::new(form, None, CacheScope::WhereSaid, 512);
        filter.push(b"data: x\n\n", Part::Some, &mut judge);
        assert!(!filter.is_broken_off());
        filter.push("x".repeat(513).as_bytes(), Part::Some, &mut judge);
        assert_eq!(filter.is_broken_off(), expected, "{form:?}");
    }
}

#[test]
fn what_is_compressed_is_refused() {
    for form in [AnswerForm::Document, AnswerForm::Events] {
        let mut filter = AnswerFilter::new(form, Some("7".into()), CacheScope::Always, 512);
        filter.give_up(AnswerFault::Encoded);
        let mut out = filter.push(b"\x1f\x8b", Part::Some, &mut judge);
        out.extend(filter.push(b"", Part::Last, &mut judge));
        assert_eq!(String::from_utf8(out).unwrap(), ERROR);
        assert_eq!(filter.fault(), Some(AnswerFault::Encoded));
    }
}
