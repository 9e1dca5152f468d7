//! `lime reload` and `lime mode`: orders to a gateway that runs on this machine, over its control socket.

use std::io::{self, BufRead as _, BufReader, ErrorKind, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, ValueEnum};
use serde::Deserialize;
use serde_json::json;

use crate::failure::Failure;
use crate::{gateway, terminal};

/// A reload of ten thousand sites takes a second; a gateway that does not answer for so long does not run.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);

#[derive(Debug, Args)]
pub(crate) struct Reload {
    /// The configuration file of the gateway: it is checked first
    #[arg(short, long, value_name = "FILE", default_value = "lime.toml")]
    config: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct Mode {
    /// What sites do from now on about what they find
    mode: Word,
    /// Only this site, by its url in the configuration; without it, all of them
    #[arg(long, value_name = "URL")]
    site: Option<String>,
    /// For how long, such as 30m or 1h; without it, until `lime mode configured` or the end of the process
    #[arg(long = "for", value_name = "DURATION", value_parser = duration)]
    lasts: Option<Duration>,
    /// The configuration file of the gateway
    #[arg(short, long, value_name = "FILE", default_value = "lime.toml")]
    config: PathBuf,
    /// The state folder of the gateway, if its file cannot be read
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Word {
    /// Nothing is looked at
    Off,
    /// Everything is looked at and logged, nobody is refused
    Observe,
    /// Decisions are carried out
    Enforce,
    /// As the configuration says: takes back what was said before
    Configured,
}

impl Word {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Observe => "observe",
            Self::Enforce => "enforce",
            Self::Configured => "configured",
        }
    }
}

/// What a gateway answers.
#[derive(Debug, Deserialize)]
pub(crate) struct Answer {
    ok: bool,
    #[serde(default)]
    said: Vec<String>,
    #[serde(default)]
    sites: usize,
    #[serde(default)]
    error: String,
    #[serde(default)]
    pub(crate) pins: Vec<proxy::PinRow>,
}

pub(crate) fn reload(arguments: &Reload) -> Result<(), Failure> {
    let config = gateway::load(&arguments.config)?;
    let answer = order(&config.server.state, &json!({ "command": "reload" }))?;
    for warning in &answer.said {
        terminal::complain(&format!("warning: {warning}"));
    }
    terminal::say(&format!("reloaded: {}", gateway::sites(answer.sites)));
    Ok(())
}

pub(crate) fn mode(arguments: &Mode) -> Result<(), Failure> {
    let Mode { mode, site, lasts, config, state } = arguments;
    let state = match state {
        Some(state) => state.clone(),
        None => gateway::load(config)?.server.state,
    };
    let seconds = lasts.map(|lasts| lasts.as_secs());
    let answer = order(&state, &json!({ "command": "mode", "mode": mode.as_str(), "site": site, "seconds": seconds }))?;
    answer.said.iter().for_each(|line| terminal::say(line));
    Ok(())
}

/// Gives an order to a gateway that has to run, and waits until it is carried out.
fn order(state: &Path, order: &serde_json::Value) -> Result<Answer, Failure> {
    let stream = connect(state).map_err(|cause| unanswered(state, &cause))?;
    carry(stream, state, order)
}

/// The same where none may run: then `None`.
pub(crate) fn order_if_running(state: &Path, order: &serde_json::Value) -> Result<Option<Answer>, Failure> {
    match connect(state) {
        Ok(stream) => carry(stream, state, order).map(Some),
        // Of a process that was killed the socket is left.
        Err(cause) if matches!(cause.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused) => Ok(None),
        Err(cause) => Err(unanswered(state, &cause)),
    }
}

fn connect(state: &Path) -> io::Result<UnixStream> {
    UnixStream::connect(socket(state))
}

fn socket(state: &Path) -> PathBuf {
    state.join("control.sock")
}

fn unanswered(state: &Path, cause: &dyn std::fmt::Display) -> Failure {
    Failure::runtime(format!(
        "no gateway answers at {} ({cause}): is it running, and is this its user and its configuration?",
        socket(state).display()
    ))
}

fn carry(mut stream: UnixStream, state: &Path, order: &serde_json::Value) -> Result<Answer, Failure> {
    let failed = |cause: &dyn std::fmt::Display| unanswered(state, cause);
    stream.set_read_timeout(Some(ANSWER_TIMEOUT)).map_err(|cause| failed(&cause))?;
    writeln!(stream, "{order}").map_err(|cause| failed(&cause))?;
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).map_err(|cause| failed(&cause))?;
    let answer: Answer = serde_json::from_str(&line).map_err(|cause| failed(&cause))?;
    if answer.ok { Ok(answer) } else { Err(Failure::runtime(answer.error)) }
}

fn duration(text: &str) -> Result<Duration, String> {
    config::duration(text).map_err(|problem| problem.to_string()).and_then(|duration| {
        if duration < Duration::from_secs(1) { Err("at least 1s".to_owned()) } else { Ok(duration) }
    })
}
