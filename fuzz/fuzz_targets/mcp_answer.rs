//! However an answer comes in pieces, the same is passed on of it, and no list has what is hidden.
#![no_main]

use filters::{AnswerFilter, AnswerForm, CacheScope, Definition, Entry, Part, Sight};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

const BYTES_MAX: usize = 1024;

fn judge(entry: &Entry<'_>) -> Sight {
    assert_eq!(Definition::read(entry.definition), Definition::read(entry.definition));
    if entry.name.starts_with('h') { Sight::Hidden } else { Sight::Shown }
}

fn passed(form: AnswerForm, answer: &[u8], size: usize) -> Vec<u8> {
    let mut filter = AnswerFilter::new(form, Some("1".into()), CacheScope::Always, BYTES_MAX);
    let mut out = Vec::new();
    for piece in answer.chunks(size) {
        out.extend(filter.push(piece, Part::Some, &mut judge));
    }
    out.extend(filter.push(b"", Part::Last, &mut judge));
    out
}

fn shows_what_is_hidden(message: &[u8]) -> bool {
    let Ok(message) = serde_json::from_slice::<Value>(message) else { return false };
    let lists = ["tools", "prompts"].map(|list| &message["result"][list]);
    let names = lists.into_iter().filter_map(Value::as_array).flatten().map(|entry| entry["name"].as_str());
    names.flatten().any(|name| name.starts_with('h'))
}

fuzz_target!(|answer: &[u8]| {
    let Some((size, answer)) = answer.split_first() else { return };
    let size = usize::from(*size).max(1);
    let whole = passed(AnswerForm::Document, answer, answer.len().max(1));
    assert_eq!(passed(AnswerForm::Document, answer, size), whole);
    assert!(!shows_what_is_hidden(&whole));
    let whole = passed(AnswerForm::Events, answer, answer.len().max(1));
    assert_eq!(passed(AnswerForm::Events, answer, size), whole);
    // As a reader of events that are written in lines of LF: one of several that there are.
    for line in whole.split(|byte| *byte == b'\n').filter_map(|line| line.strip_prefix(b"data: ")) {
        assert!(!shows_what_is_hidden(line));
    }
});
