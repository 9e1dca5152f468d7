//! Whatever headers a client sends, nobody but an agent that is known is introduced, and no credential of ours goes on.
#![no_main]

use filters::Verdict;
use http::{HeaderMap, HeaderName, HeaderValue};
use libfuzzer_sys::fuzz_target;
use lime_fuzz::GATE;

/// What may stand for a credential that counts, since no fuzzer finds one.
const TOKEN: &str = "$T";
const SESSION: &str = "$S";

/// The lines of `text` as headers.
fn headers(text: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for line in text.lines() {
        let Some((name, value)) = line.split_once(':') else { continue };
        let value = value.trim().replace(TOKEN, &GATE.token).replace(SESSION, &GATE.session);
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::from_bytes(value.as_bytes())) {
            headers.append(name, value);
        }
    }
    headers
}

fuzz_target!(|text: &str| {
    let headers = headers(text);
    for path in [&b"/agents/x"[..], b"/"] {
        let decided = GATE.decide(path, &headers);
        let identity = &decided.outcome.decision.identity;
        if !matches!(decided.outcome.verdict, Verdict::Continue) {
            continue;
        }
        assert!(identity.is_some() || path == b"/", "a stranger on a protected path");
        let said = |name: &str| decided.at_origin.get_all(name).iter().map(HeaderValue::as_bytes).collect::<Vec<_>>();
        let known: &[&[u8]] = if identity.is_some() { &[b"agent-1"] } else { &[] };
        assert_eq!(said("lime-agent-id"), known);
        assert_eq!(said("lime-agent-trust").len(), 1);
        for (name, value) in &decided.at_origin {
            let folded = name.as_str().replace('_', "-");
            let ours = ["lime-agent-id", "lime-agent-trust", "lime-owner-level"];
            let is_reserved = folded.starts_with("lime-") || folded.starts_with("x-lime-");
            assert!(!is_reserved || ours.contains(&name.as_str()), "{name}");
            let bearer = [&b"Bearer "[..], GATE.token.as_bytes()].concat();
            assert!(name != "authorization" || value.as_bytes() != bearer, "our token goes on");
        }
    }
});
