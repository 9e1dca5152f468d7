//! What is pinned of tools, in the state folder and beside requests.
//!
//! A request only looks; it takes the lock for itself when it has seen something new. Writing is another task's work.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use filters::{Definition, HiddenTools, PinVerdict, Pins};
use parking_lot::{Mutex, RwLock};
use passport::UnixTime;
use tokio::sync::Notify;
use tokio::time::MissedTickBehavior;

use crate::state::{StateError, StateFiles};

mod order;

pub use order::{PinOrder, PinRow, PinState, PinsRefused};

/// Least time between two writes of the file: a server whose definitions change with every list costs no more.
const SAVED_EVERY: Duration = Duration::from_secs(2);

/// The name of the file.
const FILE: &str = "mcp-pins.json";

/// What is hidden where pins are enforced.
#[derive(Debug, Default)]
struct Hidden {
    /// By endpoint, where something is.
    by_endpoint: HashMap<Box<str>, Arc<HiddenTools>>,
    /// At endpoints without pins: everything, once there is no room for another.
    elsewhere: Option<Arc<HiddenTools>>,
}

/// What is pinned, and where it is kept.
#[derive(Debug)]
pub(crate) struct PinStore {
    pins: RwLock<Pins>,
    hidden: ArcSwap<Hidden>,
    files: Arc<StateFiles>,
    unsaved: Notify,
    /// Whether something differs from what requests go by.
    is_unpublished: AtomicBool,
    /// Whether something differs from the file.
    differs: AtomicBool,
    /// Whether it was said that there is no more room.
    has_warned: AtomicBool,
    /// Held by whoever writes, so that an earlier state never replaces a later.
    writing: Mutex<()>,
}

impl PinStore {
    /// Takes up what was kept. A file that is not believed is said to be so, and counts as none.
    pub(crate) fn open(files: Arc<StateFiles>) -> Self {
        let pins = files.load::<Pins>(FILE).unwrap_or_else(|cause| {
            let error = &cause as &dyn std::error::Error;
            tracing::error!(error, "what was pinned of tools is lost: the next definitions are believed");
            None
        });
        let store = Self {
            pins: RwLock::new(pins.unwrap_or_default()),
            hidden: ArcSwap::default(),
            files,
            unsaved: Notify::new(),
            is_unpublished: AtomicBool::new(false),
            differs: AtomicBool::new(false),
            has_warned: AtomicBool::new(false),
            writing: Mutex::default(),
        };
        store.publish();
        store
    }

    /// Takes note of a tool that a server shows, for requests to go by from the next [`settle`](Self::settle) on. `site` is
    /// for the log.
    pub(crate) fn judge(
        &self,
        site: &str,
        endpoint: &str,
        (tool, definition): (&str, &str),
        now: UnixTime,
    ) -> PinVerdict {
        let definition = Definition::read(definition);
        if let Some(verdict) = self.pins.read().peek(endpoint, tool, &definition, now) {
            return verdict;
        }
        let mut pins = self.pins.write();
        let was_changed = pins.pin(endpoint, tool).is_some_and(|pin| pin.change.is_some());
        let verdict = pins.judge(endpoint, tool, definition, now);
        drop(pins);
        match verdict {
            // Nothing is kept of it.
            PinVerdict::NoRoom => {
                if !self.has_warned.swap(true, Ordering::Relaxed) {
                    tracing::warn!(site, endpoint, tool, "no more tools can be pinned: see `lime mcp pins forget`");
                }
                return verdict;
            }
            PinVerdict::Changed if !was_changed => tracing::warn!(
                site,
                endpoint,
                tool,
                "a tool has another definition than the one that was accepted: see `lime mcp pins diff`"
            ),
            PinVerdict::Same if was_changed => {
                tracing::info!(site, endpoint, tool, "a tool has the definition again that was accepted");
            }
            PinVerdict::New | PinVerdict::Same | PinVerdict::Changed => {}
        }
        self.is_unpublished.store(true, Ordering::Release);
        self.differs();
        verdict
    }

