//! The control socket: orders of an operator on this machine, a line of JSON each way.
//!
//! It lies in the state folder, which only the user of the gateway may enter.

use std::fs::Permissions;
use std::io;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use config::Mode;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::time::timeout;

use super::commands::{Commands, Done, ModeChange, Refused};
use crate::mcp_pins::PinOrder;

/// The name of the socket in the state folder.
const NAME: &str = "control.sock";

/// Longest line that is read, in bytes.
const LINE_BYTES_MAX: u64 = 8 * 1024;

/// For a line of the operator's command, which has it ready.
const READ_TIME_MAX: Duration = Duration::from_secs(5);

/// An order, as it comes over the socket.
#[derive(Debug, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case", deny_unknown_fields)]
enum Line {
    Reload {},
    Status {},
    Pins {
        order: PinOrder,
    },
    Mode {
        /// `off`, `observe`, `enforce`, or `configured`.
        mode: String,
        #[serde(default)]
        site: Option<String>,
        #[serde(default)]
        seconds: Option<u64>,
    },
}

/// The answer to it.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Answer {
    Done {
        ok: bool,
        #[serde(flatten)]
        done: Done,
    },
    Refused {
        ok: bool,
        error: String,
    },
}

/// A socket that is open, and removed in the end.
#[derive(Debug)]
pub(super) struct Socket {
    listener: UnixListener,
    path: PathBuf,
}

impl Socket {
    /// Opens the socket in the state folder. One that a process left behind is replaced.
    pub(super) fn open(state: &Path) -> io::Result<Self> {
        let path = state.join(NAME);
        match std::fs::symlink_metadata(&path) {
            Ok(found) if found.file_type().is_socket() => std::fs::remove_file(&path)?,
            Ok(_) => return Err(io::Error::new(io::ErrorKind::AlreadyExists, "something else has its name")),
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => {}
            Err(cause) => return Err(cause),
        }
        let listener = UnixListener::bind(&path)?;
        std::fs::set_permissions(&path, Permissions::from_mode(0o600))?;
        Ok(Self { listener, path })
    }

    /// Takes orders for as long as it is polled.
    pub(super) async fn listen(self, commands: Commands) {
        loop {
            match self.listener.accept().await {
                Ok((stream, _)) => {
                    // One at a time: orders are carried out so anyway.
                    if let Err(cause) = serve(stream, &commands).await {
                        tracing::warn!(error = &cause as &dyn std::error::Error, "an order was not understood");
                    }
                }
                Err(cause) => {
                    tracing::warn!(error = &cause as &dyn std::error::Error, "the control socket takes nobody");
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            }
        }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        // What cannot be removed is replaced by the next start.
        drop(std::fs::remove_file(&self.path));
    }
}

async fn serve(stream: UnixStream, commands: &Commands) -> io::Result<()> {
    let (read, mut write) = stream.into_split();
    let mut line = String::new();
    let mut reader = BufReader::new(read.take(LINE_BYTES_MAX));
    timeout(READ_TIME_MAX, reader.read_line(&mut line)).await??;
    let answer = match serde_json::from_str::<Line>(&line) {
        Ok(line) => order(line, commands).await,
        Err(cause) => Answer::Refused { ok: false, error: format!("no order: {cause}") },
    };
    let mut text = serde_json::to_vec(&answer).map_err(io::Error::other)?;
    text.push(b'\n');
    timeout(READ_TIME_MAX, write.write_all(&text)).await?
}

async fn order(line: Line, commands: &Commands) -> Answer {
    let done = match line {
        Line::Reload {} => commands.reload().await,
        Line::Status {} => commands.status().await,
        Line::Pins { order } => commands.pins(order).await,
        Line::Mode { mode, site, seconds } => match known_mode(&mode) {
            Ok(mode) => commands.change_mode(ModeChange { site, mode, lasts: seconds.map(Duration::from_secs) }).await,
            Err(error) => return Answer::Refused { ok: false, error },
        },
    };
    match done {
        Ok(done) => Answer::Done { ok: true, done },
        Err(refused) => Answer::Refused { ok: false, error: Refused::to_string(&refused) },
    }
}

fn known_mode(word: &str) -> Result<Option<Mode>, String> {
    if word == "configured" {
        return Ok(None);
    }
    let found = [Mode::Off, Mode::Observe, Mode::Enforce].into_iter().find(|mode| mode.as_str() == word);
    found.map(Some).ok_or_else(|| format!("no mode `{word}`: write off, observe, enforce or configured"))
}
