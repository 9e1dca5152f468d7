//! A real `lime gateway run`, stopped when it is dropped.

use std::fs;
use std::io::{self, BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

/// A start takes milliseconds; on a machine that compiles beside it, seconds.
const START_TIMEOUT: Duration = Duration::from_secs(20);

/// A gateway process.
pub(super) struct Gateway {
    child: Child,
    lime: PathBuf,
    file: PathBuf,
    pub(super) address: SocketAddr,
}

impl Gateway {
    /// Starts `lime` with its file and state in the folder `home`. `sites` are the tables of its sites.
    ///
    /// # Errors
    /// When it does not get ready. Its own words go to stderr.
    pub(super) fn start(lime: &Path, home: &Path, sites: &str) -> io::Result<Self> {
        fs::create_dir(home)?;
        let file = home.join("lime.toml");
        let server = "listen = \"127.0.0.1:0\"\n[server]\nops_listen = \"127.0.0.1:0\"\nstate = \"state\"\n";
        fs::write(&file, format!("{server}{sites}"))?;
        let mut command = Command::new(lime);
        command.args(["gateway", "run", "--json", "-c"]).arg(&file).env("LIME_LOG", "error");
        let spawned = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
        let cannot = |cause| io::Error::other(format!("cannot run {}: {cause}", lime.display()));
        let mut child = spawned.map_err(cannot)?;
        let stdout = child.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
        // Made before anything can fail, so that no process is left behind.
        let address_unknown = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut gateway = Self { child, lime: lime.to_owned(), file, address: address_unknown };
        let (ready, first_line) = mpsc::sync_channel(1);
        // It ends with the process whose lines it reads.
        drop(thread::Builder::new().name("access-lines".to_owned()).spawn(move || drain(stdout, &ready))?);
        let line = first_line.recv_timeout(START_TIMEOUT).map_err(|_| io::ErrorKind::TimedOut)?;
        gateway.address = address(&line).ok_or_else(|| io::Error::other(format!("not ready: {line}")))?;
        Ok(gateway)
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Has it read its file again, as an operator would, and says how long the order took.
    ///
    /// # Errors
    /// When it keeps what it had.
    pub(super) fn reload(&self) -> io::Result<Duration> {
        let mut order = Command::new(&self.lime);
        order.arg("reload").arg("-c").arg(&self.file);
        let started = Instant::now();
        let ended = order.output()?;
        let elapsed = started.elapsed();
        let said = || io::Error::other(String::from_utf8_lossy(&ended.stderr).into_owned());
        if ended.status.success() { Ok(elapsed) } else { Err(said()) }
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        // It may have ended by itself, which is as good.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The table of a site that enforces and protects what agents ask for.
pub(super) fn protected_site(host: &str, origin: SocketAddr, issuer: SocketAddr) -> String {
    let site = format!("[[site]]\nurl = \"https://{host}\"\norigin = \"http://{origin}\"\n");
    format!("{site}issuer = \"http://{issuer}\"\nmode = \"enforce\"\nprotect = [\"/agents/*\"]\n")
}

/// Hands the first line over and reads the access lines, as a collector of logs would.
fn drain(stdout: ChildStdout, ready: &mpsc::SyncSender<String>) {
    let mut stdout = BufReader::with_capacity(256 * 1024, stdout);
    let mut line = String::new();
    if stdout.read_line(&mut line).is_ok() && ready.send(line).is_ok() {
        drop(io::copy(&mut stdout, &mut io::sink()));
    }
}

/// The address in `{"event":"ready","gateway":["http://127.0.0.1:8080"],..}`.
fn address(line: &str) -> Option<SocketAddr> {
    let ready: Value = serde_json::from_str(line).ok()?;
    ready.get("gateway")?.get(0)?.as_str()?.strip_prefix("http://")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ready_line_names_the_address() {
        let line = r#"{"event":"ready","gateway":["http://127.0.0.1:8080"],"tls":[],"ops":"http://127.0.0.1:9180"}"#;
        assert_eq!(address(line), Some(SocketAddr::from(([127, 0, 0, 1], 8080))));
        assert_eq!(address("{}"), None);
    }
}
