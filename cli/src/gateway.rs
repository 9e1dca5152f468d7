//! `lime gateway run`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::json;

use crate::failure::Failure;
use crate::issuer::Format;
use crate::service_manager::{self, News};
use crate::{listen, signals};

/// The gateway's own arguments.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Serve until SIGTERM or ctrl-c; SIGHUP reads the configuration again
    Run {
        /// The configuration file
        #[arg(short, long, value_name = "FILE", default_value = "lime.toml")]
        config: PathBuf,
        /// Say in JSON when it is ready
        #[arg(long)]
        json: bool,
    },
}

/// Runs one action.
pub(crate) async fn run(arguments: Arguments) -> Result<(), Failure> {
    let Action::Run { config, json } = arguments.action;
    let config = load(&config)?;
    for warning in config.warnings() {
        tracing::warn!("{warning}");
    }
    let listeners = bind(&config)?;
    let stop = signals::stop()?;
    let (text, ready) = ready(&listeners)?;
    let gateway = proxy::Gateway::prepare(config).map_err(Failure::from_error)?;
    let reload = tokio::spawn(signals::reload(gateway.commands())?);
    Format::from_flag(json).say(&text, &ready);
    service_manager::tell(News::Ready);
    let served = gateway.serve(listeners, service_manager::told(stop)).await.map_err(Failure::from_error);
    reload.abort();
    served
}

/// How many sites, in words.
pub(crate) fn sites(count: usize) -> String {
    if count == 1 { "1 site".to_owned() } else { format!("{count} sites") }
}

/// Reads a gateway's file, the environment over it.
pub(crate) fn load(path: &std::path::Path) -> Result<config::Gateway, Failure> {
    config::Gateway::load(path, &|name| std::env::var(name).ok()).map_err(|error| Failure::config(&error))
}

/// Binds all that a gateway listens on.
pub(crate) fn bind(config: &config::Gateway) -> Result<proxy::Listeners, Failure> {
    let tls = config.server.tls.as_ref().map_or(&[][..], |tls| &tls.listen);
    Ok(proxy::Listeners {
        plain: listen::bind(&config.server.listen)?,
        tls: listen::bind(tls)?,
        ops: listen::bind_one(config.server.ops_listen)?,
        auth: config.server.auth_listen.map(listen::bind_one).transpose()?,
    })
}

fn ready(listeners: &proxy::Listeners) -> Result<(String, serde_json::Value), Failure> {
    let urls = |listeners: &[std::net::TcpListener]| -> Result<Vec<String>, Failure> {
        listeners.iter().map(|listener| Ok(listen::url(listen::address(listener)?))).collect()
    };
    let plain = urls(&listeners.plain)?;
    let tls: Vec<String> = urls(&listeners.tls)?.iter().map(|url| url.replacen("http", "https", 1)).collect();
    let ops = listen::url(listen::address(&listeners.ops)?);
    let auth = listeners.auth.as_ref().map(|listener| listen::address(listener).map(listen::url)).transpose()?;
    let also = auth.as_ref().map(|auth| format!(", forward-auth at {auth}")).unwrap_or_default();
    let text = format!("gateway is ready at {}, operations at {ops}{also}", [&plain[..], &tls[..]].concat().join(" "));
    Ok((text, json!({ "event": "ready", "gateway": plain, "tls": tls, "ops": ops, "auth": auth })))
}
