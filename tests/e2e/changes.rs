//! A gateway that is changed while it works: reloads, included files, modes.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::fs::symlink;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use lime_tests::http::{self, connect};
use lime_tests::{Answer, Gateway, Stub, forge, lime, until};

/// What the command said, and how it ended.
fn run(arguments: &[&str]) -> (String, Option<i32>) {
    let output = lime(arguments.iter().copied()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    (said, output.status.code())
}

fn file(gateway: &Gateway) -> String {
    gateway.file().to_str().unwrap().to_owned()
}

fn reload(gateway: &Gateway) -> (String, Option<i32>) {
    run(&["reload", "-c", &file(gateway)])
}

/// Ends the workers, also when an assertion fails.
struct Ends<'a>(&'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A websocket, as far as a proxy is concerned: whatever is sent comes back.
const UPGRADED: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nhello";
const UPGRADE: &str = "GET /socket HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                       Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
const STREAM: &[u8] =
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n9\r\ndata: 1\n\n\r\n";

#[test]
fn fifty_reloads_under_load_fail_no_request_and_cut_no_stream() {
    let origin = Stub::start(|request| match request.target.as_str() {
        "/socket" => Answer::Raw(UPGRADED.to_vec()),
        "/events" => Answer::Raw(STREAM.to_vec()),
        _ => Answer::Reply(200, Vec::new(), b"x".to_vec()),
    });
    let site = |path: &str| {
        format!("mode = \"enforce\"\nprotect = [\"{path}\"]\nissuer = \"https://id.example.net\"\ncontact = \"a\"\n")
    };
    let gateway = Gateway::start(|url, _| {
        format!("[[site]]\nurl = \"{url}\"\norigin = \"{}\"\n{}", origin.url, site("/agents/*"))
    });
    let good = fs::read_to_string(gateway.file()).unwrap();
    let mut socket = connect(gateway.address()).unwrap();
    socket.write_all(UPGRADE.as_bytes()).unwrap();
    let mut socket = BufReader::new(socket);
    let mut line = String::new();
    until("the tunnel stands", || {
        line.clear();
        socket.read_line(&mut line).unwrap();
        line == "\r\n"
    });
    let mut hello = [0; 5];
    socket.read_exact(&mut hello).unwrap();
    let mut stream = connect(gateway.address()).unwrap();
    stream.write_all(b"GET /events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n").unwrap();
    let mut stream = BufReader::new(stream);
    until("the first event came", || {
        line.clear();
        stream.read_line(&mut line).unwrap();
        line.starts_with("data:")
    });

    let (ends, served) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let _ends = Ends(&ends);
                while !ends.load(Ordering::Relaxed) {
                    let reply = gateway.get("/").send();
                    assert_eq!(reply.status, 200, "{}", reply.text());
                    let refused = gateway.get("/agents/x").send();
                    assert!([401, 503].contains(&refused.status), "{}", refused.status);
                    served.fetch_add(2, Ordering::Relaxed);
                }
            });
        }
        let ended = Ends(&ends);
        for round in 0..50 {
            fs::write(gateway.file(), good.replace("contact = \"a\"", &format!("contact = \"{round}\""))).unwrap();
            let before = gateway.counted("lime_gateway_config_reloads_total");
            gateway.process.signal("HUP");
            until("the reload is done", || gateway.counted("lime_gateway_config_reloads_total") > before);
            assert!(!ends.load(Ordering::Relaxed), "a request failed");
        }
        drop(ended);
    });
    assert!(served.load(Ordering::Relaxed) > 100, "{served:?}");
    assert!(gateway.get("/.lime/help").send().text().contains("49"), "the last configuration is served");
    // Both streams are where they were.
    for open in [&mut socket, &mut stream] {
        open.get_ref().set_read_timeout(Some(Duration::from_millis(200))).unwrap();
        let end = open.read(&mut [0; 64]);
        assert!(!matches!(end, Ok(0)), "a stream was cut");
    }
}

