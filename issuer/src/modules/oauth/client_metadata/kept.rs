//! What was fetched, for as long as it counts.

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use moka::sync::Cache;
use tokio::sync::OnceCell;

use super::freshness::Keep;
use super::refusal::DocumentRefusal;

/// Entries at a time; the least used go first.
const ENTRIES_MAX: u64 = 10_000;

/// How long what is old is used before a host that failed is asked again.
const RETRY_AFTER: Duration = Duration::from_mins(1);

/// The bounds of what is kept.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// Most that an answer is taken for fresh.
    pub(super) fresh_max: Duration,
    /// Most that it is used while its host fails.
    pub(super) outage_max: Duration,
}

/// Answers by their URL, never a refusal.
pub(super) struct Kept<T> {
    bounds: Bounds,
    entries: Cache<String, Entry<T>>,
    /// Fetches under way: there are no more than finds that wait for one.
    flights: Mutex<HashMap<String, Arc<Flight<T>>>>,
}

type Outcome<T> = Result<Arc<T>, DocumentRefusal>;

struct Flight<T>(OnceCell<Outcome<T>>);

struct Entry<T> {
    value: Arc<T>,
    fresh_until: Instant,
    usable_until: Instant,
}

impl<T> Clone for Entry<T> {
    fn clone(&self) -> Self {
        Self { value: Arc::clone(&self.value), fresh_until: self.fresh_until, usable_until: self.usable_until }
    }
}

impl<T: Send + Sync + 'static> Kept<T> {
    pub(super) fn new(bounds: Bounds) -> Self {
        let entries = Cache::builder().max_capacity(ENTRIES_MAX).time_to_live(bounds.fresh_max.max(bounds.outage_max));
        Self { bounds, entries: entries.build(), flights: Mutex::default() }
    }

    /// What is at `url`: kept, else fetched, by one of all who ask at the same time.
    pub(super) async fn find(
        &self,
        url: &str,
        now: Instant,
        fetch: impl Future<Output = Result<(T, Keep), DocumentRefusal>>,
    ) -> Outcome<T> {
        if let Some(value) = self.fresh(url, now) {
            return Ok(value);
        }
        let seat = Seat::take(self, url);
        seat.flight.0.get_or_init(|| self.land(url, now, fetch)).await.clone()
    }

    async fn land(
        &self,
        url: &str,
        now: Instant,
        fetch: impl Future<Output = Result<(T, Keep), DocumentRefusal>>,
    ) -> Outcome<T> {
        // The flight before may have landed between our look and our seat.
        if let Some(value) = self.fresh(url, now) {
            return Ok(value);
        }
        match fetch.await {
            Ok((value, keep)) => {
                let value = Arc::new(value);
                self.keep(url, &value, keep, now);
                Ok(value)
            }
            Err(refusal) if refusal.is_outage() => self.last_good(url, now, refusal),
            Err(refusal) => {
                self.entries.invalidate(url);
                Err(refusal)
            }
        }
    }

    fn keep(&self, url: &str, value: &Arc<T>, keep: Keep, now: Instant) {
        match keep {
            Keep::Never => self.entries.invalidate(url),
            Keep::For(long) => {
                let entry = Entry {
                    value: Arc::clone(value),
                    fresh_until: now + long.min(self.bounds.fresh_max),
                    usable_until: now + self.bounds.outage_max,
                };
                self.entries.insert(url.to_owned(), entry);
            }
        }
    }

    fn last_good(&self, url: &str, now: Instant, refusal: DocumentRefusal) -> Outcome<T> {
        let Some(entry) = self.entries.get(url).filter(|entry| now < entry.usable_until) else { return Err(refusal) };
        tracing::info!(url, %refusal, "what was fetched before is used once more");
        let value = Arc::clone(&entry.value);
        let fresh_until = (now + RETRY_AFTER).min(entry.usable_until);
        self.entries.insert(url.to_owned(), Entry { fresh_until, ..entry });
        Ok(value)
    }

    fn fresh(&self, url: &str, now: Instant) -> Option<Arc<T>> {
        self.entries.get(url).filter(|entry| now < entry.fresh_until).map(|entry| entry.value)
    }
}

impl<T> Kept<T> {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Arc<Flight<T>>>> {
        self.flights.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> fmt::Debug for Kept<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kept").field("bounds", &self.bounds).finish_non_exhaustive()
    }
}

#[cfg(test)]
impl<T> Kept<T> {
    /// How many wait for the fetch of `url`.
    pub(super) fn waiting(&self, url: &str) -> usize {
        self.lock().get(url).map_or(0, |flight| Arc::strong_count(flight) - 1)
    }
}

/// A place in a flight. Whoever leaves one that has landed, or leaves last, takes it off the table.
struct Seat<'k, T> {
    kept: &'k Kept<T>,
    url: &'k str,
    flight: Arc<Flight<T>>,
}

impl<'k, T> Seat<'k, T> {
    fn take(kept: &'k Kept<T>, url: &'k str) -> Self {
        let mut flights = kept.lock();
        let flight = flights.entry(url.to_owned()).or_insert_with(|| Arc::new(Flight(OnceCell::new())));
        Self { kept, url, flight: Arc::clone(flight) }
    }
}

impl<T> Drop for Seat<'_, T> {
    fn drop(&mut self) {
        let mut flights = self.kept.lock();
        let is_ours = flights.get(self.url).is_some_and(|flight| Arc::ptr_eq(flight, &self.flight));
        // The table holds one, this seat the other; seats are only taken under the lock.
        let is_last = Arc::strong_count(&self.flight) == 2;
        if is_ours && (self.flight.0.initialized() || is_last) {
            flights.remove(self.url);
        }
    }
}

#[cfg(test)]
mod tests;
