//! Server-sent events (WHATWG HTML §9.2), told apart while they pass.
//!
//! From its first line of data on, an event is held until its blank line, then passed on as it came, with other data, or
//! without. Nothing else is held: a comment, which keeps a connection open, passes with its line.

use memchr::memchr2;

/// What a stream may begin with, and no reader minds.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// What becomes of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Passing {
    /// It passes byte for byte.
    AsItIs,
    /// It passes with this data, and otherwise as it came.
    With(Vec<u8>),
    /// It passes without its data: nobody is told of it, but where a stream is to be taken up again.
    Without,
}

/// An event of more bytes than are held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct EventTooLong;

/// Says of an event's data what becomes of it.
pub(super) type JudgeData<'a> = dyn FnMut(&[u8]) -> Passing + 'a;

/// Tells the events of one stream apart.
#[derive(Debug)]
pub(super) struct EventFilter {
    event_bytes_max: usize,
    /// The event under way, from its first line of data on.
    event: Vec<u8>,
    /// Where its last line begins.
    line: usize,
    /// What ended the last line was a CR: if an LF follows, it is of the same end.
    is_after_cr: bool,
    is_at_start: bool,
}

impl EventFilter {
    /// Holds at most `event_bytes_max` bytes.
    #[must_use]
    pub(super) const fn new(event_bytes_max: usize) -> Self {
        Self { event_bytes_max, event: Vec::new(), line: 0, is_after_cr: false, is_at_start: true }
    }

    /// Takes what came next, and writes to `out` what may pass.
    ///
    /// # Errors
    /// [`EventTooLong`]: nothing more of the stream can be judged.
    pub(super) fn push(
        &mut self,
        chunk: &[u8],
        judge: &mut JudgeData<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), EventTooLong> {
        let mut rest = chunk;
        while let Some(first) = rest.first() {
            if std::mem::take(&mut self.is_after_cr) && *first == b'\n' {
                rest = rest.split_first().map_or(&[][..], |(_, rest)| rest);
                self.end_crlf(out);
                continue;
            }
            let end = memchr2(b'\r', b'\n', rest).map_or(rest.len(), |at| at + 1);
            let (line, behind) = rest.split_at_checked(end).unwrap_or((rest, &[]));
            if self.event.len() + line.len() > self.event_bytes_max {
                return Err(EventTooLong);
            }
            self.event.extend_from_slice(line);
            rest = behind;
            match line.last() {
                Some(b'\r') => {
                    self.is_after_cr = true;
                    self.end_line(judge, out);
                }
                Some(b'\n') => self.end_line(judge, out),
                Some(_) | None => {}
            }
        }
        Ok(())
    }

    /// Writes what is left when the stream ends. Readers should drop an event without its blank line; some do not.
    pub(super) fn finish(&mut self, judge: &mut JudgeData<'_>, out: &mut Vec<u8>) {
        self.end_event(judge, out);
    }

    /// The LF belongs to the line before it, which may have passed already.
    fn end_crlf(&mut self, out: &mut Vec<u8>) {
        if self.event.is_empty() {
            out.push(b'\n');
        } else {
            self.event.push(b'\n');
            self.line = self.event.len();
        }
    }

    fn end_line(&mut self, judge: &mut JudgeData<'_>, out: &mut Vec<u8>) {
        let line = self.event.get(self.line..).unwrap_or_default();
        let is_alone = self.line == 0;
        let line = if self.is_at_start && is_alone { without_mark(line) } else { line };
        match line.first() {
            Some(b'\r' | b'\n') | None => self.end_event(judge, out),
            Some(_) if is_alone && data_of(without_end(line)).is_none() => {
                out.append(&mut self.event);
                self.is_at_start = false;
            }
            Some(_) => self.line = self.event.len(),
        }
    }

    fn end_event(&mut self, judge: &mut JudgeData<'_>, out: &mut Vec<u8>) {
        let start = if std::mem::take(&mut self.is_at_start) { without_mark(&self.event) } else { &self.event };
        match data(start).map_or(Passing::AsItIs, |data| judge(&data)) {
            Passing::AsItIs => out.append(&mut self.event),
            Passing::With(other) => rewrite(start, Some(&other), out),
            Passing::Without => rewrite(start, None, out),
        }
        self.event.clear();
        self.line = 0;
    }
}

fn without_end(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\n").or_else(|| line.strip_suffix(b"\r")).unwrap_or(line)
}

fn without_mark(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes)
}

/// The data of an event: its lines of that name, an LF between two. `None` if it has none.
fn data(event: &[u8]) -> Option<Vec<u8>> {
    let mut found: Option<Vec<u8>> = None;
    for (line, _) in lines(event) {
        let Some(value) = data_of(line) else { continue };
        match &mut found {
            Some(found) => {
                found.push(b'\n');
                found.extend_from_slice(value);
            }
            None => found = Some(value.to_vec()),
        }
    }
    found
}

/// What a line adds to the data; `None` if it is of another field.
fn data_of(line: &[u8]) -> Option<&[u8]> {
    let rest = line.strip_prefix(b"data")?;
    if rest.is_empty() {
        return Some(rest);
    }
    let value = rest.strip_prefix(b":")?;
    Some(value.strip_prefix(b" ").unwrap_or(value))
}

/// The event with other data, in the place of the first line of the old, or with none.
fn rewrite(event: &[u8], mut other: Option<&[u8]>, out: &mut Vec<u8>) {
    for (line, end) in lines(event) {
        if data_of(line).is_none() {
            out.extend_from_slice(line);
            out.extend_from_slice(end);
        } else if let Some(other) = other.take() {
            for part in other.split(|byte| *byte == b'\n') {
                out.extend_from_slice(b"data: ");
                out.extend_from_slice(part);
                out.extend_from_slice(if end.is_empty() { b"\n" } else { end });
            }
        }
    }
}

/// The lines of an event, each with what ends it: CR LF, LF or CR.
fn lines(event: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let mut rest = event;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let end = memchr2(b'\r', b'\n', rest).unwrap_or(rest.len());
        let (line, behind) = rest.split_at_checked(end)?;
        let length = match behind {
            [b'\r', b'\n', ..] => 2,
            [_, ..] => 1,
            [] => 0,
        };
        let (end, behind) = behind.split_at_checked(length)?;
        rest = behind;
        Some((line, end))
    })
}

#[cfg(test)]
mod tests;
