//! A file is read or refused with a message that names a line, whatever is in it.
#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Err(error) = config::Gateway::parse(text, Path::new("lime.toml"), &|_| None) {
        assert!(error.to_string().starts_with("lime.toml"), "{error}");
    }
});
