//! From a file to its text.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use crate::ConfigError;

/// Largest configuration that is read, in bytes: 10,000 sites with all their keys take a third of it.
const CONFIG_BYTES_MAX: u64 = 16 * 1024 * 1024;

pub(crate) fn text(path: &Path) -> Result<String, ConfigError> {
    read(path).map_err(|cause| {
        let text = if cause.kind() == io::ErrorKind::NotFound {
            "no such file: name the right one with -c FILE".to_owned()
        } else {
            format!("cannot be read ({cause}): check that it is UTF-8 text and that this user may read it")
        };
        ConfigError::whole_file(path, text)
    })
}

fn read(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    let bytes = File::open(path)?.take(CONFIG_BYTES_MAX + 1).read_to_string(&mut text)?;
    if u64::try_from(bytes).is_ok_and(|bytes| bytes <= CONFIG_BYTES_MAX) {
        Ok(text)
    } else {
        Err(io::Error::new(io::ErrorKind::FileTooLarge, "larger than 16 MiB"))
    }
}
