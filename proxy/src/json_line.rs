//! A line of a log: one JSON object, written member by member.

use std::fmt;
use std::io::Write as _;
use std::time::Duration;

/// Milliseconds with three digits of fraction.
pub(crate) fn millis(duration: Duration) -> impl fmt::Display {
    let micros = duration.as_micros();
    fmt::from_fn(move |f| write!(f, "{}.{:03}", micros / 1000, micros % 1000))
}

/// The members of a JSON object, written one after another. Names need no escapes.
pub(crate) struct Members<'a> {
    pub(crate) line: &'a mut Vec<u8>,
    pub(crate) separator: u8,
}

impl Members<'_> {
    fn name(&mut self, name: &str) {
        self.line.push(self.separator);
        self.separator = b',';
        self.line.push(b'"');
        self.line.extend_from_slice(name.as_bytes());
        self.line.extend_from_slice(b"\":");
    }

    pub(crate) fn text(&mut self, name: &str, text: &str) {
        self.bytes(name, text.as_bytes());
    }

    pub(crate) fn bytes(&mut self, name: &str, bytes: &[u8]) {
        self.name(name);
        self.line.push(b'"');
        escape(bytes, self.line);
        self.line.push(b'"');
    }

    /// Something whose text needs no escapes.
    pub(crate) fn shown(&mut self, name: &str, value: impl fmt::Display) {
        self.name(name);
        self.write(format_args!("\"{value}\""));
    }

    pub(crate) fn number(&mut self, name: &str, value: impl fmt::Display) {
        self.name(name);
        self.write(format_args!("{value}"));
    }

    fn write(&mut self, text: fmt::Arguments<'_>) {
        // A vector takes everything.
        self.line.write_fmt(text).unwrap_or_default();
    }
}

/// JSON's own escapes, control characters as `\u00XX`. Bytes that are no UTF-8 are written as `\xXX` in the text, so
/// that two paths never share a line.
fn escape(bytes: &[u8], line: &mut Vec<u8>) {
    for chunk in bytes.utf8_chunks() {
        for byte in chunk.valid().bytes() {
            match byte {
                b'"' | b'\\' => line.extend_from_slice(&[b'\\', byte]),
                0..=0x1f | 0x7f => line.write_fmt(format_args!("\\u{byte:04x}")).unwrap_or_default(),
                _ => line.push(byte),
            }
        }
        for byte in chunk.invalid() {
            line.write_fmt(format_args!("\\\\x{byte:02x}")).unwrap_or_default();
        }
    }
}
