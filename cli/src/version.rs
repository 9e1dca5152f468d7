//! `lime version`: what exactly runs here.

use clap::Args;
use serde_json::json;

use crate::issuer::Format;

/// How to say it.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Answer in JSON
    #[arg(long)]
    json: bool,
}

/// The commit it was built from, where the build knew: `packages/build` sets it.
const COMMIT: Option<&str> = option_env!("LIME_COMMIT");

/// Says version, profile, machine and commit.
pub(crate) fn run(arguments: &Arguments) {
    let version = env!("CARGO_PKG_VERSION");
    let profile = if cfg!(debug_assertions) { "debug" } else { "release" };
    let target = format!("{}-{}", std::env::consts::ARCH, std::env::consts::OS);
    let commit = COMMIT.map(|commit| format!(", commit {commit}")).unwrap_or_default();
    let text = format!("lime {version} ({profile}, {target}{commit})");
    let object = json!({ "version": version, "profile": profile, "target": target, "commit": COMMIT });
    Format::from_flag(arguments.json).say(&text, &object);
}
