//! What `docs/` says to write and to type is tried: files by `lime validate`, commands by the command itself, questions to
//! the operations listener by a gateway, the nginx configuration by nginx.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead as _, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use lime_tests::http::{self, read_chunk};
use lime_tests::{Answer, Gateway, Nginx, Output, Stub, free_port, lime, until};
use tempfile::TempDir;

const DOCS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs");

/// A fenced block: the page it is in, its language, its lines.
struct Block {
    page: String,
    language: String,
    text: String,
}

fn pages() -> Vec<PathBuf> {
    let mut pages: Vec<PathBuf> = fs::read_dir(DOCS).unwrap().map(|entry| entry.unwrap().path()).collect();
    pages.sort();
    assert!(pages.len() >= 6, "{pages:?}");
    pages
}

fn blocks_of(path: &Path) -> Vec<Block> {
    let text = fs::read_to_string(path).unwrap();
    let page = path.file_name().unwrap().to_str().unwrap();
    let fenced = text.split("\n```").enumerate().filter(|(number, _)| number % 2 == 1);
    let blocks = fenced.map(|(_, block)| {
        let (language, text) = block.split_once('\n').unwrap();
        assert!(!language.is_empty(), "a block of no language in {page}: {text}");
        Block { page: page.to_owned(), language: language.to_owned(), text: text.to_owned() }
    });
    blocks.collect()
}

fn blocks(language: &str) -> Vec<Block> {
    pages().iter().flat_map(|page| blocks_of(page)).filter(|block| block.language == language).collect()
}

#[test]
fn every_configuration_in_the_documents_is_valid() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("lime.toml");
    let blocks = blocks("toml");
    assert!(blocks.len() >= 6);
    for Block { page, text, .. } in blocks {
        fs::write(&file, &text).unwrap();
        let mut command = lime(["validate", "-c", file.to_str().unwrap()]);
        if text.starts_with("# issuer.toml") {
            command.arg("--issuer");
        } else if text.starts_with("# oauth2-proxy.cfg") {
            text.parse::<toml::Table>().unwrap();
            continue;
        } else {
            assert!(text.starts_with("# lime.toml"), "{page}: a block that does not say which file it is:\n{text}");
        }
        let output = Output::of(command);
        assert_eq!(output.code, 0, "{page}: {}\n{text}", output.stderr);
    }
}

/// What follows each `$ ` in the documents, without its comment.
fn commands() -> Vec<(String, String)> {
    let of_block = |block: Block| {
        let typed = |line: &str| line.strip_prefix("$ ").map(|line| line.split(" #").next().unwrap().trim().to_owned());
        let page = block.page.clone();
        block.text.lines().filter_map(typed).map(|line| (page.clone(), line)).collect::<Vec<_>>()
    };
    blocks("console").into_iter().flat_map(of_block).collect()
}

/// The words of a command before its first flag or argument that is no command, and the flags.
#[track_caller]
fn understood(page: &str, line: &str) {
    let words: Vec<&str> = line.split_whitespace().skip(1).collect();
    let mut path: Vec<&str> = Vec::new();
    let help = |path: &[&str]| Output::of(lime(path.iter().chain(&["--help"])));
    for word in &words {
        let listed = help(&path).stdout.lines().any(|line| line.trim_start().split(' ').next() == Some(word));
        if word.starts_with('-') || !listed || help(&path).stdout.contains("Arguments:") {
            break;
        }
        path.push(word);
    }
    let told = help(&path);
    assert_eq!(told.code, 0, "{page}: {line}");
    assert!(!path.is_empty(), "{page}: {line} is no command");
    for flag in words.iter().filter(|word| word.starts_with('-')) {
        let known = told.stdout.split([' ', ',', '\n']).any(|word| word == *flag);
        assert!(known, "{page}: {line}: {flag} is not in\n{}", told.stdout);
    }
}

#[test]
fn every_command_in_the_documents_is_one() {
    let origin = Stub::saying("x");
    let nobody = format!("http://127.0.0.1:{}", free_port());
    let gateway = Gateway::start(|url, _| {
        let origin = &origin.url;
        format!(
            "[[site]]\nurl = \"{url}\"\norigin = {{ targets = \"{origin}\", health = {{ path = \"/\" }} }}\nprotect = [\"/agents/*\"]\n\
             issuer = \"{nobody}\"\n"
        )
    });
    assert_eq!(gateway.get("/agents/x").send().status, 200);
    let commands = commands();
    assert!(commands.len() > 15, "{commands:?}");
    let mut programs = BTreeSet::new();
    for (page, line) in commands {
        let program = line.split(' ').next().unwrap();
        match program {
            "lime" => understood(&page, &line),
            "curl" => {
                // A metric of a certificate is there once there is one.
                let line = line.replace("http://127.0.0.1:9180", &gateway.ops).replace("_tls_cert", "");
                let output = Output::of({
                    let mut shell = Command::new("bash");
                    shell.args(["-o", "pipefail", "-c", &line]);
                    shell
                });
                assert_eq!(output.code, 0, "{page}: {line}: {}", output.stderr);
                assert!(!output.stdout.is_empty(), "{page}: {line} finds nothing");
            }
            // Of the system, which a test has not got: nothing but their names is checked.
            "systemctl" | "journalctl" => {}
            _ => panic!("{page}: nothing tries {line}"),
        }
        programs.insert(program.to_owned());
    }
    assert!(programs.contains("lime") && programs.contains("curl"));
}

