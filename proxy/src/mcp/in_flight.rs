//! Requests of sessions that are not answered yet.
//!
//! Servers find the stream of an answer by the id of the request, and the last request of an id takes it all: with the id
//! of a call that takes its time, a list would come in the answer to the call, where nobody looks for one. So an id is used
//! once at a time, as JSON-RPC asks of it. Of a session that speaks to several gateways at once, each knows its own requests.

use std::collections::HashSet;
use std::sync::Arc;

use parking_lot::Mutex;

/// The requests under way.
#[derive(Clone, Debug, Default)]
pub(crate) struct InFlight(Arc<Mutex<HashSet<Flight>>>);

/// A session, and the id of a request of it.
type Flight = (Box<[u8]>, Box<str>);

/// One request under way, until it is dropped.
#[derive(Debug)]
pub(crate) struct UnderWay {
    of: InFlight,
    flight: Flight,
}

impl InFlight {
    /// Notes a request. `None`: another one with its id is under way. `id` is JSON.
    pub(crate) fn begin(&self, session: &[u8], id: &str) -> Option<UnderWay> {
        let flight = (session.into(), as_key(id));
        self.0.lock().insert(flight.clone()).then(|| UnderWay { of: self.clone(), flight })
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.of.0.lock().remove(&self.flight);
    }
}

/// An id as the key that servers make of it: to some `1` and `"1"` are one, and long numbers are rounded.
fn as_key(id: &str) -> Box<str> {
    if let Ok(text) = serde_json::from_str::<String>(id) {
        return text.into();
    }
    // Without the sign of `-0`.
    id.parse::<f64>().map_or_else(|_| id.into(), |number| (number + 0.0).to_string().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_used_once_at_a_time() {
        let requests = InFlight::default();
        let first = requests.begin(b"s", "1").unwrap();
        for same in ["1", "\"1\"", "\"\\u0031\""] {
            assert!(requests.begin(b"s", same).is_none(), "{same}");
        }
        assert!(requests.begin(b"s", "2").is_some() && requests.begin(b"t", "1").is_some());
        drop(first);
        assert!(requests.begin(b"s", "1").is_some());
        let _long = requests.begin(b"s", "9007199254740993").unwrap();
        assert!(requests.begin(b"s", "9007199254740992").is_none());
        let _zero = requests.begin(b"s", "0").unwrap();
        assert!(requests.begin(b"s", "-0").is_none());
    }
}
