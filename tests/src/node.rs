//! Scripts of `tests/node`, driven in the folder that `tests/run setup` makes.

use std::path::Path;
use std::process::Command;

use crate::lime::{Output, report, root, show};

/// A script with what it needs to know in its environment.
#[must_use]
pub fn node(script: &str) -> Command {
    let program = root().join("target/node").join(script);
    assert!(program.exists(), "no {}: run tests/run setup", program.display());
    let mut command = Command::new("node");
    command.arg(program);
    command
}

/// Runs a program that tells in one line what it did, and fails with its whole story if it did not.
#[track_caller]
pub fn tells(mut command: Command, environment: &[(String, String)]) {
    command.envs(environment.iter().map(|(name, value)| (name, value)));
    let program = Path::new(command.get_args().next().unwrap()).file_name().unwrap().to_string_lossy().into_owned();
    let output = Output::of(command);
    if output.code != 0 {
        show(&format!("{}{}", output.stdout, output.stderr));
        panic!("{program}: exit code {}", output.code);
    }
    report(output.stdout.lines().last().unwrap_or(&program));
}
