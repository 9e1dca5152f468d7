//! Every path that an origin may make of one. Written apart from the gateway, so that it shares no mistake with it; the
//! fuzz target for paths includes this file.

use std::collections::HashSet;

/// What is left of `path` decoded not at all, once or twice, its slashes merged, its dots resolved, its parameters cut
/// and its backslashes turned, in any order; itself among them.
#[must_use]
pub fn readings(path: &[u8]) -> HashSet<Vec<u8>> {
    let mut seen = HashSet::from([(path.to_vec(), 0)]);
    let mut open = vec![(path.to_vec(), 0)];
    while let Some((path, decodings)) = open.pop() {
        let read = [merged(&path), resolved(&path), cut(&path), turned(&path)].map(|path| (path, decodings));
        let decoded = (decodings < 2).then(|| (decoded(&path), decodings + 1));
        open.extend(read.into_iter().chain(decoded).filter(|state| seen.insert(state.clone())));
    }
    seen.into_iter().map(|(path, _)| path).collect()
}

fn merged(path: &[u8]) -> Vec<u8> {
    let mut merged: Vec<u8> = Vec::new();
    for byte in path {
        if *byte != b'/' || merged.last() != Some(&b'/') {
            merged.push(*byte);
        }
    }
    merged
}

/// RFC 3986 §5.2.4, on segments.
fn resolved(path: &[u8]) -> Vec<u8> {
    let mut kept: Vec<&[u8]> = Vec::new();
    let mut segments = path.split(|byte| *byte == b'/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        match segment {
            b"." => {}
            b".." => drop(kept.pop()),
            _ => {
                kept.push(segment);
                continue;
            }
        }
        if segments.peek().is_none() {
            kept.push(b"");
        }
    }
    [b"/", &kept.join(&b'/')[..]].concat()
}

fn cut(path: &[u8]) -> Vec<u8> {
    let segments = path.split(|byte| *byte == b'/');
    let bare = segments.map(|segment| segment.split(|byte| *byte == b';').next().unwrap_or_default());
    bare.collect::<Vec<_>>().join(&b'/')
}

fn turned(path: &[u8]) -> Vec<u8> {
    path.iter().map(|byte| if *byte == b'\\' { b'/' } else { *byte }).collect()
}

fn decoded(path: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::new();
    let mut rest = path;
    while let [first, behind @ ..] = rest {
        let pair = behind.first_chunk::<2>().filter(|_| *first == b'%');
        let byte = pair.and_then(|pair| u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok());
        // A sign is no digit, though the parser takes one.
        match byte.filter(|_| behind.first() != Some(&b'+')) {
            Some(byte) => {
                decoded.push(byte);
                rest = behind.get(2..).unwrap_or_default();
            }
            None => {
                decoded.push(*first);
                rest = behind;
            }
        }
    }
    decoded
}
