//! A gateway that is changed while it works: reloads, included files, modes.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::fs::symlink;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use lime_tests::http::{self, connect};
use lime_tests::{Answer, Gateway, Stub, lime, until};

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
