//! What servers declare of headers that repeat arguments, as far as their lists were seen.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use filters::ParamHeaders;
use parking_lot::Mutex;

/// By the URL of the endpoint.
#[derive(Debug, Default)]
pub(crate) struct Declared {
    known: ArcSwap<HashMap<Box<str>, Arc<ParamHeaders>>>,
    /// Held by whoever changes it.
    changing: Mutex<()>,
}

impl Declared {
    /// Takes note of a tool.
    pub(crate) fn learn(&self, endpoint: &str, tool: &str, definition: &str) {
        let news = || self.at(endpoint).unwrap_or_default().with(tool, definition);
        if news().is_none() {
            return;
        }
        let changing = self.changing.lock();
        if let Some(changed) = news() {
            let mut known = HashMap::clone(&self.known.load());
            known.insert(endpoint.into(), Arc::new(changed));
            self.known.store(Arc::new(known));
        }
        drop(changing);
    }

    /// What is known at an endpoint.
    pub(crate) fn at(&self, endpoint: &str) -> Option<Arc<ParamHeaders>> {
        self.known.load().get(endpoint).map(Arc::clone)
    }
}
