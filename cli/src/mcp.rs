//! `lime mcp`.

use clap::{Args, Subcommand};

use crate::failure::Failure;

mod pins;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    about: About,
}

#[derive(Debug, Subcommand)]
enum About {
    /// Say which tools are pinned, what has become of them, and accept it
    ///
    /// The gateway remembers how an MCP server first described each of its tools (`pins` in [site.mcp]). A tool whose
    /// description or schema is another since is flagged, or hidden until it is accepted here. The orders go to the gateway
    /// that runs on this machine; if none runs, to its state folder.
    Pins(pins::Arguments),
}

/// Carries out a command.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    match &arguments.about {
        About::Pins(arguments) => pins::run(arguments),
    }
}