    /// Lets requests go by what was noted: once a list was looked at, not at each of its tools.
    pub(crate) fn settle(&self) {
        if self.is_unpublished.swap(false, Ordering::AcqRel) {
            self.publish();
        }
    }

    /// How many tools of an endpoint have a definition that nobody accepted.
    pub(crate) fn changed_at(&self, endpoint: &str) -> usize {
        self.hidden.load().by_endpoint.get(endpoint).map_or(0, |hidden| hidden.changed())
    }

    /// What is hidden at an endpoint, if something is.
    pub(crate) fn hidden_at(&self, endpoint: &str) -> Option<Arc<HiddenTools>> {
        let hidden = self.hidden.load();
        hidden.by_endpoint.get(endpoint).or(hidden.elsewhere.as_ref()).map(Arc::clone)
    }

    /// Carries out what an operator asks.
    pub(crate) fn order(&self, order: &PinOrder) -> Result<Vec<PinRow>, PinsRefused> {
        if !order.changes() {
            return order.read(&self.pins.read());
        }
        let rows = order.carry_out(&mut self.pins.write())?;
        self.publish();
        self.differs();
        Ok(rows)
    }

    fn differs(&self) {
        self.differs.store(true, Ordering::Release);
        self.unsaved.notify_one();
    }

    /// Lets requests know which tools are hidden.
    fn publish(&self) {
        let pins = self.pins.read();
        let some = |hidden: HiddenTools| (!hidden.is_empty()).then(|| Arc::new(hidden));
        let mut hidden = Hidden { elsewhere: some(pins.hidden_at("")), ..Hidden::default() };
        for endpoint in pins.endpoints() {
            hidden.by_endpoint.extend(some(pins.hidden_at(endpoint)).map(|here| (endpoint.into(), here)));
        }
        // Still under the lock: a later state is never replaced by an earlier one.
        self.hidden.store(Arc::new(hidden));
    }

    /// Writes what changed, for as long as it is polled. Changes that come soon after others go with the next write.
    pub(crate) async fn save_changes(self: Arc<Self>) {
        let mut pause = tokio::time::interval(SAVED_EVERY);
        pause.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            pause.tick().await;
            self.unsaved.notified().await;
            let store = Arc::clone(&self);
            if let Err(cause) = tokio::task::spawn_blocking(move || store.save()).await {
                tracing::error!(error = &cause as &dyn std::error::Error, "saving failed");
            }
        }
    }

    /// Writes what is pinned, if it differs from the file. Blocks for as long as the disk takes.
    pub(crate) fn save(&self) {
        let writing = self.writing.lock();
        if !self.differs.swap(false, Ordering::AcqRel) {
            return;
        }
        let pins = self.pins.read().clone();
        if let Err(cause) = self.files.store(FILE, &pins) {
            tracing::error!(error = &cause as &dyn std::error::Error, "what is pinned of tools was not saved");
        }
        drop(writing);
    }
}

/// Carries out what an operator asks while no gateway runs, on the file.
///
/// # Errors
/// [`PinsRefused`].
pub fn pins_at_rest(server: &config::Server, order: &PinOrder) -> Result<Vec<PinRow>, PinsRefused> {
    let secret = crate::secret::Secret::read(server.secret.as_ref(), &server.state).ok_or(PinsRefused::NoState)?;
    let files = StateFiles::new(server.state.clone(), &secret);
    let unusable = |cause: StateError| PinsRefused::State(Box::new(cause));
    let mut pins: Pins = files.load(FILE).map_err(unusable)?.unwrap_or_default();
    let rows = if order.changes() { order.carry_out(&mut pins)? } else { order.read(&pins)? };
    if order.changes() {
        files.store(FILE, &pins).map_err(unusable)?;
    }
    Ok(rows)
}

#[cfg(test)]
mod tests;
