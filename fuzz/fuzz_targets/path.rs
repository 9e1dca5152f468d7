//! A path under a protected prefix is never open, however it goes on.
#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;

const FILE: &str = r#"
[[site]]
url = "https://shop.example.com"
origin = "http://127.0.0.1:3000"
mode = "enforce"
protect = ["/agents/*"]
issuer = "https://id.example.net"
"#;

fuzz_target!(|path: &[u8]| {
    let Ok(gateway) = config::Gateway::parse(FILE, Path::new("lime.toml"), &|_| None) else { return };
    let Some(site) = gateway.sites.first() else { return };
    if path.starts_with(b"/agents/") {
        let judged = filters::judge_path(site, &http::Method::GET, path);
        assert!(judged.is_err() || judged.is_ok_and(|asks| asks.as_str() != "open"));
    } else {
        drop(filters::judge_path(site, &http::Method::GET, path));
    }
});
