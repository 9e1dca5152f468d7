//! `lime report`: who came, from the access lines of a gateway, or from the log of a server before there was one.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use config::PathPattern;
use flate2::read::MultiGzDecoder;

use crate::failure::Failure;
use crate::terminal;

mod dns;
mod entry;
mod page;
mod since;
mod summary;
mod table;
mod tally;
mod text;
mod visitor;

use entry::{Entry, Format};
use since::Since;
use summary::{Dns, Summary};
use tally::Tally;

/// Longest line that is read, in bytes; what is longer is no access line.
const LINE_BYTES_MAX: usize = 64 * 1024;

const BUFFER_BYTES: usize = 64 * 1024;

/// How a file begins that was compressed (RFC 1952 §2.3.1).
const GZIP: [u8; 2] = [0x1f, 0x8b];

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Access logs, as they are or compressed with gzip; `-` is standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The format of the logs
    #[arg(long, value_enum, default_value_t = Format::Lime)]
    format: Format,
    /// Only what came after a time: 2026-11-25, 2026-11-25T08:00:00Z (UTC), or 7d for the last seven days
    #[arg(long, value_name = "TIME")]
    since: Option<Since>,
    /// What protecting a path would have refused, such as /search or /api/*; may stand several times
    #[arg(long, value_name = "PATH")]
    if_protect: Vec<PathPattern>,
    /// Ask DNS whether crawlers come from where their owners say
    #[arg(long)]
    check_dns: bool,
    /// How to show it
    #[arg(long, value_enum, default_value_t = Output::Text)]
    output: Output,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Output {
    /// For a terminal
    Text,
    /// A document for programs
    Json,
    /// Markdown
    Markdown,
    /// One HTML file, with plots
    Html,
}

pub(crate) async fn run(arguments: &Arguments) -> Result<(), Failure> {
    let mut tally = Tally::new(&arguments.if_protect).ok_or_else(|| Failure::runtime("no tally can be made"))?;
    for file in &arguments.files {
        let failed = |cause: io::Error| Failure::usage(format!("{} cannot be read: {cause}", file.display()));
        if file.as_os_str() == "-" {
            read(io::stdin().lock(), arguments, &mut tally).map_err(failed)?;
        } else {
            read(File::open(file).map_err(failed)?, arguments, &mut tally).map_err(failed)?;
        }
    }
    let dns = if arguments.check_dns { Dns::Ask } else { Dns::Leave };
    let summary = Summary::of(&tally, dns).await;
    let text = match arguments.output {
        Output::Text => text::terminal(&summary),
        Output::Json => serde_json::to_string_pretty(&summary).map_err(Failure::from_error)?,
        Output::Markdown => text::markdown(&summary),
        Output::Html => page::page(&summary),
    };
    terminal::say(text.trim_end());
    Ok(())
}

/// Counts every line, one after another, of text or of text that was compressed.
fn read(from: impl Read, arguments: &Arguments, tally: &mut Tally) -> io::Result<()> {
    let mut reader = BufReader::with_capacity(BUFFER_BYTES, from);
    if reader.fill_buf()?.starts_with(&GZIP) {
        read_lines(BufReader::with_capacity(BUFFER_BYTES, MultiGzDecoder::new(reader)), arguments, tally)
    } else {
        read_lines(reader, arguments, tally)
    }
}

/// What is no text is read as well as it can be.
fn read_lines(mut reader: impl BufRead, arguments: &Arguments, tally: &mut Tally) -> io::Result<()> {
    let format = arguments.format;
    let mut line = Vec::new();
    loop {
        line.clear();
        let limit = u64::try_from(LINE_BYTES_MAX).unwrap_or(u64::MAX);
        let taken = reader.by_ref().take(limit).read_until(b'\n', &mut line)?;
        if taken == 0 {
            return Ok(());
        }
        if taken == LINE_BYTES_MAX && !line.ends_with(b"\n") {
            tally.skipped += 1;
            reader.skip_until(b'\n')?;
            continue;
        }
        let text = String::from_utf8_lossy(&line);
        let text = text.trim_end_matches(['\n', '\r']);
        match Entry::read(text, format) {
            Some(entry) if arguments.since.is_none_or(|since| since.covers(entry.at)) => tally.count(&entry),
            Some(_) => {}
            // The gateway says more than access lines; an empty line says nothing.
            None if text.is_empty() || (format == Format::Lime && !text.contains("\"msg\":\"request\"")) => {}
            None => tally.skipped += 1,
        }
    }
}
