//! What a path asks for, judged on the bytes that will be forwarded and on every way a server may read them.
//!
//! Origins decode, resolve and cut paths each in their own manner and order. Refusing all that could be read in two ways
//! would break real sites; so a path is refused only when its readings would be treated differently here.

use std::collections::HashSet;
use std::sync::Arc;

use config::{Policy, Site};
use http::Method;

use crate::Reason;

/// Where the gateway's own pages are. Never forwarded.
const OWN: &[u8] = b"/.lime";

/// Where an agent that knows only the host looks first (RFC 8615). The gateway's own, too.
const WELL_KNOWN: &[u8] = b"/.well-known/lime";

/// Most bytes of readings that are looked at, together: far more than honest paths have, and a bound on the work a
/// stranger can ask for.
const READING_BYTES_MAX: usize = 64 * 1024;

/// What a path asks of whoever wants it.
#[derive(Clone, Debug)]
pub enum Asks {
    /// What a policy of the site says.
    For(Arc<Policy>),
    /// It is the gateway's own, below `/.lime`.
    Gateway,
}

impl Asks {
    /// The name of the policy in logs and metrics: one of the configuration.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::For(policy) => &policy.name,
            Self::Gateway => "gateway",
        }
    }
}

/// What a path at a site asks of a method, the same for all its readings.
///
/// # Errors
/// [`Reason::PathInvalid`] for what no path may carry, [`Reason::PathAmbiguous`] where readings differ in policy.
pub fn judge(site: &Site, method: &Method, path: &[u8]) -> Result<Asks, Reason> {
    check_bytes(path)?;
    let policy = policy_of(site, method, path)?;
    if !is_plain(path) {
        for_each_reading(path, |reading| match (policy, policy_of(site, method, reading)?) {
            (None, None) => Ok(()),
            (Some(one), Some(other)) if Arc::ptr_eq(one, other) => Ok(()),
            (_, _) => Err(Reason::PathAmbiguous),
        })?;
    }
    Ok(policy.map_or(Asks::Gateway, |policy| Asks::For(Arc::clone(policy))))
}

/// Bounds that hold whatever the policy: see [`judge`].
///
/// # Errors
/// [`Reason::PathInvalid`].
pub fn check_bytes(path: &[u8]) -> Result<(), Reason> {
    let is_allowed = |byte: &u8| *byte > b' ' && *byte != b'\\' && *byte != 0x7f;
    if path.first() == Some(&b'/') && path.iter().all(is_allowed) { Ok(()) } else { Err(Reason::PathInvalid) }
}

/// Whether a path, as it stands, is the gateway's own.
#[must_use]
pub fn is_own(path: &[u8]) -> bool {
    path == WELL_KNOWN || path.strip_prefix(OWN).is_some_and(|rest| matches!(rest, [] | [b'/', ..]))
}

/// `None` for what is the gateway's own.
fn policy_of<'s>(site: &'s Site, method: &Method, path: &[u8]) -> Result<Option<&'s Arc<Policy>>, Reason> {
    if is_own(path) {
        return Ok(None);
    }
    if site.may_be_taken_for_mcp(path, method) {
        return Err(Reason::PathAmbiguous);
    }
    Ok(Some(site.route(path, method).policy))
}

/// Whether a path can be read in one way only. Nearly all are, and cost one look.
pub(crate) fn is_plain(path: &[u8]) -> bool {
    let is_odd = |pair: &[u8]| matches!(pair, [b'/', b'/' | b'.'] | [b'.', b'.']);
    !path.iter().any(|byte| b"%;?#".contains(byte)) && !path.windows(2).any(is_odd)
}

/// The path as it came, and every other reading of it.
///
/// # Errors
/// [`Reason::PathInvalid`] where one holds a NUL, [`Reason::PathAmbiguous`] where there are more than are looked at.
pub(crate) fn readings(path: &[u8]) -> Result<Vec<Vec<u8>>, Reason> {
    let mut found = vec![path.to_vec()];
    for_each_reading(path, |reading| {
        found.push(reading.to_vec());
        Ok(())
    })?;
    Ok(found)
}

/// Calls `look` with every other reading of `path`, each once: all that any order of the steps below can make of it, decoded
/// not at all, once and twice.
fn for_each_reading(path: &[u8], mut look: impl FnMut(&[u8]) -> Result<(), Reason>) -> Result<(), Reason> {
    let mut seen = HashSet::from([path.to_vec()]);
    let mut level = vec![path.to_vec()];
    let mut bytes = path.len();
    for decodings_left in [2, 1, 0] {
        let mut next = 0;
        while let Some(reading) = level.get(next).cloned() {
            next += 1;
            for found in STEPS.iter().filter_map(|step| step(&reading)) {
                if seen.insert(found.clone()) {
                    bytes = admit(&found, bytes, &mut look)?;
                    level.push(found);
                }
            }
        }
        if decodings_left == 0 {
            break;
        }
        let decoded: Vec<_> = level.iter().filter_map(|reading| decoded(reading)).collect();
        level.clear();
        for found in decoded {
            if seen.insert(found.clone()) {
                bytes = admit(&found, bytes, &mut look)?;
                level.push(found);
            }
        }
    }
    Ok(())
}

