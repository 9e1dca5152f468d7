//! The only place that writes to stdout and stderr: answers go to one, everything else to the other.

use std::io::{self, IsTerminal, Write};

use tracing_subscriber::EnvFilter;

/// One line of the answer. A reader that went away (`lime .. | head`) is no error.
pub(crate) fn say(line: &str) {
    let written = writeln!(io::stdout().lock(), "{line}");
    drop(written);
}

/// Bytes of the answer, as they are.
pub(crate) fn pour(bytes: &[u8]) -> io::Result<()> {
    io::stdout().lock().write_all(bytes)
}

/// One line beside the answer. It may quote a stranger, who must not move the cursor or change the title.
pub(crate) fn complain(line: &str) {
    let written = writeln!(io::stderr().lock(), "{}", harmless(line));
    drop(written);
}

/// A text with its control characters made visible, line ends apart.
pub(crate) fn harmless(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() && character != '\n' {
            shown.extend(character.escape_default());
        } else {
            shown.push(character);
        }
    }
    shown
}

/// A line that the next one replaces; only where somebody watches.
pub(crate) fn progress(line: &str) {
    let mut stderr = io::stderr().lock();
    if stderr.is_terminal() {
        let written = write!(stderr, "\r\x1b[K{line}").and_then(|()| stderr.flush());
        drop(written);
    }
}

/// A question, answered on the same line.
pub(crate) fn ask(question: &str) {
    let mut stderr = io::stderr().lock();
    let written = write!(stderr, "{question}").and_then(|()| stderr.flush());
    drop(written);
}

/// Takes back what [`progress`] left.
pub(crate) fn end_progress() {
    progress("");
}

/// The log goes to stderr, at `info` unless `LIME_LOG` says otherwise. Pingora never gets past `info`: below that it
/// prints whole headers.
pub(crate) fn start_log() {
    let mut filter = EnvFilter::try_from_env("LIME_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    for directive in ["pingora=warn", "pingora_core=warn", "pingora_proxy=warn", "h2=warn", "rustls=warn"] {
        if let Ok(directive) = directive.parse() {
            filter = filter.add_directive(directive);
        }
    }
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).with_target(false).init();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_stranger_says_cannot_move_the_cursor() {
        assert_eq!(harmless("a\u{1b}]0;owned\u{7}b\nc\u{9b}d"), "a\\u{1b}]0;owned\\u{7}b\nc\\u{9b}d");
    }
}
