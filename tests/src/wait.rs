//! Waiting for what happens in another process: by looking again, never by guessing how long it takes.

use std::thread;
use std::time::{Duration, Instant};

const PAUSE: Duration = Duration::from_millis(5);

/// Looks until `look` finds something; fails after `limit`.
#[track_caller]
pub fn within<T>(limit: Duration, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "not within {limit:?}: {what}");
        thread::sleep(PAUSE);
    }
}

/// Looks until it is so; fails after half a minute, which is for things that take no time worth naming.
#[track_caller]
pub fn until(what: &str, mut look: impl FnMut() -> bool) {
    within(Duration::from_secs(30), what, || look().then_some(()));
}

/// Looks all the while whether it stays so. For what must not happen.
#[track_caller]
pub fn holds_for(period: Duration, what: &str, mut look: impl FnMut() -> bool) {
    let end = Instant::now() + period;
    while Instant::now() < end {
        assert!(look(), "{what}");
        thread::sleep(PAUSE);
    }
}
