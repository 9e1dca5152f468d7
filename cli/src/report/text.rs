//! A report for a terminal, and in Markdown. What came from a log is shown, never obeyed.

use std::fmt::Write as _;

use super::summary::Summary;
use super::table::{Side, Table, size, tables};

/// Widest cell of a terminal's table: the longest path leaves room for the numbers behind it.
const CELL_MAX: usize = 44;

/// For a terminal.
pub(super) fn terminal(summary: &Summary) -> String {
    let mut text = format!("{}\n", heading(summary));
    for warning in &summary.warnings {
        text += &format!("warning: {warning}\n");
    }
    for table in tables(summary) {
        text += &format!("\n{}\n  {}\n", table.title, table.note);
        let shown = |cell: &str| shortened(&visible(cell));
        let widths: Vec<usize> = (0..table.columns.len()).map(|column| width(&table, column, &shown)).collect();
        let names: Vec<String> = table.columns.iter().map(|column| column.name.to_owned()).collect();
        for row in std::iter::once(&names).chain(&table.rows) {
            let mut line = String::from(" ");
            for ((cell, column), width) in row.iter().zip(&table.columns).zip(&widths) {
                let cell = shown(cell);
                match column.side {
                    Side::Left => write!(line, " {cell:width$}").unwrap_or_default(),
                    Side::Right => write!(line, " {cell:>width$}").unwrap_or_default(),
                }
            }
            text += line.trim_end();
            text.push('\n');
        }
        if let Some(paste) = &table.paste {
            text += &paste.lines().map(|line| format!("    {line}\n")).collect::<String>();
        }
    }
    text
}

/// In Markdown.
pub(super) fn markdown(summary: &Summary) -> String {
    let mut text = format!("# Who came\n\n{}.\n", heading(summary));
    for warning in &summary.warnings {
        text += &format!("\n> **Warning:** {warning}\n");
    }
    for table in tables(summary) {
        text += &format!("\n## {}\n\n{}\n\n", table.title, table.note);
        let names: Vec<&str> = table.columns.iter().map(|column| column.name).collect();
        let rule: Vec<&str> =
            table.columns.iter().map(|column| if column.side == Side::Left { "---" } else { "---:" }).collect();
        text += &format!("| {} |\n| {} |\n", names.join(" | "), rule.join(" | "));
        for row in &table.rows {
            let cells: Vec<String> = row.iter().map(|cell| for_markdown(cell)).collect();
            text += &format!("| {} |\n", cells.join(" | "));
        }
        if let Some(paste) = &table.paste {
            text += &format!("\n```toml\n{paste}```\n");
        }
    }
    text
}

/// How much was read, of when.
pub(super) fn heading(summary: &Summary) -> String {
    let when = match (&summary.from, &summary.to) {
        (Some(from), Some(to)) => format!(", {from} to {to}"),
        _ => String::new(),
    };
    format!("{} requests, {}{when}", summary.requests, size(summary.bytes))
}

fn width(table: &Table, column: usize, shown: &impl Fn(&str) -> String) -> usize {
    let name = table.columns.get(column).map_or("", |column| column.name);
    let cells = table.rows.iter().filter_map(|row| row.get(column)).map(|cell| shown(cell).chars().count());
    cells.chain([name.len()]).max().unwrap_or_default()
}

/// Control characters made visible: a path may carry some, and a terminal would carry them out. So are those that turn the
/// direction of text.
pub(super) fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        let turns = matches!(character, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        if character.is_control() || turns {
            shown.extend(character.escape_unicode());
        } else {
            shown.push(character);
        }
    }
    shown
}

fn shortened(text: &str) -> String {
    if text.chars().count() <= CELL_MAX {
        return text.to_owned();
    }
    text.chars().take(CELL_MAX - 1).chain(['…']).collect()
}

fn for_markdown(text: &str) -> String {
    let mut cell = String::new();
    for character in visible(text).chars() {
        if matches!(character, '\\' | '|' | '`' | '*' | '_' | '<' | '>' | '[' | ']' | '!' | '&' | '#' | '~') {
            cell.push('\\');
        }
        cell.push(character);
    }
    cell
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_from_a_log_is_shown_and_not_obeyed() {
        assert_eq!(visible("/a\u{1b}[31m\n\u{202e}x"), "/a\\u{1b}[31m\\u{a}\\u{202e}x");
        assert_eq!(for_markdown("a|b<script>[x](y)"), "a\\|b\\<script\\>\\[x\\](y)");
        assert_eq!(shortened(&"x".repeat(60)).chars().count(), CELL_MAX);
    }
}
