//! A head that we let through is one request to the parser behind us, which is Pingora's: the same method, target and
//! fields, one host, and at most one length.
#![no_main]

use filters::{HEAD_BYTES_MAX, RequestLine, judge_head};
use http::uri::PathAndQuery;
use libfuzzer_sys::fuzz_target;

/// More than are let through.
const FIELDS_MAX: usize = 300;

fuzz_target!(|raw: &[u8]| {
    let is_whole = raw.windows(4).position(|end| end == b"\r\n\r\n").is_some_and(|end| end + 4 == raw.len());
    if judge_head(raw).is_err() || !is_whole {
        return;
    }
    assert!(raw.len() <= HEAD_BYTES_MAX);
    let line = RequestLine::of(raw).expect("it was judged");
    let mut fields = [httparse::EMPTY_HEADER; FIELDS_MAX];
    let mut parsed = httparse::Request::new(&mut fields);
    let status = parsed.parse(raw).expect("the parser behind us takes it");
    assert_eq!(status, httparse::Status::Complete(raw.len()));
    assert_eq!(parsed.method.map(str::as_bytes), Some(line.method));
    assert_eq!(parsed.path.map(str::as_bytes), Some(line.target));
    let named = |name: &str| {
        parsed.headers.iter().filter(|field| field.name.replace('_', "-").eq_ignore_ascii_case(name)).count()
    };
    assert_eq!(named("host"), 1);
    assert!(named("content-length") + named("transfer-encoding") <= 1);
    if line.target.starts_with(b"/") {
        let target = PathAndQuery::try_from(line.target).expect("a target is a path and a query");
        assert_eq!(target.as_str().as_bytes(), line.target);
    }
});
