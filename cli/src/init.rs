//! `lime init`: write a first `lime.toml`.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write as _};
use std::path::PathBuf;

use clap::Args;

use crate::failure::Failure;
use crate::terminal;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The site's address as visitors write it, such as https://shop.example.com
    #[arg(long)]
    url: config::WebOrigin,
    /// Where the site itself listens, such as http://127.0.0.1:3000
    #[arg(long)]
    origin: config::Upstream,
    /// The file to write; one that exists is left alone
    #[arg(short, long, value_name = "FILE", default_value = "lime.toml")]
    config: PathBuf,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let Arguments { url, origin, config: path } = arguments;
    let mut file = OpenOptions::new().write(true).create_new(true).open(path).map_err(|error| {
        if error.kind() == ErrorKind::AlreadyExists {
            Failure::usage(format!("{} exists and is left as it is; name another file with -c", path.display()))
        } else {
            Failure::runtime(format!("cannot write {}: {error}", path.display()))
        }
    })?;
    file.write_all(config::starter(url, origin).as_bytes()).map_err(Failure::from_error)?;
    let path = path.display();
    terminal::say(&format!("{path} is written. Next:\n  lime validate -c {path}\n  lime gateway run -c {path}"));
    Ok(())
}
