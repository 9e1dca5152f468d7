//! The program under test.

use std::ffi::OsStr;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::{env, fs};

use serde_json::Value;

/// The root of the clone.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// The folder of the build profile: this very test lies in it, and so does `lime`.
fn profile() -> &'static Path {
    static PROFILE: OnceLock<PathBuf> = OnceLock::new();
    PROFILE.get_or_init(|| {
        let test = env::current_exe().unwrap();
        let profile = test.ancestors().find(|folder| folder.join("lime").is_file());
        profile.unwrap_or_else(|| panic!("no lime above {}: run tests/run build", test.display())).to_owned()
    })
}

/// The folder cargo builds into.
pub(crate) fn target() -> &'static Path {
    profile().parent().unwrap()
}

/// The command `lime` as it was last built, without anything in this process's environment that it reads.
#[must_use]
pub fn lime(arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Command {
    let mut command = Command::new(profile().join("lime"));
    command.args(arguments).env_remove("STATE_DIRECTORY").env_remove("NOTIFY_SOCKET");
    for (name, _) in env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("LIME_")) {
        command.env_remove(name);
    }
    command
}

/// How a command ended, and what it said.
#[derive(Debug)]
pub struct Output {
    /// Its exit code.
    pub code: i32,
    /// What it wrote to stdout.
    pub stdout: String,
    /// What it wrote to stderr.
    pub stderr: String,
}

impl Output {
    /// Runs `command` to its end.
    #[must_use]
    pub fn of(mut command: Command) -> Self {
        Self::from(command.output().unwrap())
    }

    /// Runs `command` to its end, with `input` on its stdin.
    #[must_use]
    pub fn with_input(mut command: Command, input: &str) -> Self {
        let pipes = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = pipes.spawn().unwrap();
        // A command that wants no input may have ended before it came.
        drop(child.stdin.take().unwrap().write_all(input.as_bytes()));
        Self::from(child.wait_with_output().unwrap())
    }

    fn from(output: std::process::Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Self { code: output.status.code().unwrap_or(-1), stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    /// The JSON object on each line of stdout; fails if the command did.
    #[track_caller]
    #[must_use]
    pub fn json_lines(&self) -> Vec<Value> {
        assert_eq!(self.code, 0, "{}{}", self.stdout, self.stderr);
        self.stdout
            .lines()
            .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
            .collect()
    }
}

/// How often to repeat what is repeated to find what happens rarely: `usual`, or ten times that in a long run.
#[must_use]
pub fn rounds(usual: usize) -> usize {
    if env::var_os("LIME_TEST_LONG").is_some() { usual * 10 } else { usual }
}

/// Says something beside a failing test, where the test runner collects it.
#[expect(clippy::print_stderr, reason = "the test runner shows it with the failure")]
pub(crate) fn show(text: &str) {
    eprintln!("{text}");
}

/// Adds a line to the report that `tests/run` repeats at its end, if it asked for one.
pub fn report(line: &str) {
    if let Some(path) = env::var_os("LIME_TEST_REPORTS") {
        let mut file = fs::OpenOptions::new().append(true).create(true).open(path).unwrap();
        file.write_all(format!("{line}\n").as_bytes()).unwrap();
    }
}
