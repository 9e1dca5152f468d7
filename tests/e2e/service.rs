//! Run as a service: what a service manager is told, what a health check asks, which build it is.

use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::process::Command;
use std::time::{Duration, Instant};

use lime_tests::{Answer, Gateway, Issuer, Output, Process, Stub, free_port, lime};
use serde_json::Value;
use tempfile::TempDir;

/// A service manager's end of the socket.
struct Manager(UnixDatagram);

impl Manager {
    fn new(socket: io::Result<UnixDatagram>) -> Self {
        let socket = socket.unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        Self(socket)
    }

    #[track_caller]
    fn next(&self) -> String {
        let mut message = [0; 256];
        let length = self.0.recv(&mut message).unwrap();
        String::from_utf8(message[..length].to_vec()).unwrap()
    }

    #[track_caller]
    fn is_told(&self, expected: &str) {
        assert_eq!(self.next(), expected);
    }
}

fn gateway_file(folder: &TempDir, ops: &str) -> String {
    let file = folder.path().join("lime.toml");
    let state = folder.path().join("state");
    let text = format!(
        "listen = \"127.0.0.1:0\"\n[server]\nops_listen = \"{ops}\"\nstate = {state:?}\n\
         [[site]]\nurl = \"https://shop.lime.test\"\norigin = \"http://127.0.0.1:3000\"\n"
    );
    std::fs::write(&file, text).unwrap();
    file.to_str().unwrap().to_owned()
}

/// From start to stop, with `socket` as the way to tell and `manager` at its other end.
#[track_caller]
fn told_from_start_to_stop(mut command: Command, socket: &str, manager: &Manager) {
    command.env("NOTIFY_SOCKET", socket);
    let mut process = Process::start("service", command);
    manager.is_told("READY=1");
    assert!(process.ready().is_some(), "{}", process.said());
    process.terminate();
    manager.is_told("STOPPING=1");
    assert!(process.ended().success(), "{}", process.said());
}

#[test]
fn a_service_manager_is_told_of_start_and_stop() {
    let folder = TempDir::new().unwrap();
    let file = gateway_file(&folder, "127.0.0.1:0");
    let gateway = || lime(["gateway", "run", "--json", "-c", &file]);

    let path = folder.path().join("notify");
    let manager = Manager::new(UnixDatagram::bind(&path));
    told_from_start_to_stop(gateway(), path.to_str().unwrap(), &manager);

    let name = format!("lime-test-{}-{}", std::process::id(), free_port());
    let address = SocketAddr::from_abstract_name(&name).unwrap();
    let manager = Manager::new(UnixDatagram::bind_addr(&address));
    told_from_start_to_stop(gateway(), &format!("@{name}"), &manager);

    let issuer = Issuer::start();
    let path = folder.path().join("notify-issuer");
    let manager = Manager::new(UnixDatagram::bind(&path));
    let file = issuer.file().with_file_name("service.toml");
    let store = "store = \"sqlite:service.db\"\nsecret = { file = \"service.secret\" }\n";
    std::fs::write(&file, format!("listen = \"127.0.0.1:0\"\n{store}")).unwrap();
    let command = lime(["issuer", "run", "--json", "-c", file.to_str().unwrap()]);
    told_from_start_to_stop(command, path.to_str().unwrap(), &manager);
}

#[test]
fn a_service_manager_is_told_of_a_reload_and_of_its_end() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("notify");
    let manager = Manager::new(UnixDatagram::bind(&path));
    let file = gateway_file(&folder, "127.0.0.1:0");
    let mut command = lime(["gateway", "run", "--json", "-c", &file]);
    command.env("NOTIFY_SOCKET", &path);
    let process = Process::start("gateway", command);
    manager.is_told("READY=1");
    for broken in [false, true] {
        if broken {
            std::fs::write(&file, "listen = [\n").unwrap();
        }
        process.signal("HUP");
        let message = manager.next();
        let (news, began) = message.split_once("\nMONOTONIC_USEC=").unwrap();
        assert_eq!(news, "RELOADING=1");
        assert!(began.parse::<u64>().unwrap() > 0, "{message}");
        // Whatever came of it: the gateway serves, with the new configuration or the old one.
        manager.is_told("READY=1");
    }
}