/// nginx as docs/behind-nginx.md says, in front of `gateway`.
fn nginx_in_front(gateway: &Gateway) -> Nginx {
    let mut found = blocks("nginx");
    assert_eq!(found.len(), 1);
    let text = found.remove(0).text;
    for replaced in ["listen 127.0.0.1:8000;", "proxy_pass http://127.0.0.1:8080;"] {
        assert!(text.contains(replaced), "{replaced}");
    }
    Nginx::serving(|_, port| {
        let text = text.replace("127.0.0.1:8000", &format!("127.0.0.1:{port}"));
        text.replace("http://127.0.0.1:8080", &gateway.url)
    })
}

#[test]
fn nginx_in_front_hides_no_client_and_holds_nothing_back() {
    let origin = Stub::start(|asked| {
        match asked.target.as_str() {
        "/events" => Answer::Raw(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n8\r\ndata: 1\n\r\n".into(),
        ),
        "/socket" => Answer::Raw(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nhello\n".into(),
        ),
        _ => Answer::text(200, "x"),
    }
    });
    let gateway = Gateway::start(|_, _| {
        let site = format!("[[site]]\nurl = \"https://shop.example.com\"\norigin = \"{}\"\n", origin.url);
        format!("[server]\ntrusted_proxies = [\"127.0.0.1\"]\n{site}")
    });
    let nginx = nginx_in_front(&gateway);
    let ask = |path: &str| http::get(&format!("{}{path}", nginx.url)).header("Host", "shop.example.com");

    // Who asks: by what nginx says, whatever the client says of itself.
    assert_eq!(ask("/a?b=%20c").header("X-Forwarded-For", "192.0.2.1").send().status, 200);
    let seen = origin.last();
    assert_eq!(seen.target, "/a?b=%20c");
    assert_eq!(seen.header("host"), Some("shop.example.com"));
    assert_eq!(seen.header("x-forwarded-for"), Some("127.0.0.1, 127.0.0.1"));
    let id = seen.header("x-request-id").unwrap();
    assert_eq!(id.len(), 32, "the id nginx gave it: {id}");
    assert_eq!(gateway.access_line(id)["client_ip"], "127.0.0.1");
    assert_eq!(ask("/.lime/help").send().status, 200, "the gateway's own pages are reached");

    // An event arrives while the stream is open.
    let (reply, mut stream) = ask("/events").open();
    assert_eq!(reply.status, 200);
    assert_eq!(read_chunk(&mut stream).unwrap().unwrap(), b"data: 1\n");

    // A websocket is one.
    let mut socket = http::connect(nginx.url.strip_prefix("http://").unwrap().parse().unwrap()).unwrap();
    let upgrade = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: x\r\n";
    write!(socket, "GET /socket HTTP/1.1\r\nHost: shop.example.com\r\n{upgrade}\r\n").unwrap();
    let mut reader = std::io::BufReader::new(socket);
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    assert!(line.starts_with("HTTP/1.1 101"), "{line}");
    while line != "\r\n" {
        line.clear();
        reader.read_line(&mut line).unwrap();
    }
    let mut hello = [0; 6];
    reader.read_exact(&mut hello).unwrap();
    assert_eq!(&hello, b"hello\n");
}

#[test]
fn a_gateway_without_a_route_to_anywhere_serves_what_it_can() {
    // A namespace belongs to the thread that enters it, and to what that thread starts.
    std::thread::spawn(alone).join().unwrap();
}

/// In a network of its own, whose only device is loopback.
fn alone() {
    nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET).expect("a network of its own: run this as root");
    let up = Command::new("ip").args(["link", "set", "lo", "up"]).env("PATH", "/usr/sbin:/sbin:/usr/bin:/bin").output();
    assert!(up.unwrap().status.success());
    let devices = fs::read_to_string("/proc/thread-self/net/route").unwrap();
    assert_eq!(devices.lines().count(), 1, "a route to somewhere: {devices}");

    let key = lime_tests::forge::key();
    let known = "https://id.example.net";
    let origin = Stub::saying("x");
    let gateway = Gateway::start(|url, folder| {
        fs::write(folder.join("jwks.json"), lime_tests::forge::jwks(&[&key])).unwrap();
        let site = |url: &str, issuer: &str| {
            let origin = &origin.url;
            format!(
                "[[site]]\nurl = \"{url}\"\norigin = \"{origin}\"\nmode = \"enforce\"\nprotect = [\"/agents/*\"]\n\
                 issuer = \"{issuer}\"\n"
            )
        };
        format!(
            "[issuer.island]\nurl = \"{known}\"\njwks = {{ file = \"jwks.json\" }}\n{}{}",
            site(url, "island"),
            site("https://far.lime.test", "https://far.example.net")
        )
    });
    let token = |host: &str, issuer: &str| key.sign(&lime_tests::forge::claims(issuer, host)).unwrap();
    let there = |path: &str| gateway.get(path).header("Host", "far.lime.test");

    assert_eq!(gateway.get("/").send().status, 200, "an open path");
    assert_eq!(there("/").send().status, 200, "an open path");
    let known_key = gateway.get("/agents/x").bearer(&token("127.0.0.1", known)).send();
    assert_eq!(known_key.status, 200, "a known key: {}", known_key.text());
    assert_eq!(gateway.get("/agents/x").send().reason(), "passport_required");
    for stranger in [there("/agents/x"), there("/agents/x").bearer(&token("far.lime.test", "https://far.example.net"))]
    {
        let reply = stranger.send();
        assert_eq!((reply.status, reply.reason().as_str()), (503, "issuer_unavailable"), "{}", reply.text());
        assert!(reply.header("retry-after").is_some());
    }
    until("it says so", || gateway.health()["status"] == "degraded");
}
