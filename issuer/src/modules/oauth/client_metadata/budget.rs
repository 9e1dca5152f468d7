//! How much strangers can make us fetch: they choose the host, so it is not to become a weapon against one.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::refusal::DocumentRefusal;

/// Fetches under way at a time, in all and from one host.
const AT_ONCE_MAX: usize = 32;
const AT_ONCE_OF_HOST_MAX: usize = 4;

/// Fetches begun in a minute, in all and from one host. A client's document is fetched every few minutes at most.
const A_MINUTE_MAX: u32 = 600;
const A_MINUTE_OF_HOST_MAX: u32 = 30;

const MINUTE: Duration = Duration::from_mins(1);

/// What was fetched lately. Holds no more hosts than fetches are allowed in a minute.
#[derive(Debug, Default)]
pub(super) struct Budget(Mutex<Spent>);

#[derive(Debug, Default)]
struct Spent {
    minute_began: Option<Instant>,
    in_minute: u32,
    in_minute_of_host: HashMap<String, u32>,
    at_once: usize,
    at_once_of_host: HashMap<String, usize>,
}

/// A fetch that may be made, for as long as this is held.
#[derive(Debug)]
pub(super) struct Permit {
    budget: Arc<Budget>,
    host: String,
}

impl Budget {
    /// Leave for one fetch from `host`.
    pub(super) fn permit(self: &Arc<Self>, host: &str, now: Instant) -> Result<Permit, DocumentRefusal> {
        self.lock().spend(host, now).ok_or(DocumentRefusal::Busy)?;
        Ok(Permit { budget: Arc::clone(self), host: host.to_owned() })
    }

    fn lock(&self) -> MutexGuard<'_, Spent> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Spent {
    fn spend(&mut self, host: &str, now: Instant) -> Option<()> {
        if self.minute_began.is_none_or(|began| now.saturating_duration_since(began) >= MINUTE) {
            self.minute_began = Some(now);
            self.in_minute = 0;
            self.in_minute_of_host.clear();
        }
        let at_once = self.at_once_of_host.get(host).copied().unwrap_or_default();
        let in_minute = self.in_minute_of_host.get(host).copied().unwrap_or_default();
        let fits = self.at_once < AT_ONCE_MAX
            && at_once < AT_ONCE_OF_HOST_MAX
            && self.in_minute < A_MINUTE_MAX
            && in_minute < A_MINUTE_OF_HOST_MAX;
        if !fits {
            return None;
        }
        self.at_once += 1;
        self.in_minute += 1;
        self.at_once_of_host.insert(host.to_owned(), at_once + 1);
        self.in_minute_of_host.insert(host.to_owned(), in_minute + 1);
        Some(())
    }

    fn end(&mut self, host: &str) {
        self.at_once = self.at_once.saturating_sub(1);
        match self.at_once_of_host.get_mut(host) {
            Some(of_host) if *of_host > 1 => *of_host -= 1,
            Some(_) | None => drop(self.at_once_of_host.remove(host)),
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.budget.lock().end(&self.host);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_host_is_asked_four_times_at_once_and_all_of_them_32_times() {
        let (budget, now) = (Arc::new(Budget::default()), Instant::now());
        let mut held: Vec<_> = (0..4).map(|_| budget.permit("a.example", now).unwrap()).collect();
        assert_eq!(budget.permit("a.example", now).unwrap_err(), DocumentRefusal::Busy);
        held.extend((0..28).map(|number| budget.permit(&format!("{number}.example"), now).unwrap()));
        assert_eq!(budget.permit("b.example", now).unwrap_err(), DocumentRefusal::Busy);
        held.clear();
        budget.permit("a.example", now).unwrap();
        assert!(budget.lock().at_once_of_host.is_empty(), "what has ended is forgotten");
    }

    #[test]
    fn a_minute_has_30_fetches_for_one_host_and_600_for_all() {
        let (budget, now) = (Arc::new(Budget::default()), Instant::now());
        for _ in 0..30 {
            budget.permit("a.example", now).unwrap();
        }
        assert_eq!(budget.permit("a.example", now).unwrap_err(), DocumentRefusal::Busy);
        for number in 0..570 {
            budget.permit(&format!("{number}.example"), now + Duration::from_secs(59)).unwrap();
        }
        assert_eq!(budget.permit("b.example", now + Duration::from_secs(59)).unwrap_err(), DocumentRefusal::Busy);
        budget.permit("a.example", now + MINUTE).unwrap();
        assert_eq!(budget.lock().in_minute_of_host.len(), 1);
    }
}
