//! What `tests/run e2e` looks through at its end: everything that processes said, and what none of them may say.
//!
//! It names a folder in `LIME_TEST_LOGS`; without one, nothing is kept. Passports and sessions are known there by their
//! form. What has none (tokens of sites and agents, secrets, solutions) is listed in the file `secrets`, for this user's
//! eyes alone.

use std::collections::HashSet;
use std::env;
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{LazyLock, Mutex};

/// Shorter texts stand in logs by chance.
const SECRET_BYTES_MIN: usize = 16;

/// Where headers carry what no log may hold.
const SECRET_HEADERS: [&str; 4] = ["authorization", "lime-authorization", "x-site-token", "x-agent-token"];

static FOLDER: LazyLock<Option<PathBuf>> = LazyLock::new(|| env::var_os("LIME_TEST_LOGS").map(PathBuf::from));
static LISTED: LazyLock<Mutex<HashSet<String>>> = LazyLock::new(Mutex::default);

/// A file for what a process says. Its name tells whose it is.
pub(crate) fn log(name: &str) -> Option<File> {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let folder = FOLDER.as_ref()?;
    let (number, name) = (COUNT.fetch_add(1, Ordering::Relaxed), name.replace(' ', "-"));
    Some(File::create(folder.join(format!("{number:04}-{name}.log"))).unwrap())
}

/// Lists what must be in no log.
pub fn secret(text: &str) {
    let Some(folder) = &*FOLDER else { return };
    // These are known by their form.
    let has_form = ["eyJ", "ls1."].iter().any(|start| text.starts_with(start));
    let mut listed = LISTED.lock().unwrap();
    if text.len() < SECRET_BYTES_MIN || has_form || text.contains('\n') || !listed.insert(text.to_owned()) {
        return;
    }
    let mut options = OpenOptions::new();
    let mut file = options.append(true).create(true).mode(0o600).open(folder.join("secrets")).unwrap();
    file.write_all(format!("{text}\n").as_bytes()).unwrap();
}

/// Lists what a header carries, if that is a secret.
pub(crate) fn header(name: &str, value: &str) {
    if SECRET_HEADERS.iter().any(|known| name.eq_ignore_ascii_case(known)) {
        secret(value.rsplit(' ').next().unwrap_or_default());
    }
}
