//! The published SDKs, driven by pytest in the environment that `tests/run setup` makes.

use std::process::Command;

use crate::lime::{report, root, show, target};

/// The Python that has the SDKs.
#[must_use]
pub fn python() -> Command {
    of("venv")
}

/// The Python that has the MCP clients of today.
#[must_use]
pub fn mcp_client(script: &str) -> Command {
    let mut command = of("venv-mcp");
    command.arg(root().join("tests/python/mcp_clients").join(script));
    command
}

fn of(environment: &str) -> Command {
    let program = target().join(environment).join("bin/python");
    assert!(program.exists(), "no {}: run tests/run setup", program.display());
    let mut command = Command::new(program);
    command.env("PYTHONDONTWRITEBYTECODE", "1").current_dir(root().join("tests/python"));
    // Nothing of a proxy between us and 127.0.0.1.
    for name in ["http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"] {
        command.env_remove(name);
    }
    command
}

/// Runs one file of `tests/python` with what it needs to know in its environment, and fails if any of its tests does.
#[track_caller]
pub fn pytest(file: &str, environment: &[(&str, &str)]) {
    let mut command = python();
    command.args(["-m", "pytest", "-q", "--color=no", "-p", "no:cacheprovider", file]);
    command.envs(environment.iter().copied());
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let summary = said.lines().rfind(|line| line.contains(" in ")).unwrap_or("no summary").trim_matches(['=', ' ']);
    report(&format!("pytest {file}: {summary}"));
    if !output.status.success() {
        show(&format!("{said}{}", String::from_utf8_lossy(&output.stderr)));
        panic!("pytest {file}: {summary}");
    }
}
