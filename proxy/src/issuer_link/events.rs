//! The lines of an event stream: each event is one `data:` line with one JSON object.

use passport::{LoginRequestId, SiteId};
use serde::Deserialize;

use crate::issuer_api::LogRow;

/// Longest line that is read, in bytes: eight times the largest token.
const LINE_BYTES_MAX: usize = 64 * 1024;

/// Why a stream cannot be read on.
#[derive(Debug, thiserror::Error)]
pub(super) enum LinesError {
    #[error("a line longer than 65536 bytes")]
    TooLong,
    #[error("an event that is not a JSON object of its type")]
    Malformed(#[from] serde_json::Error),
}

/// Something the issuer says. Unknown types are for later gateways.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub(super) enum Event {
    Position {
        seq: u64,
    },
    Keepalive {
        seq: u64,
    },
    Revocation(LogRow),
    Approved(Approved),
    Expired {
        login_request_id: LoginRequestId,
        site_id: SiteId,
    },
    #[serde(other)]
    Unknown,
}

/// A login that an agent approved.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Approved {
    pub(super) login_request_id: LoginRequestId,
    pub(super) site_id: SiteId,
    pub(super) agent_passport_jwt: String,
}

/// What came and was not read yet.
#[derive(Debug, Default)]
pub(super) struct Lines {
    unread: Vec<u8>,
}

impl Lines {
    pub(super) fn push(&mut self, chunk: &[u8]) -> Result<(), LinesError> {
        self.unread.extend_from_slice(chunk);
        let last = self.unread.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        if self.unread.len() - last > LINE_BYTES_MAX { Err(LinesError::TooLong) } else { Ok(()) }
    }

    /// The next event that is there whole.
    pub(super) fn next_event(&mut self) -> Result<Option<Event>, LinesError> {
        while let Some(end) = self.unread.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.unread.drain(..=end).collect();
            if let Some(data) = line.strip_prefix(b"data:") {
                return Ok(Some(serde_json::from_slice(data)?));
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(chunks: &[&str]) -> Result<Vec<String>, LinesError> {
        let mut lines = Lines::default();
        let mut events = Vec::new();
        for chunk in chunks {
            lines.push(chunk.as_bytes())?;
            while let Some(event) = lines.next_event()? {
                events.push(format!("{event:?}"));
            }
        }
        Ok(events)
    }

    #[test]
    fn events_are_read_however_they_are_cut() {
        let text = "data: {\"type\":\"position\",\"seq\":7}\n\n: comment\r\ndata:{\"type\":\"keepalive\",\"seq\":8}\r\n\r\n\
                    data: {\"type\":\"weather\",\"sun\":true}\n\n\
                    data: {\"type\":\"revocation\",\"seq\":8,\"kind\":\"agent\",\"id\":\"a\",\"not_before\":1,\"suspended\":true}\n";
        let whole = read(&[text]).unwrap();
        assert_eq!(whole.len(), 4);
        assert_eq!(whole[0], "Position { seq: 7 }");
        assert_eq!(whole[2], "Unknown");
        let bytes: Vec<String> = text.chars().map(String::from).collect();
        assert_eq!(read(&bytes.iter().map(String::as_str).collect::<Vec<_>>()).unwrap(), whole);
    }

    #[test]
    fn what_is_no_event_ends_the_stream() {
        assert!(read(&["data: {\"type\":\"position\"}\n"]).is_err());
        assert!(read(&["data: hello\n"]).is_err());
        assert!(read(&["data: {\"type\":\"approved\",\"login_request_id\":\"../x\",\"site_id\":\"s\",\"agent_passport_jwt\":\"\"}\n"]).is_err());
        assert!(read(&[&"x".repeat(LINE_BYTES_MAX + 1)]).is_err());
    }
}
