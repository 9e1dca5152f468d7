//! A process under test: its output is kept, and it ends with its test.

use std::fs;
use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::records;
use crate::wait::within;

/// A debug build on a busy machine of two cores takes its time.
const START_MAX: Duration = Duration::from_secs(60);

/// Much more than any stop needs.
const END_MAX: Duration = Duration::from_secs(30);

/// What a failing test shows of each process.
const LAST_LINES: usize = 40;

/// A running process. Dropped, it is killed; when its test fails, what it said is shown.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    lines: Mutex<Receiver<String>>,
    said: Arc<Mutex<String>>,
}

impl Process {
    /// Starts `command`.
    #[must_use]
    pub fn start(name: &str, mut command: Command) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{name} does not start: {error}"));
        let said = Arc::new(Mutex::new(String::new()));
        let (sender, lines) = channel();
        let log = Arc::new(Mutex::new(records::log(name)));
        let keep = move |line: &str| {
            // What is printed once for whoever started it is no log: `lime up` hands out its tokens so.
            if let Some(log) = log.lock().unwrap().as_mut().filter(|_| !line.contains("\"event\":\"ready\"")) {
                writeln!(log, "{line}").unwrap();
            }
        };
        let keep_stderr = keep.clone();
        collect(child.stdout.take().unwrap(), Arc::clone(&said), move |line| {
            keep(&line);
            drop(sender.send(line));
        });
        collect(child.stderr.take().unwrap(), Arc::clone(&said), move |line| keep_stderr(&line));
        Self { name: name.to_owned(), child, lines: Mutex::new(lines), said }
    }

    /// The next line on its stdout; `None` when there is none any more.
    pub fn line(&self, limit: Duration) -> Option<String> {
        match self.lines.lock().unwrap().recv_timeout(limit) {
            Ok(line) => Some(line),
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => panic!("{} says nothing for {limit:?}", self.name),
        }
    }

    /// The next line on its stdout that is a JSON object and is `wanted`.
    pub fn json(&self, limit: Duration, wanted: impl Fn(&Value) -> bool) -> Option<Value> {
        let deadline = Instant::now() + limit;
        loop {
            let line = self.line(deadline.saturating_duration_since(Instant::now()))?;
            match serde_json::from_str::<Value>(&line) {
                Ok(value) if wanted(&value) => return Some(value),
                Ok(_) | Err(_) => {}
            }
        }
    }

    /// Waits for `{"event":"ready"}`; `None` when the process ends before.
    #[must_use]
    pub fn ready(&self) -> Option<Value> {
        self.json(START_MAX, |value| value["event"] == "ready")
    }

    /// Everything it has said so far, on stdout and stderr.
    #[must_use]
    pub fn said(&self) -> String {
        self.said.lock().unwrap().clone()
    }

    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it has in memory: `VmRSS`.
    #[must_use]
    pub fn resident_bytes(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().strip_suffix(" kB").unwrap().trim().parse::<u64>().unwrap() * 1024
    }

    /// What it made itself of what is in memory. The rest is pages of the program's file, which the system takes back at
    /// will, and of which a build for tests has several times as many as a release.
    pub fn anonymous_bytes(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
        line.trim().strip_suffix(" kB").unwrap().trim().parse::<u64>().unwrap() * 1024
    }

    /// Ends it as `kill -9` does.
    pub fn kill(&mut self) {
        // An error means that it has ended already.
        drop(self.child.kill());
        self.child.wait().unwrap();
    }

    /// Asks it to end, as a service manager does.
    pub fn terminate(&self) {
        self.signal("TERM");
    }

    /// Sends a signal by name.
    pub fn signal(&self, name: &str) {
        let kill = Command::new("sh").args(["-c", &format!("kill -{name} {}", self.id())]).status().unwrap();
        assert!(kill.success(), "kill -{name} {}", self.name);
    }

    /// Waits until it has ended.
    pub fn ended(&mut self) -> ExitStatus {
        within(END_MAX, &format!("{} ends", self.name), || self.child.try_wait().unwrap())
    }

    /// Whether it still runs.
    pub fn runs(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
        if thread::panicking() {
            let said = self.said.lock().map(|said| said.clone()).unwrap_or_default();
            let lines: Vec<&str> = said.lines().collect();
            let last = lines[lines.len().saturating_sub(LAST_LINES)..].join("\n");
            crate::lime::show(&format!("--- {} said at last:\n{last}\n--- end of {}\n", self.name, self.name));
        }
    }
}

fn collect(from: impl Read + Send + 'static, said: Arc<Mutex<String>>, mut each: impl FnMut(String) + Send + 'static) {
    thread::spawn(move || {
        for line in BufReader::new(from).split(b'\n') {
            // Whatever ends the stream ends the process's words.
            let Ok(line) = line else { return };
            let line = String::from_utf8_lossy(&line).into_owned();
            said.lock().unwrap().push_str(&format!("{line}\n"));
            each(line);
        }
    });
}
