//! Without a credential, no path gets through that an origin could read as a protected one.
#![no_main]

use filters::Verdict;
use http::HeaderMap;
use libfuzzer_sys::fuzz_target;
use lime_fuzz::{GATE, PROTECTED};

#[path = "../../tests/src/readings.rs"]
mod readings;

/// The readings of a long path are too many to look at; what can be said in more bytes can be said in fewer.
const BYTES_MAX: usize = 48;

fuzz_target!(|path: &[u8]| {
    let decided = GATE.decide(path, &HeaderMap::new());
    if let Verdict::Continue = decided.outcome.verdict
        && path.len() <= BYTES_MAX
    {
        let is_protected = |reading: &Vec<u8>| reading.starts_with(PROTECTED) || reading == b"/agents";
        let way_in = readings::readings(path).into_iter().find(is_protected);
        assert!(
            way_in.is_none(),
            "{} may be read as {}",
            path.escape_ascii(),
            way_in.unwrap_or_default().escape_ascii()
        );
    }
});
