//! What a message at an MCP endpoint costs, beside the credential that came with it.

#![expect(clippy::unwrap_used, reason = "a bench that cannot set up should stop there")]

use std::fmt::Write as _;
use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use filters::Reason;
use lime_benches::inputs::claims;
use lime_benches::stage::{ISSUER, MCP_PATH, NOW, Rules, Stage, headers};
use passport::SigningKey;

/// A call of a tool in some so many bytes, as agents write them: texts, and some structure.
fn call(tool: &str, bytes: usize) -> String {
    let mut arguments = String::new();
    let mut count = 0;
    while arguments.len() + 150 < bytes {
        write!(
            arguments,
            "\"field_{count}\":{{\"text\":\"some words, and \\\"quoted\\\" ones\",\"at\":[{count},true,null]}},"
        )
        .unwrap();
        count += 1;
    }
    let params = format!("\"name\":\"{tool}\",\"arguments\":{{{arguments}\"last\":1}},\"_meta\":{{}}");
    format!("{{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"tools/call\",\"params\":{{{params}}}}}")
}

fn mcp(criterion: &mut Criterion) {
    let key = SigningKey::generate().unwrap();
    let stage = Stage::under(Rules::Tools, &key);
    let token = key.sign(&claims(ISSUER, 1, NOW)).unwrap();
    let mut headers = headers(Some(&token));
    headers.insert("content-type", "application/json".parse().unwrap());
    headers.insert("mcp-protocol-version", "2026-07-28".parse().unwrap());
    headers.insert("mcp-method", "tools/call".parse().unwrap());
    let identity = stage.play(MCP_PATH, &headers).decision.identity.unwrap();
    let mut group = criterion.benchmark_group("mcp");
    for (name, tool, bytes, expected) in [
        ("a call of 256 B", "family63_read", 256, None),
        ("a call of 4 KiB", "family63_read", 4096, None),
        ("a call of 64 KiB", "family63_read", 65_536, None),
        ("refused: the headers name another tool", "family1_other", 4096, Some(Reason::HeaderMismatch)),
    ] {
        let body = call(tool, bytes);
        headers.insert("mcp-name", "family63_read".parse().unwrap());
        let outcome = stage.call(&identity, &headers, body.as_bytes());
        assert_eq!(outcome.decided.map(|(_, reason)| reason), expected, "{name}");
        group.bench_function(name, |bencher| {
            bencher.iter(|| stage.call(&identity, black_box(&headers), body.as_bytes()))
        });
    }
    group.finish();
}

criterion_group!(benches, mcp);
criterion_main!(benches);