/// Looks at one reading; the sum of bytes looked at so far.
fn admit(found: &[u8], bytes: usize, look: &mut impl FnMut(&[u8]) -> Result<(), Reason>) -> Result<usize, Reason> {
    let bytes = bytes + found.len();
    if bytes > READING_BYTES_MAX {
        return Err(Reason::PathAmbiguous);
    }
    if found.contains(&0) {
        return Err(Reason::PathInvalid);
    }
    look(found)?;
    Ok(bytes)
}

/// One thing that some server does to a path; `None` when it changes nothing.
type Step = fn(&[u8]) -> Option<Vec<u8>>;

const STEPS: [Step; 8] = [
    slashes_merged,
    dots_resolved,
    parameters_cut,
    query_cut,
    backslashes_turned,
    authority_cut,
    trailing_dots_split,
    final_slash_cut,
];

/// `%2e` -> `.`; what is no escape stays (RFC 3986 §2.1).
pub(crate) fn decoded(path: &[u8]) -> Option<Vec<u8>> {
    let mut found = Vec::with_capacity(path.len());
    let mut rest = path;
    while let [first, behind @ ..] = rest {
        rest = behind;
        let byte = match (first, behind) {
            (b'%', [high, low, behind @ ..]) => hex(*high).zip(hex(*low)).map(|(high, low)| {
                rest = behind;
                high * 16 + low
            }),
            _ => None,
        };
        found.push(byte.unwrap_or(*first));
    }
    changed(path, found)
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

/// `//a` -> `/a` (nginx, most file systems).
fn slashes_merged(path: &[u8]) -> Option<Vec<u8>> {
    let mut found = path.to_vec();
    found.dedup_by(|byte, before| *byte == b'/' && *before == b'/');
    changed(path, found)
}

/// `/a/../b` -> `/b` (RFC 3986 §5.2.4).
fn dots_resolved(path: &[u8]) -> Option<Vec<u8>> {
    let mut kept: Vec<&[u8]> = Vec::new();
    let mut ends_in_folder = false;
    for segment in path.strip_prefix(b"/").unwrap_or(path).split(|byte| *byte == b'/') {
        ends_in_folder = matches!(segment, b"." | b"..");
        match segment {
            b"." => {}
            b".." => drop(kept.pop()),
            _ => kept.push(segment),
        }
    }
    if ends_in_folder {
        kept.push(b"");
    }
    let mut found = vec![b'/'];
    found.extend_from_slice(&kept.join(&b'/'));
    changed(path, found)
}

/// `/a;x=1/b` -> `/a/b` (Tomcat, Jetty).
fn parameters_cut(path: &[u8]) -> Option<Vec<u8>> {
    let segments = path.split(|byte| *byte == b'/');
    let segments = segments.map(|segment| segment.split(|byte| *byte == b';').next().unwrap_or_default());
    changed(path, segments.collect::<Vec<_>>().join(&b'/'))
}

/// `/a?b` -> `/a`, where the `?` or `#` was encoded and is decoded too early.
fn query_cut(path: &[u8]) -> Option<Vec<u8>> {
    let end = path.iter().position(|byte| matches!(byte, b'?' | b'#'))?;
    path.get(..end).map(<[u8]>::to_vec)
}

/// `/a\b` -> `/a/b` (Windows, WHATWG URLs).
fn backslashes_turned(path: &[u8]) -> Option<Vec<u8>> {
    let found = path.iter().map(|byte| if *byte == b'\\' { b'/' } else { *byte });
    changed(path, found.collect())
}

/// `//a/b` -> `/b` (a relative reference with an authority, as `new URL(path, base)` sees it).
fn authority_cut(path: &[u8]) -> Option<Vec<u8>> {
    let behind = path.strip_prefix(b"//")?;
    let slash = behind.iter().position(|byte| *byte == b'/');
    Some(slash.and_then(|slash| behind.get(slash..)).unwrap_or(b"/").to_vec())
}

/// `/a../b` -> `/a/../b` (a folder mapped without its final slash).
fn trailing_dots_split(path: &[u8]) -> Option<Vec<u8>> {
    let mut found = Vec::with_capacity(path.len() + 1);
    for (place, segment) in path.split(|byte| *byte == b'/').enumerate() {
        if place > 0 {
            found.push(b'/');
        }
        match segment.strip_suffix(b"..") {
            Some(name) if !name.is_empty() => {
                found.extend_from_slice(name);
                found.extend_from_slice(b"/..");
            }
            Some(_) | None => found.extend_from_slice(segment),
        }
    }
    changed(path, found)
}

/// `/a/` -> `/a` (file systems; only looked at in paths that are odd anyway).
fn final_slash_cut(path: &[u8]) -> Option<Vec<u8>> {
    path.strip_suffix(b"/").filter(|rest| !rest.is_empty()).map(<[u8]>::to_vec)
}

fn changed(path: &[u8], found: Vec<u8>) -> Option<Vec<u8>> {
    if found == path { None } else { Some(found) }
}

#[cfg(test)]
mod tests;
