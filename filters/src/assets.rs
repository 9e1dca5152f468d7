//! What the challenge page loads: below `/.lime/challenge/`, the same for all sites.

use std::sync::LazyLock;

use aws_lc_rs::digest;
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderValue, StatusCode};

use crate::Reply;

/// Where they are.
pub(crate) const FOLDER: &str = "/.lime/challenge/";

/// A file, under its name.
struct Asset {
    name: &'static str,
    content_type: &'static str,
    body: &'static [u8],
}

const JAVASCRIPT: &str = "text/javascript; charset=utf-8";

const ASSETS: [Asset; 6] = [
    Asset { name: "page.js", content_type: JAVASCRIPT, body: include_bytes!("../challenge/page.js") },
    Asset { name: "solve.js", content_type: JAVASCRIPT, body: include_bytes!("../challenge/solve.js") },
    Asset { name: "worker.js", content_type: JAVASCRIPT, body: include_bytes!("../challenge/worker.js") },
    Asset { name: "solver.js", content_type: JAVASCRIPT, body: pow::browser::SOLVER_JS.as_bytes() },
    Asset { name: "solver.wasm", content_type: "application/wasm", body: pow::browser::SOLVER_WASM },
    Asset { name: "solver-simd.wasm", content_type: "application/wasm", body: pow::browser::SOLVER_SIMD_WASM },
];

/// A worker has a policy of its own (CSP3 §6.1): it compiles what it is given, and loads from nowhere else.
const WORKER_CSP: &str = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'";

/// Another one whenever any of them changes: under a URL with it they are kept for ever.
static VERSION: LazyLock<String> = LazyLock::new(|| {
    let mut context = digest::Context::new(&digest::SHA256);
    ASSETS.iter().for_each(|asset| context.update(asset.body));
    context.finish().as_ref().iter().take(6).map(|byte| format!("{byte:02x}")).collect()
});

/// Where a file is, as it is now.
pub(crate) fn url(name: &str) -> String {
    format!("{FOLDER}{}/{name}", *VERSION)
}

/// `GET /.lime/challenge/VERSION/NAME`. Another version is that of a node which is being replaced: it is answered with what
/// there is, and nobody keeps that. `None` when there is none of this name.
#[must_use]
pub fn asset(path: &str) -> Option<Reply> {
    let (version, name) = path.strip_prefix(FOLDER)?.split_once('/')?;
    let caching = if version == *VERSION { "public, max-age=31536000, immutable" } else { "no-store" };
    let asset = ASSETS.iter().find(|asset| asset.name == name)?;
    let headers = vec![
        (CONTENT_TYPE, HeaderValue::from_static(asset.content_type)),
        (CACHE_CONTROL, HeaderValue::from_static(caching)),
        (CONTENT_SECURITY_POLICY, HeaderValue::from_static(WORKER_CSP)),
        (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    ];
    Some(Reply { status: StatusCode::OK, headers, body: asset.body.into() })
}
