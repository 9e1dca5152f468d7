//! Whether a target is given requests: what health checks found, and what connections to it came to.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use config::Ejection;
use parking_lot::Mutex;
use prometheus::IntGauge;

/// The longest a target is left out before it is tried again.
const PERIOD_MAX: Duration = Duration::from_mins(5);

/// Whether a target is given requests.
#[derive(Debug)]
pub(super) struct Standing {
    ejection: Ejection,
    /// What health checks found last; true where nobody asks.
    is_healthy: AtomicBool,
    /// Connections in a row that it did not take.
    failures: AtomicU32,
    ejected: Mutex<Option<Ejected>>,
    /// Saves a look at the lock on nearly every request.
    was_ejected: AtomicBool,
    gauge: Option<IntGauge>,
}

#[derive(Clone, Copy, Debug)]
struct Ejected {
    until: Instant,
    /// For how long it was this time.
    period: Duration,
}

impl Standing {
    pub(super) fn new(ejection: Ejection, gauge: Option<IntGauge>) -> Self {
        let standing = Self {
            ejection,
            is_healthy: AtomicBool::new(true),
            failures: AtomicU32::new(0),
            ejected: Mutex::default(),
            was_ejected: AtomicBool::new(false),
            gauge,
        };
        standing.tell(true);
        standing
    }

    fn tell(&self, is_given_requests: bool) {
        if let Some(gauge) = &self.gauge {
            gauge.set(i64::from(is_given_requests));
        }
    }

    /// Whether it should be asked before others.
    pub(super) fn is_good(&self, now: Instant) -> bool {
        self.is_healthy.load(Ordering::Relaxed) && !self.is_ejected(now)
    }

    fn is_ejected(&self, now: Instant) -> bool {
        self.was_ejected.load(Ordering::Relaxed) && self.ejected.lock().is_some_and(|ejected| now < ejected.until)
    }

    /// It took no connection.
    pub(super) fn failed(&self, now: Instant) {
        let failures = self.failures.fetch_add(1, Ordering::Relaxed) + 1;
        if failures < self.ejection.after || self.is_ejected(now) {
            return;
        }
        let mut ejected = self.ejected.lock();
        let period = ejected.map_or(self.ejection.period, |before| (before.period * 2).min(PERIOD_MAX));
        *ejected = Some(Ejected { until: now + period, period });
        self.was_ejected.store(true, Ordering::Relaxed);
        self.tell(false);
    }

    /// It took one.
    pub(super) fn succeeded(&self) {
        if self.failures.load(Ordering::Relaxed) == 0 && !self.was_ejected.load(Ordering::Relaxed) {
            return;
        }
        self.failures.store(0, Ordering::Relaxed);
        *self.ejected.lock() = None;
        self.was_ejected.store(false, Ordering::Relaxed);
        self.tell(self.is_healthy.load(Ordering::Relaxed));
    }

    /// A health check came to this.
    pub(super) fn found(&self, is_healthy: bool) {
        self.is_healthy.store(is_healthy, Ordering::Relaxed);
        self.tell(is_healthy && !self.is_ejected(Instant::now()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standing() -> Standing {
        let ejection = Ejection { after: 2, period: Duration::from_secs(10) };
        Standing::new(ejection, IntGauge::new("healthy", "x").ok())
    }

    #[test]
    fn a_target_that_takes_no_connection_is_left_out_longer_each_time() {
        let (standing, start) = (standing(), Instant::now());
        let at = |secs: u64| start + Duration::from_secs(secs);
        standing.failed(at(0));
        assert!(standing.is_good(at(0)));
        standing.failed(at(0));
        assert!(!standing.is_good(at(9)) && standing.is_good(at(10)));
        assert_eq!(standing.gauge.as_ref().unwrap().get(), 0);
        // One more failure is enough then.
        standing.failed(at(10));
        assert!(!standing.is_good(at(29)) && standing.is_good(at(30)));
        for _ in 0..9 {
            standing.failed(at(3000));
        }
        assert!(standing.is_good(at(3000 + 300)));
        standing.succeeded();
        assert!(standing.is_good(at(3001)));
        standing.failed(at(3001));
        assert!(standing.is_good(at(3001)), "it begins anew");
        assert_eq!(standing.gauge.as_ref().unwrap().get(), 1);
    }

    #[test]
    fn a_target_that_is_not_well_is_left_out() {
        let standing = standing();
        standing.found(false);
        assert!(!standing.is_good(Instant::now()));
        standing.found(true);
        assert!(standing.is_good(Instant::now()));
    }
}
