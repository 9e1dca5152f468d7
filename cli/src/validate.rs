//! `lime validate`: read a configuration as the gateway would, and say what is wrong with it.

use std::path::PathBuf;

use clap::Args;

use crate::failure::Failure;
use crate::{expected, gateway, terminal};

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The configuration file
    #[arg(short, long, value_name = "FILE", default_value = "lime.toml")]
    config: PathBuf,
    /// The file is an issuer's
    #[arg(long)]
    issuer: bool,
    /// A file of requests and what is to become of each, checked against the configuration
    #[arg(long, value_name = "FILE", conflicts_with = "issuer")]
    tests: Option<PathBuf>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let path = &arguments.config;
    let (warnings, summary) = if arguments.issuer {
        let issuer = config::Issuer::load(path, &|name| std::env::var(name).ok());
        let issuer = issuer.map_err(|error| Failure::config(&error))?;
        (issuer.warnings(), "an issuer".to_owned())
    } else {
        let config = gateway::load(path)?;
        let (warnings, mut summary) = (config.warnings(), summary(&config));
        if let Some(tests) = &arguments.tests {
            let count = expected::check(config, tests)?;
            summary.push_str(&format!("\n{count} requests of {} came out as expected", tests.display()));
        }
        (warnings, summary)
    };
    for warning in &warnings {
        terminal::complain(&format!("warning: {warning}"));
    }
    terminal::say(&format!("{} is valid: {summary}", path.display()));
    Ok(())
}

fn summary(config: &config::Gateway) -> String {
    let mut text = gateway::sites(config.sites.len());
    for site in &config.sites {
        let origins: Vec<String> = site.origin.targets.iter().map(ToString::to_string).collect();
        let (mode, url) = (site.mode.as_str(), &site.url);
        text.push_str(&format!("\n  {url} -> {}  {mode}", origins.join(" ")));
        for route in site.routes() {
            let (path, methods, policy) = (&route.path, &route.methods, &route.policy);
            text.push_str(&format!("\n    {path} ({methods}): {} ({})", policy.require, policy.name));
        }
        for endpoint in &site.mcp {
            push_endpoint(&mut text, endpoint);
        }
        let policy = &site.policy;
        text.push_str(&format!("\n    every other path: {} ({})", policy.require, policy.name));
    }
    let open = config.open_paths();
    if !open.is_empty() {
        text.push_str("\nopen to everybody:");
        for path in open {
            text.push_str(&format!("\n  {}: {} {} ({})", path.defined_at, path.site, path.path, path.methods));
        }
    }
    text
}

fn push_endpoint(text: &mut String, endpoint: &config::McpEndpoint) {
    text.push_str(&format!("\n    {} (MCP): passport", endpoint.path));
    for rule in endpoint.rules.all() {
        let asked = rule.policy().map_or("nobody".to_owned(), |policy| format!("{} ({})", asked(policy), policy.name));
        text.push_str(&format!("\n      {}: {asked}", rule.name()));
    }
    let policy = &endpoint.policy;
    let other = match endpoint.unlisted {
        config::Unlisted::Allow => format!("{} ({})", asked(policy), policy.name),
        config::Unlisted::Deny => "nobody".to_owned(),
    };
    text.push_str(&format!("\n      every other tool, resource and prompt: {other}"));
}

/// What a policy asks for beside a passport.
fn asked(policy: &config::Policy) -> String {
    if policy.scopes.is_empty() { policy.require.to_string() } else { format!("scope {}", policy.scopes.join(" ")) }
}
