//! The `lime` command.
//!
//! `main` does what belongs to the process and not to any part of it: the allocator, the TLS provider, the runtime, the
//! log, the exit code. Each command is a file of its own; [`failure`] says how a command ends.

#![expect(rustdoc::bare_urls, reason = "what documents an argument is also its help text")]

mod agent;
mod completions;
mod control;
mod expected;
mod explain;
mod failure;
mod gateway;
mod healthcheck;
mod init;
mod issuer;
mod listen;
mod mcp;
mod password;
mod report;
mod service_manager;
mod signals;
mod terminal;
mod up;
mod validate;
mod version;

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};

use failure::Failure;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[derive(Debug, Parser)]
#[command(
    name = "lime",
    version,
    about = "Passports for AI agents, and a gate that checks them",
    propagate_version = true
)]
struct Lime {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Try it all: an issuer, a gateway, a demo site, and a login through them
    Up(up::Arguments),
    /// Write a first lime.toml
    Init(init::Arguments),
    /// Run the gateway
    Gateway(gateway::Arguments),
    /// Check a configuration file
    Validate(validate::Arguments),
    /// Write the JSON Schema of lime.toml to stdout
    Schema,
    /// Say what would become of a request, and why, without sending it
    Explain(explain::Arguments),
    /// Say who came, from access logs
    Report(report::Arguments),
    /// Let a running gateway read its configuration again
    Reload(control::Reload),
    /// Let the sites of a running gateway observe, enforce or pass everything, at once
    Mode(control::Mode),
    /// Look after MCP servers behind a gateway: what tools are, and what they have become
    Mcp(mcp::Arguments),
    /// Run an issuer, register owners, agents and sites, look after its keys
    Issuer(issuer::Arguments),
    /// Act as an agent: log in, fetch a guarded page, get a token
    Agent(agent::Arguments),
    /// Ask a running gateway whether it is ready: exit code 0 or 1
    Healthcheck(healthcheck::Arguments),
    /// Write the completions of a shell to stdout
    Completions(completions::Arguments),
    /// Say what exactly this is
    Version(version::Arguments),
}

fn main() -> ExitCode {
    let lime = Lime::parse();
    // Before anything can open a TLS connection: the first provider to be installed wins, and it should be ours.
    if rustls::crypto::aws_lc_rs::default_provider().install_default().is_err() {
        return Failure::runtime("another TLS provider is already installed").report();
    }
    terminal::start_log();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return Failure::from_error(error).report(),
    };
    match runtime.block_on(run(lime.command)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

async fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::Up(arguments) => up::run(arguments).await,
        Command::Init(arguments) => init::run(&arguments),
        Command::Gateway(arguments) => gateway::run(arguments).await,
        Command::Validate(arguments) => validate::run(&arguments),
        Command::Schema => {
            terminal::say(config::schema().trim_end());
            Ok(())
        }
        Command::Explain(arguments) => explain::run(&arguments),
        Command::Report(arguments) => report::run(&arguments).await,
        Command::Reload(arguments) => control::reload(&arguments),
        Command::Mode(arguments) => control::mode(&arguments),
        Command::Mcp(arguments) => mcp::run(&arguments),
        Command::Issuer(arguments) => issuer::run(arguments).await,
        Command::Agent(arguments) => agent::run(arguments).await,
        Command::Healthcheck(arguments) => healthcheck::run(arguments).await,
        Command::Completions(arguments) => completions::run(&arguments, Lime::command()),
        Command::Version(arguments) => {
            version::run(&arguments);
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_holds_together() {
        Lime::command().debug_assert();
    }

    #[test]
    fn pins_are_listed_unless_something_else_is_asked() {
        let parses = |line: &str| Lime::try_parse_from(line.split(' ')).is_ok();
        for line in [
            "lime mcp pins",
            "lime mcp pins --json",
            "lime mcp pins list --site https://tools.example",
            "lime mcp pins diff read -c other.toml",
            "lime mcp pins accept read --hash 44136f",
            "lime mcp pins accept --all --site https://tools.example/mcp",
            "lime mcp pins forget read",
        ] {
            assert!(parses(line), "{line}");
        }
        for line in [
            "lime mcp",
            "lime mcp pins diff",
            "lime mcp pins accept",
            "lime mcp pins accept read --all",
            "lime mcp pins accept --all --hash 44136f",
            "lime mcp pins forget",
        ] {
            assert!(!parses(line), "{line}");
        }
    }
}
