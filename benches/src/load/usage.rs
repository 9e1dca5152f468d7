//! What the kernel says of a process (proc(5), Linux).

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The CPU time of all threads there are. Read from `schedstat`, in nanoseconds, since `stat` counts in hundredths of a
/// second; threads that ended are not in it, and a gateway under load ends none.
///
/// # Errors
/// When the process is gone or the kernel keeps no such account.
pub(super) fn cpu_of_process(pid: u32) -> io::Result<Duration> {
    threads(pid)?.iter().map(|thread| cpu(thread)).sum()
}

/// The CPU time of this process's one thread of that name.
///
/// # Errors
/// When there is none, or the kernel keeps no such account.
pub(super) fn cpu_of_thread(name: &str) -> io::Result<Duration> {
    let threads = threads(std::process::id())?;
    let is_named = |thread: &&PathBuf| fs::read_to_string(thread.join("comm")).is_ok_and(|found| found.trim() == name);
    let thread = threads.iter().find(is_named).ok_or(io::ErrorKind::NotFound)?;
    cpu(thread)
}

/// The memory of a process that is in RAM, in bytes.
///
/// # Errors
/// When the process is gone.
pub(super) fn resident_bytes(pid: u32) -> io::Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    Ok(kib.ok_or(io::ErrorKind::InvalidData)? * 1024)
}

fn threads(pid: u32) -> io::Result<Vec<PathBuf>> {
    fs::read_dir(format!("/proc/{pid}/task"))?.map(|entry| Ok(entry?.path())).collect()
}

fn cpu(thread: &Path) -> io::Result<Duration> {
    let text = fs::read_to_string(thread.join("schedstat"))?;
    let nanoseconds = text.split(' ').next().and_then(|number| number.parse().ok());
    nanoseconds.map(Duration::from_nanos).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_uses_time_and_memory() {
        let pid = std::process::id();
        assert!(cpu_of_process(pid).unwrap() > Duration::ZERO);
        assert!(resident_bytes(pid).unwrap() > 100_000);
        assert_eq!(cpu_of_thread("nobody").unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
