//! `lime completions`: what a shell needs to complete our commands and flags.

use clap::Args;
use clap_complete::Shell;

use crate::failure::Failure;
use crate::terminal;

/// For which shell.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The shell; `source <(lime completions bash)` tries it out
    #[arg(value_enum)]
    shell: Shell,
}

/// Writes the script to stdout.
pub(crate) fn run(arguments: &Arguments, mut command: clap::Command) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut command, "lime", &mut script);
    terminal::pour(&script).map_err(Failure::from_error)
}
