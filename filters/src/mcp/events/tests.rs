use super::*;

/// Data with `secret` in it is replaced, with `gone` in it dropped.
fn judge(data: &[u8]) -> Passing {
    let text = std::str::from_utf8(data).unwrap();
    if text.contains("secret") {
        Passing::With(b"{\"a\":\n1}".to_vec())
    } else if text.contains("gone") {
        Passing::Without
    } else {
        Passing::AsItIs
    }
}

fn passed<'a>(chunks: impl IntoIterator<Item = &'a [u8]>) -> String {
    let (mut filter, mut out) = (EventFilter::new(4096), Vec::new());
    for chunk in chunks {
        filter.push(chunk, &mut judge, &mut out).unwrap();
    }
    filter.finish(&mut judge, &mut out);
    String::from_utf8(out).unwrap()
}

const STREAMS: [(&str, &str); 15] = [
    ("", ""),
    ("data: x\n\n", "data: x\n\n"),
    ("data: secret\n\n", "data: {\"a\":\ndata: 1}\n\n"),
    ("data:secret\r\n\r\n", "data: {\"a\":\r\ndata: 1}\r\n\r\n"),
    ("data: secret\r\rdata: x\r\r", "data: {\"a\":\rdata: 1}\r\rdata: x\r\r"),
    ("id: 1\nevent: message\ndata: sec\ndata: ret\n\n", "id: 1\nevent: message\ndata: sec\ndata: ret\n\n"),
    ("id: 1\ndata: a secret\nretry: 5\ndata\n\n", "id: 1\ndata: {\"a\":\ndata: 1}\nretry: 5\n\n"),
    (": keep\n\n: alive\r\n\r\ndata: x\n\n", ": keep\n\n: alive\r\n\r\ndata: x\n\n"),
    ("data: gone\n\ndata: stays\n\n", "\ndata: stays\n\n"),
    ("id: 7\ndata: gone\nevent: x\r\n\r\n", "id: 7\nevent: x\r\n\r\n"),
    ("id: 7\ndata:\n\n", "id: 7\ndata:\n\n"),
    ("data: the end of a secret", "data: {\"a\":\ndata: 1}\n"),
    ("\u{feff}data: secret\n\n", "data: {\"a\":\ndata: 1}\n\n"),
    ("\u{feff}: x\ndata: secret\n\n", "\u{feff}: x\ndata: {\"a\":\ndata: 1}\n\n"),
    ("database: secret\ndata : secret\n data: secret\n\n", "database: secret\ndata : secret\n data: secret\n\n"),
];

#[test]
fn data_is_replaced_and_all_else_passes_as_it_came() {
    for (stream, expected) in STREAMS {
        assert_eq!(passed([stream.as_bytes()]), expected, "{stream:?}");
    }
}

#[test]
fn it_does_not_matter_how_a_stream_is_cut() {
    for (stream, expected) in STREAMS {
        let bytes = stream.as_bytes();
        for first in 0..=bytes.len() {
            for second in first..=bytes.len() {
                let (a, rest) = bytes.split_at(first);
                let (b, c) = rest.split_at(second - first);
                assert_eq!(passed([a, b, c]), expected, "{stream:?} cut at {first} and {second}");
            }
        }
        assert_eq!(passed(bytes.chunks(1)), expected, "{stream:?} byte by byte");
    }
    // Together, and cut at places that a small generator picks.
    let whole: String =
        STREAMS.iter().map(|(stream, _)| stream).filter(|text| text.ends_with("\n\n")).copied().collect();
    let expected = passed([whole.as_bytes()]);
    let mut random = 7_u64;
    for _ in 0..500 {
        let (mut chunks, mut rest) = (Vec::new(), whole.as_bytes());
        while !rest.is_empty() {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let (chunk, behind) = rest.split_at(usize::try_from(random >> 60).unwrap().min(rest.len()));
            chunks.push(chunk);
            rest = behind;
        }
        assert_eq!(passed(chunks), expected);
    }
}

#[test]
fn nothing_waits_longer_than_it_must() {
    let (mut filter, mut out) = (EventFilter::new(4096), Vec::new());
    for (chunk, passed) in [
        (": keep-alive\n", ": keep-alive\n"),
        ("\n", ": keep-alive\n\n"),
        ("id: 1\n", ": keep-alive\n\nid: 1\n"),
        ("data: x\n", ": keep-alive\n\nid: 1\n"),
        ("\r", ": keep-alive\n\nid: 1\ndata: x\n\r"),
        ("\n", ": keep-alive\n\nid: 1\ndata: x\n\r\n"),
    ] {
        filter.push(chunk.as_bytes(), &mut judge, &mut out).unwrap();
        assert_eq!(String::from_utf8_lossy(&out), passed, "after {chunk:?}");
    }
}

#[test]
fn an_event_that_does_not_end_is_refused() {
    let (mut filter, mut out) = (EventFilter::new(64), Vec::new());
    for _ in 0..100 {
        filter.push(b"data: short\n\n", &mut judge, &mut out).unwrap();
    }
    let long = [&b"data: "[..], &[b'x'; 59]].concat();
    assert_eq!(filter.push(&long, &mut judge, &mut out), Err(EventTooLong));
    let mut filter = EventFilter::new(64);
    let lines = std::iter::repeat_n(&b"data: 12345\n"[..], 10);
    let ended = lines.map(|line| filter.push(line, &mut judge, &mut out)).collect::<Vec<_>>();
    assert_eq!(ended.iter().filter(|end| end.is_err()).count(), 5, "60 bytes are held, not more");
}
