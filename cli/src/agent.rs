//! `lime agent ..`: what an agent does, by hand.

use std::env;
use std::path::PathBuf;

use agent::{Agent, ApiBase, Progress, Stranger};
use clap::{Args, Subcommand};
use secrecy::{ExposeSecret, SecretString};

use crate::failure::Failure;
use crate::terminal;

/// The agent's own arguments.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    action: Action,
    /// Root of the issuer's API, such as https://id.example.net/api/v1
    #[arg(long, global = true, env = "LIME_API_BASE", value_name = "URL")]
    api_base: Option<String>,
    /// File that holds the agent token; else LIME_AGENT_TOKEN is read
    #[arg(long, global = true, value_name = "FILE")]
    token_file: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Approve a login request that a site has opened
    Login {
        /// The id the site gave
        request_id: String,
    },
    /// Fetch a page, logging in or working where a gateway asks for it
    Fetch {
        /// An http or https address
        url: String,
        /// Print status and headers before the body
        #[arg(short, long)]
        include: bool,
    },
    /// Get an access token for a host
    Token {
        /// The host name, without scheme and port
        host: String,
        /// Print it as a header line, ready for curl -H
        #[arg(long)]
        header: bool,
    },
}

/// Runs one action.
pub(crate) async fn run(arguments: Arguments) -> Result<(), Failure> {
    match &arguments.action {
        Action::Login { request_id } => {
            let approval = agent(&arguments)?.login(request_id, None, show).await.map_err(Failure::from_error)?;
            terminal::say(&format!("{} at site {} until {}", approval.status, approval.site_id, approval.expires_at));
        }
        Action::Token { host, header } => {
            let token = agent(&arguments)?.token(host).await.map_err(Failure::from_error)?;
            let prefix = if *header { "Authorization: Bearer " } else { "" };
            terminal::say(&format!("{prefix}{}", token.access_token.expose_secret()));
        }
        Action::Fetch { url, include } => fetch(&arguments, url, *include).await?,
    }
    Ok(())
}

fn agent(arguments: &Arguments) -> Result<Agent, Failure> {
    let api_base = arguments.api_base.as_deref().ok_or_else(|| {
        Failure::usage("which issuer? Pass --api-base https://id.example.net/api/v1 or set LIME_API_BASE")
    })?;
    let api_base = ApiBase::parse(api_base).map_err(|error| Failure::usage(error.to_string()))?;
    Agent::new(api_base, token(arguments)?).map_err(Failure::from_error)
}

fn token(arguments: &Arguments) -> Result<SecretString, Failure> {
    let text = match &arguments.token_file {
        Some(path) => std::fs::read_to_string(path).map_err(|error| {
            Failure::runtime(format!("cannot read the agent token from {}: {error}", path.display()))
        })?,
        None => env::var("LIME_AGENT_TOKEN")
            .map_err(|_| Failure::usage("which agent? Pass --token-file FILE or set LIME_AGENT_TOKEN"))?,
    };
    Ok(text.trim().into())
}

async fn fetch(arguments: &Arguments, url: &str, include: bool) -> Result<(), Failure> {
    // Without an issuer there is no agent, and where work is asked for none is needed.
    let fetched = if arguments.api_base.is_some() {
        agent(arguments)?.fetch(url, show).await
    } else {
        Stranger::new().map_err(Failure::from_error)?.fetch(url, show).await
    };
    terminal::end_progress();
    let mut response = fetched.map_err(Failure::from_error)?;
    if include {
        terminal::say(&format!("{:?} {}", response.version(), response.status()));
        for (name, value) in response.headers() {
            terminal::say(&terminal::harmless(&format!("{name}: {}", String::from_utf8_lossy(value.as_bytes()))));
        }
        terminal::say("");
    }
    while let Some(chunk) = response.chunk().await.map_err(Failure::from_error)? {
        terminal::pour(&chunk).map_err(Failure::from_error)?;
    }
    let status = response.status();
    if status.is_client_error() || status.is_server_error() {
        return Err(Failure::runtime(format!("{url} answered {status}")));
    }
    Ok(())
}

fn show(progress: Progress) {
    match progress {
        Progress::Challenge { site, difficulty_bits } => {
            let site = site.unwrap_or_else(|| "a site the issuer does not name".to_owned());
            terminal::complain(&format!("logging in at {site}: {difficulty_bits} bits of work"));
        }
        Progress::Work { difficulty_bits } => {
            terminal::complain(&format!("the site asks for {difficulty_bits} bits of work"));
        }
        Progress::Solving { attempts } => terminal::progress(&format!("solving: {attempts} attempts")),
        Progress::Solved { attempts, took } => {
            terminal::end_progress();
            terminal::complain(&format!("solved after {attempts} attempts in {} ms", took.as_millis()));
        }
    }
}