#[test]
fn a_reload_says_what_came_of_it() {
    let origin = Stub::saying("x");
    let gateway = Gateway::start(|url, _| format!("[[site]]\nurl = \"{url}\"\norigin = \"{}\"\n", origin.url));
    let good = fs::read_to_string(gateway.file()).unwrap();
    let (said, code) = reload(&gateway);
    assert!(said.contains("reloaded: 1 site\n") && said.contains("nobody is refused here yet"), "{said}");
    assert_eq!(code, Some(0));
    fs::write(gateway.file(), good.replace("origin =", "orgin =")).unwrap();
    let (said, code) = reload(&gateway);
    assert!(said.contains("did you mean `origin`?") && code == Some(3), "{said}");
    fs::write(gateway.file(), good.replace("[server]", "[server]\nconnections_max = 7")).unwrap();
    let (said, code) = reload(&gateway);
    assert!(said.contains("needs a restart: `connections_max`") && code == Some(1), "{said}");
    assert_eq!(gateway.get("/").send().status, 200);
    let elsewhere = fs::read_to_string(gateway.file()).unwrap().replace("state\"", "nowhere\"");
    fs::write(gateway.file(), elsewhere).unwrap();
    let (said, code) = reload(&gateway);
    assert!(said.contains("no gateway answers at") && said.contains("is it running") && code == Some(1), "{said}");
}

#[test]
fn a_folder_of_sites_is_watched() {
    let origin = Stub::saying("x");
    let site = |host: &str| format!("[[site]]\nurl = \"http://{host}\"\norigin = \"{}\"\n", origin.url);
    let gateway = Gateway::start(|_, folder| {
        for (name, host) in [("one", "a.test"), ("two", "b.test")] {
            fs::create_dir(folder.join(name)).unwrap();
            fs::write(folder.join(name).join("site.toml"), site(host)).unwrap();
        }
        symlink("one", folder.join("sites.d")).unwrap();
        "include = [\"sites.d/*.toml\"]\n".to_owned()
    });
    let status = |host: &str| http::get(&format!("{}/", gateway.url)).header("Host", host).send().status;
    assert_eq!((status("a.test"), status("b.test")), (200, 421));
    // The whole folder is swapped in one step, as Kubernetes does it.
    let folder = gateway.file().parent().unwrap().to_owned();
    symlink("two", folder.join("new")).unwrap();
    fs::rename(folder.join("new"), folder.join("sites.d")).unwrap();
    until("the new site is served", || status("b.test") == 200);
    assert_eq!(status("a.test"), 421);
    // A file that is broken keeps its own last good content.
    fs::write(folder.join("two/more.toml"), site("c.test")).unwrap();
    until("another site is served", || status("c.test") == 200);
    fs::write(folder.join("two/site.toml"), "[[site]]\nurl = 7\n").unwrap();
    until("the broken file is noticed", || gateway.counted("lime_gateway_config_included_files_kept") == 1);
    assert_eq!((status("b.test"), status("c.test")), (200, 200));
    assert!(gateway.process.said().contains("site.toml:2:7"), "{}", gateway.process.said());
}

#[test]
fn the_folders_that_a_reload_names_are_watched_from_then_on() {
    let origin = Stub::saying("x");
    let site = |host: &str| format!("[[site]]\nurl = \"http://{host}\"\norigin = \"{}\"\n", origin.url);
    let gateway = Gateway::start(|_, folder| {
        fs::create_dir(folder.join("later.d")).unwrap();
        site("a.test")
    });
    let main = fs::read_to_string(gateway.file()).unwrap();
    fs::write(gateway.file(), format!("include = [\"later.d/*.toml\"]\n{main}")).unwrap();
    assert_eq!(reload(&gateway).1, Some(0));
    fs::write(gateway.file().parent().unwrap().join("later.d/b.toml"), site("b.test")).unwrap();
    let status = || http::get(&format!("{}/", gateway.url)).header("Host", "b.test").send().status;
    until("the new site is served", || status() == 200);
}

#[test]
fn an_operator_stops_refusing_at_once_and_takes_it_back() {
    let origin = Stub::saying("x");
    let gateway = Gateway::start(|url, _| {
        format!(
            "[[site]]\nurl = \"{url}\"\norigin = \"{}\"\nmode = \"enforce\"\nprotect = [\"/agents/*\"]\n\
             issuer = \"https://id.example.net\"\n",
            origin.url
        )
    });
    let refused = || gateway.get("/agents/x").send().status >= 400;
    let mode = |arguments: &[&str]| {
        let file = file(&gateway);
        let (said, code) = run(&[&["mode"], arguments, &["-c", &file]].concat());
        assert_eq!(code, Some(0), "{said}");
        said
    };
    assert!(refused());
    assert!(mode(&["observe"]).contains("all sites: observe until it is taken back"));
    assert!(!refused());
    assert_eq!(gateway.counted("lime_gateway_mode"), 1);
    assert_eq!(reload(&gateway).1, Some(0));
    assert!(!refused(), "a reload leaves it so");
    let site = gateway.url.clone();
    mode(&["enforce", "--site", &site]);
    assert!(refused());
    mode(&["configured"]);
    assert!(refused());
    mode(&["observe", "--for", "1s"]);
    assert!(!refused());
    until("the second is over", refused);
    assert!(gateway.process.said().contains("the mode was changed by an operator"), "{}", gateway.process.said());
    let (said, code) = run(&["mode", "observe", "--site", "https://bank.test", "-c", &file(&gateway)]);
    assert!(said.contains("no site has the url https://bank.test") && code == Some(1), "{said}");
}

