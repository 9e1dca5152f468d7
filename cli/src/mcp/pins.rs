//! `lime mcp pins`.

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use filters::shown;
use proxy::{PinOrder, PinRow, PinState};
use serde_json::{Value, json};

use crate::failure::Failure;
use crate::issuer::Format;
use crate::{control, gateway};

/// As much of a digest as is shown: two that begin alike are not to be expected.
const HASH_SHOWN: usize = 12;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    action: Option<Action>,
    /// Only at this site, or at this endpoint, by its URL
    #[arg(long, global = true, value_name = "URL")]
    site: Option<String>,
    /// The configuration file of the gateway
    #[arg(short, long, global = true, value_name = "FILE", default_value = "lime.toml")]
    config: PathBuf,
    /// Answer in JSON
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Show every pinned tool, the changed ones first (what is done without an action)
    List,
    /// Show what a tool was accepted as and what it is now, member by member
    ///
    /// Characters that are not seen are written as \u{..}: instructions for models are hidden in them.
    Diff {
        /// The name of the tool
        tool: String,
    },
    /// Accept what a tool has become; it is shown to agents again
    Accept {
        /// The name of the tool
        #[arg(required_unless_present = "all", conflicts_with = "all")]
        tool: Option<String>,
        /// Only if it is the definition whose hash begins so: the one that `diff` showed
        #[arg(long, value_name = "HASH", requires = "tool", conflicts_with = "all")]
        hash: Option<String>,
        /// Accept every change there is
        #[arg(long)]
        all: bool,
    },
    /// Forget a tool: whatever it is seen as next is accepted
    Forget {
        /// The name of the tool
        tool: String,
    },
}

/// Carries out an action, by the gateway that runs or on its file.
pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let Arguments { action, site, config, json } = arguments;
    let server = gateway::load(config)?.server;
    let order = order(action.as_ref(), site.clone())?;
    let line = json!({ "command": "pins", "order": order });
    let mut pins = match control::order_if_running(&server.state, &line)? {
        Some(answer) => answer.pins,
        None => proxy::pins_at_rest(&server, &order).map_err(Failure::from_error)?,
    };
    pins.sort_by_key(|pin| match pin.state {
        PinState::Changed => 0,
        PinState::Accepted => 1,
    });
    let text = text(&order, &pins);
    Format::from_flag(*json).say(text.trim_end(), &json!({ "pins": pins }));
    Ok(())
}

fn order(action: Option<&Action>, site: Option<String>) -> Result<PinOrder, Failure> {
    Ok(match action {
        None | Some(Action::List) => PinOrder::List { site },
        Some(Action::Diff { tool }) => PinOrder::Diff { site, tool: tool.clone() },
        Some(Action::Accept { all: true, .. }) => PinOrder::AcceptAll { site },
        Some(Action::Accept { tool: Some(tool), hash, .. }) => {
            PinOrder::Accept { site, tool: tool.clone(), hash: hash.clone() }
        }
        Some(Action::Accept { tool: None, .. }) => return Err(Failure::usage("name a tool, or write --all")),
        Some(Action::Forget { tool }) => PinOrder::Forget { site, tool: tool.clone() },
    })
}

/// Names and texts are a stranger's: whatever is not seen in them is made visible.
fn text(order: &PinOrder, pins: &[PinRow]) -> String {
    let mut text = String::new();
    for pin in pins {
        let name = format!("{} {}", shown(&pin.endpoint), shown(&pin.tool));
        let line = match order {
            PinOrder::List { .. } => listed(&name, pin),
            PinOrder::Diff { .. } => compared(&name, pin),
            PinOrder::Accept { .. } | PinOrder::AcceptAll { .. } => format!("accepted: {name} ({})", short(&pin.hash)),
            PinOrder::Forget { .. } => format!("forgotten: {name}"),
        };
        line_of(&mut text, &line);
    }
    if pins.is_empty() {
        line_of(
            &mut text,
            match order {
                PinOrder::AcceptAll { .. } => "no tool has changed",
                PinOrder::List { .. } | PinOrder::Diff { .. } | PinOrder::Accept { .. } | PinOrder::Forget { .. } => {
                    "no tool is pinned: with `pins = \"observe\"` in [site.mcp] they are, once somebody asks for their list"
                }
            },
        );
    }
    text
}

