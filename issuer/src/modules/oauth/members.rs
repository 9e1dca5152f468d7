//! What client metadata is made of, wherever it comes from (RFC 7591 §2).

use serde_json::{Map, Value};

/// A member that is there; `null` is what some write for nothing.
pub(super) fn present<'m>(members: &'m Map<String, Value>, name: &str) -> Option<&'m Value> {
    members.get(name).filter(|value| !value.is_null())
}