#[test]
fn a_site_that_a_reload_adds_is_protected_from_its_first_request() {
    let origin = Stub::saying("x");
    let site = |url: &str| {
        format!(
            "[[site]]\nurl = \"{url}\"\norigin = \"{}\"\nmode = \"enforce\"\nprotect = [\"/agents/*\"]\n\
             issuer = \"https://id.example.net\"\n",
            origin.url
        )
    };
    let gateway = Gateway::start(|url, _| site(url));
    let few = fs::read_to_string(gateway.file()).unwrap();
    // Many, so that it takes a while, and the one that is asked for last.
    let many: String = (0..2000).map(|number| site(&format!("https://{number}.lime.test"))).collect();
    fs::write(gateway.file(), few + &many).unwrap();
    let ends = AtomicBool::new(false);
    thread::scope(|scope| {
        let asking = scope.spawn(|| {
            let mut seen = std::collections::BTreeSet::new();
            while !ends.load(Ordering::Relaxed) {
                seen.insert(gateway.get("/agents/x").header("Host", "1999.lime.test").send().status);
            }
            seen
        });
        let ended = Ends(&ends);
        assert_eq!(reload(&gateway).1, Some(0));
        until("the new site is there", || gateway.get("/").header("Host", "1999.lime.test").send().status == 200);
        drop(ended);
        let seen = asking.join().unwrap();
        assert!(!seen.contains(&200), "{seen:?}");
    });
}

#[test]
fn keys_in_a_file_are_read_again_on_reload() {
    let (before, after) = (forge::key(), forge::key());
    let origin = Stub::saying("x");
    let issuer = "https://id.example.net";
    let gateway = Gateway::start(|url, folder| {
        fs::write(folder.join("jwks.json"), forge::jwks(&[&before])).unwrap();
        format!(
            "[issuer.island]\nurl = \"{issuer}\"\njwks = {{ file = \"jwks.json\" }}\n[[site]]\nurl = \"{url}\"\n\
             origin = \"{}\"\nmode = \"enforce\"\nprotect = [\"/agents/*\"]\nissuer = \"island\"\n",
            origin.url
        )
    });
    let token = before.sign(&forge::claims(issuer, "127.0.0.1")).unwrap();
    let status = || gateway.get("/agents/x").bearer(&token).send().status;
    until("its keys are known", || status() == 200);
    // A comment moves every line, and changes nothing else.
    let text = fs::read_to_string(gateway.file()).unwrap();
    fs::write(gateway.file(), format!("# a comment\n{text}")).unwrap();
    assert_eq!(reload(&gateway).1, Some(0));
    assert_eq!(status(), 200);
    fs::write(gateway.file().parent().unwrap().join("jwks.json"), forge::jwks(&[&after])).unwrap();
    assert_eq!(reload(&gateway).1, Some(0));
    until("a key that was taken out counts no longer", || status() == 401);
}

#[test]
fn what_is_removed_is_shown_no_longer() {
    let origin = Stub::saying("x");
    let gateway = Gateway::start(|url, _| {
        let origins = format!("origin = [\"{0}\", \"http://localhost:1\"]", origin.url);
        format!("[[site]]\nurl = \"{url}\"\n{origins}\nprotect = [\"/a\"]\nissuer = \"https://gone.example.net\"\n")
    });
    let shown = |text: &str| http::get(&format!("{}/metrics", gateway.ops)).send().text().contains(text);
    assert!(shown("issuer_contact{issuer=\"https://gone.example.net\"}") && shown("target=\"http://localhost:1\""));
    let text = fs::read_to_string(gateway.file()).unwrap();
    let fewer = text.replace(", \"http://localhost:1\"", "").replace("protect = [\"/a\"]\n", "");
    fs::write(gateway.file(), fewer.replace("issuer = \"https://gone.example.net\"\n", "")).unwrap();
    assert_eq!(reload(&gateway).1, Some(0));
    assert!(!shown("issuer_contact{issuer=\"https://gone.example.net\"}") && !shown("target=\"http://localhost:1\""));
}