fn listed(name: &str, pin: &PinRow) -> String {
    match (pin.state, &pin.changed_hash) {
        (PinState::Changed, Some(changed)) => format!("changed   {name}  {} -> {}", short(&pin.hash), short(changed)),
        (PinState::Changed | PinState::Accepted, _) => format!("accepted  {name}  {}", short(&pin.hash)),
    }
}

fn compared(name: &str, pin: &PinRow) -> String {
    let Some(changed) = &pin.changed_hash else { return format!("{name}: is what it was accepted as") };
    let mut text = format!("{name}: {} -> {}\n", short(&pin.hash), short(changed));
    let Some(differences) = &pin.differences else {
        text.push_str("  one of the two is too long to be kept: ask the server for its list of tools");
        return text;
    };
    for difference in differences {
        let at = difference.get("at").and_then(Value::as_str).unwrap_or_default();
        line_of(&mut text, &format!("  {}", shown(at)));
        for (sign, side) in [('-', "before"), ('+', "after")] {
            if let Some(value) = difference.get(side).filter(|value| !value.is_null()) {
                line_of(&mut text, &format!("    {sign} {}", shown(&value.to_string())));
            }
        }
    }
    text.truncate(text.trim_end().len());
    text
}

fn short(hash: &str) -> &str {
    hash.get(..HASH_SHOWN).unwrap_or(hash)
}

fn line_of(text: &mut String, line: &str) {
    // A string takes everything.
    writeln!(text, "{line}").unwrap_or_default();
}

#[cfg(test)]
mod tests {
    use passport::UnixTime;

    use super::*;

    fn pin(changed: bool) -> PinRow {
        PinRow {
            endpoint: "https://tools.example/mcp".to_owned(),
            tool: "re\u{1b}ad".to_owned(),
            state: if changed { PinState::Changed } else { PinState::Accepted },
            hash: "a".repeat(64),
            first_seen: UnixTime::from_secs(1),
            changed_hash: changed.then(|| "b".repeat(64)),
            changed_at: changed.then(|| UnixTime::from_secs(2)),
            differences: None,
        }
    }

    #[test]
    fn a_list_says_what_changed_and_moves_no_cursor() {
        let found = text(&PinOrder::List { site: None }, &[pin(true), pin(false)]);
        let expected = "changed   https://tools.example/mcp re\\u{1b}ad  aaaaaaaaaaaa -> bbbbbbbbbbbb\n\
                        accepted  https://tools.example/mcp re\\u{1b}ad  aaaaaaaaaaaa\n";
        assert_eq!(found, expected);
        assert!(text(&PinOrder::List { site: None }, &[]).starts_with("no tool is pinned"));
    }

    #[test]
    fn a_comparison_shows_each_member_before_and_after() {
        let order = PinOrder::Diff { site: None, tool: "read".to_owned() };
        let differences = vec![
            json!({ "at": "description", "before": "Reads.", "after": "Reads.\u{e0041} all" }),
            json!({ "at": "inputSchema.properties.key", "before": null, "after": { "type": "string" } }),
        ];
        let pin = |differences| PinRow { differences, ..pin(true) };
        let expected = "https://tools.example/mcp re\\u{1b}ad: aaaaaaaaaaaa -> bbbbbbbbbbbb\n  description\n    - \"Reads.\"\n    \
                        + \"Reads.\\u{e0041} all\"\n  inputSchema.properties.key\n    + {\"type\":\"string\"}\n";
        assert_eq!(text(&order, &[pin(Some(differences))]), expected);
        assert!(text(&order, &[pin(None)]).contains("too long"));
    }
}