#[test]
fn a_service_manager_that_cannot_be_told_stops_nobody_from_serving() {
    for socket in ["/nothing/listens/here", "neither path nor name", ""] {
        let folder = TempDir::new().unwrap();
        let mut command = lime(["gateway", "run", "--json", "-c", &gateway_file(&folder, "127.0.0.1:0")]);
        command.env("NOTIFY_SOCKET", socket);
        let mut process = Process::start("gateway", command);
        assert!(process.ready().is_some(), "{}", process.said());
        process.terminate();
        assert!(process.ended().success(), "{}", process.said());
        assert_eq!(process.said().contains("was not told Ready"), !socket.is_empty(), "{}", process.said());
    }
}

#[track_caller]
fn checked(arguments: &[&str], code: i32, words: &str) {
    let output = Output::of(lime(["healthcheck"].iter().chain(arguments)));
    assert_eq!(output.code, code, "{arguments:?}: {}{}", output.stdout, output.stderr);
    let said = if code == 0 { &output.stdout } else { &output.stderr };
    assert!(said.contains(words), "{words} is not in {said}");
}

#[test]
fn a_health_check_is_an_exit_code() {
    let gateway = Gateway::start(|url, _| format!("[[site]]\nurl = \"{url}\"\norigin = \"http://127.0.0.1:3000\"\n"));
    checked(&["--url", &gateway.ops], 0, "answers 200: ok");
    checked(&["--url", &format!("{}/livez", gateway.ops)], 0, "answers 200: ok");
    checked(&["--url", &format!("{}/nothing", gateway.ops)], 1, "answers 404");
    let nobody = format!("http://127.0.0.1:{}", free_port());
    checked(&["--url", &nobody], 1, "is the gateway running?");
    checked(&["--url", "not a url"], 2, "--url");

    let hanging = Stub::start(|_| Answer::Hang);
    let started = Instant::now();
    checked(&["--url", &hanging.url, "--timeout", "1"], 1, "not in time");
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
    let elsewhere = Stub::start(|_| Answer::redirect("http://127.0.0.1:1/"));
    checked(&["--url", &elsewhere.url], 1, "answers 302");
}

#[test]
fn a_health_check_finds_the_gateway_by_its_file() {
    let folder = TempDir::new().unwrap();
    let file = gateway_file(&folder, &format!("127.0.0.1:{}", free_port()));
    checked(&["-c", &file], 1, "is the gateway running?");
    let process = Process::start("gateway", lime(["gateway", "run", "--json", "-c", &file]));
    assert!(process.ready().is_some(), "{}", process.said());
    lime_tests::until("it serves", || Output::of(lime(["healthcheck", "-c", &file])).code == 0);
    checked(&["-c", &file], 0, "/readyz answers 200: ok");
    checked(&["-c", "/nothing/lime.toml"], 3, "/nothing/lime.toml");
    checked(&["-c", &file, "--url", "http://127.0.0.1:1"], 2, "cannot be used with");
    checked(&["-c", &gateway_file(&folder, "127.0.0.1:0")], 2, "pass --url");
}

#[test]
fn a_build_says_which_it_is_and_completes_itself() {
    let said = Output::of(lime(["version", "--json"])).json_lines().remove(0);
    assert_eq!(said["version"], env!("CARGO_PKG_VERSION"), "{said}");
    assert!(said["target"].as_str().unwrap().ends_with("-linux"), "{said}");
    assert!(matches!(said["commit"], Value::Null | Value::String(_)), "{said}");
    let text = Output::of(lime(["version"])).stdout;
    assert!(text.starts_with(&format!("lime {} (", env!("CARGO_PKG_VERSION"))), "{text}");
    for shell in ["bash", "zsh", "fish"] {
        let output = Output::of(lime(["completions", shell]));
        assert_eq!(output.code, 0, "{}", output.stderr);
        for word in ["gateway", "healthcheck", "validate"] {
            assert!(output.stdout.contains(word), "{shell} does not complete {word}");
        }
    }
    assert_eq!(Output::of(lime(["completions", "abacus"])).code, 2);
}
