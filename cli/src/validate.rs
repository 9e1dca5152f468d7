//! `lime validate`: read a configuration as the gateway would, and say what is wrong with it.

use std::path::PathBuf;

use clap::Args;

use crate::failure::Failure;
use crate::{gateway, terminal};

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The configuration file
    #[arg(short, long, value_name = "FILE", default_value = "lime.toml")]
    config: PathBuf,
    /// The file is an issuer's
    #[arg(long)]
    issuer: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let path = &arguments.config;
    let (warnings, summary) = if arguments.issuer {
        let issuer = config::Issuer::load(path, &|name| std::env::var(name).ok());
        let issuer = issuer.map_err(|error| Failure::config(&error))?;
        (issuer.warnings(), "an issuer".to_owned())
    } else {
        let gateway = gateway::load(path)?;
        (gateway.warnings(), summary(&gateway))
    };
    for warning in &warnings {
        terminal::complain(&format!("warning: {warning}"));
    }
    terminal::say(&format!("{} is valid: {summary}", path.display()));
    Ok(())
}

fn summary(gateway: &config::Gateway) -> String {
    let mut text = match gateway.sites.len() {
        1 => "1 site".to_owned(),
        count => format!("{count} sites"),
    };
    for site in &gateway.sites {
        let protected: Vec<String> = site.protect.iter().map(ToString::to_string).collect();
        let protected = if protected.is_empty() { "nothing".to_owned() } else { protected.join(" ") };
        let (mode, url, origin) = (site.mode.as_str(), &site.url, &site.origin);
        text.push_str(&format!("\n  {url} -> {origin}  {mode}, protects {protected}"));
    }
    text
}
