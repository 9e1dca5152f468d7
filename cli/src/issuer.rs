//! `lime issuer ..`: run an issuer, and what its operator does beside it.

mod clients;
mod keys;
mod owners;
mod registry;
mod resources;
mod run;

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::failure::Failure;
use crate::terminal;

/// The issuer's own arguments.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    action: Action,
    #[command(flatten)]
    place: Place,
    /// Answer in JSON, one object a line
    #[arg(long, global = true)]
    json: bool,
}

/// Which issuer.
#[derive(Debug, Args)]
pub(crate) struct Place {
    /// The issuer's configuration file
    #[arg(short, long, global = true, value_name = "FILE", conflicts_with = "data")]
    config: Option<PathBuf>,
    /// The data directory of `lime up`, instead of a configuration file
    #[arg(long, global = true, value_name = "DIR")]
    data: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Serve until SIGTERM or ctrl-c
    Run,
    /// People and companies
    #[command(subcommand)]
    Owner(owners::Owner),
    /// Agents of an owner
    #[command(subcommand)]
    Agent(registry::Agent),
    /// Sites of an owner
    #[command(subcommand)]
    Site(registry::Site),
    /// Credentials by which a gateway serves sites
    #[command(subcommand)]
    Gateway(registry::Gateway),
    /// What OAuth clients can get tokens for, such as an MCP server behind a gateway
    #[command(subcommand)]
    Resource(resources::Resource),
    /// OAuth clients: programs that get tokens for an agent, and those that registered themselves
    #[command(subcommand)]
    Client(clients::Client),
    /// The keys passports are signed with
    #[command(subcommand)]
    Keys(keys::Keys),
}

/// How an answer is written.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Format {
    Text,
    Json,
}

impl Format {
    pub(crate) const fn from_flag(json: bool) -> Self {
        if json { Self::Json } else { Self::Text }
    }

    /// One answer, in either form.
    pub(crate) fn say(self, text: &str, json: &serde_json::Value) {
        match self {
            Self::Text => terminal::say(text),
            Self::Json => terminal::say(&json.to_string()),
        }
    }
}

impl Place {
    fn config(&self) -> Result<config::Issuer, Failure> {
        let config = match (&self.config, &self.data) {
            (Some(file), _) => {
                config::Issuer::load(file, &|name| std::env::var(name).ok()).map_err(|error| Failure::config(&error))?
            }
            (None, Some(data)) => config::Issuer::in_directory(data),
            (None, None) => {
                return Err(Failure::usage("which issuer? Pass -c FILE, or --data DIR of `lime up`"));
            }
        };
        Ok(config)
    }
}

/// Only a start, or a first owner, makes a store: a mistyped place is not to become an issuer.
fn exists(config: &config::Issuer) -> Result<(), Failure> {
    match &config.store {
        config::StoreLocation::Sqlite(path) if !path.exists() => Err(Failure::runtime(format!(
            "there is no issuer at {}: is that the right place? `lime issuer run` starts one there",
            path.display()
        ))),
        config::StoreLocation::Sqlite(_) | config::StoreLocation::Postgres(_) => Ok(()),
    }
}

/// Runs one action.
pub(crate) async fn run(arguments: Arguments) -> Result<(), Failure> {
    let config = arguments.place.config()?;
    let format = Format::from_flag(arguments.json);
    if let Action::Run = arguments.action {
        return run::run(&config, format).await;
    }
    if !matches!(arguments.action, Action::Owner(owners::Owner::Add { .. })) {
        exists(&config)?;
    }
    let operator = issuer::Operator::open(&config).await.map_err(Failure::from_error)?;
    let done = match arguments.action {
        Action::Run => Ok(()),
        Action::Owner(action) => owners::owner(&operator, action, format).await,
        Action::Agent(action) => registry::agent(&operator, action, format).await,
        Action::Site(action) => registry::site(&operator, action, format).await,
        Action::Gateway(action) => registry::gateway(&operator, action, format).await,
        Action::Resource(action) => resources::resource(&operator, action, format).await,
        Action::Client(action) => clients::client(&operator, action, format).await,
        Action::Keys(action) => keys::keys(&operator, action, format, &config).await,
    };
    operator.close().await;
    done
}
