//! Group L: who wants to wear the gateway out is sent away, or kept waiting at no cost; everybody else is served
//! meanwhile.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use lime_tests::http::{connect, get};
use lime_tests::{Certificate, End, Frames, Gateway, Http2, frame, header_block, holds_for, until};
use tempfile::TempDir;

use super::{Shop, check};

/// What a gateway may have in memory more than before. A debug build and its allocator keep some of what they had.
const GROWTH_MAX: u64 = 48 << 20;

/// An answer to somebody else while this goes on. A debug build on two busy cores takes its time.
const ELSEWHERE_MAX: Duration = Duration::from_secs(5);

/// A connection that is to be ended is, soon.
const LAST_WORDS_MAX: Duration = Duration::from_secs(10);

/// A shop that speaks HTTP/2.
struct Sieged {
    shop: Shop,
    certificate: Certificate,
    port: u16,
    _folder: TempDir,
}

impl Sieged {
    fn new() -> Self {
        let (folder, port) = (TempDir::new().unwrap(), lime_tests::free_port());
        let certificate = Certificate::make(folder.path(), &["localhost"]);
        let shop = Shop::with(&format!("[server]\n{}", certificate.settings(port)));
        Self { shop, certificate, port, _folder: folder }
    }

    fn frames(&self) -> Frames {
        Frames::to(([127, 0, 0, 1], self.port).into(), "localhost", &self.certificate)
    }

    /// Does what a hostile client does, several times over, while another client is served; then the gateway is as small
    /// as it was, and serves on.
    #[track_caller]
    fn endures(&self, rounds: usize, attack: impl Fn(&mut Frames)) {
        assert!(is_answered(&mut self.frames()), "frames that keep to the rules are answered");
        attack(&mut self.frames());
        beside(&self.shop.gateway, || (0..rounds).for_each(|_| attack(&mut self.frames())));
        let client = Http2::to(([127, 0, 0, 1], self.port).into(), "localhost", &self.certificate);
        assert_eq!(client.get("https://localhost/", &[]).status, 200);
    }
}

/// Whether an ordinary request is answered with 200, which is the eighth field of the static table (RFC 7541, appendix A).
fn is_answered(frames: &mut Frames) -> bool {
    frames.send(Frames::HEADERS, ALL_END, 1, &request("/", &[])).unwrap();
    loop {
        match frames.read().unwrap() {
            (Frames::HEADERS, _, 1, block) => return block.first() == Some(&0x88),
            (Frames::RST_STREAM | Frames::GOAWAY, ..) => return false,
            _ => {}
        }
    }
}

/// Does something to a gateway, which serves others and does not grow meanwhile.
#[track_caller]
fn beside<T>(gateway: &Gateway, attack: impl FnOnce() -> T) -> T {
    assert_eq!(gateway.get("/").send().status, 200);
    let before = gateway.process.resident_bytes();
    let (ends, served, slowest) = (AtomicBool::new(false), AtomicUsize::new(0), Mutex::new(Duration::ZERO));
    let done = thread::scope(|scope| {
        scope.spawn(|| {
            while !ends.load(Ordering::Relaxed) {
                let started = Instant::now();
                assert_eq!(gateway.get("/").send().status, 200);
                let mut slowest = slowest.lock().unwrap();
                *slowest = started.elapsed().max(*slowest);
                served.fetch_add(1, Ordering::Relaxed);
            }
        });
        let _ends = Ends(&ends);
        let from = served.load(Ordering::Relaxed);
        let done = attack();
        until("others are served", || served.load(Ordering::Relaxed) > from + 2);
        done
    });
    assert!(*slowest.lock().unwrap() < ELSEWHERE_MAX, "{slowest:?}");
    let grown = gateway.process.resident_bytes().saturating_sub(before);
    assert!(grown < GROWTH_MAX, "{grown} bytes more");
    done
}

/// Ends the client beside, by whatever way.
struct Ends<'a>(&'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn request(path: &str, more: &[(&str, &str)]) -> Vec<u8> {
    let head = [(":method", "GET"), (":scheme", "https"), (":authority", "localhost"), (":path", path)];
    header_block(&[&head, more].concat())
}

const HEADERS_END: u8 = Frames::END_HEADERS;
const ALL_END: u8 = Frames::END_HEADERS | Frames::END_STREAM;

/// L1: streams that are opened and reset without end (CVE-2023-44487).
#[test]
fn streams_that_are_reset_at_once_end_their_connection() {
    let siege = Sieged::new();
    let block = request("/", &[]);
    siege.endures(5, |frames| {
        let mut ended = false;
        for batch in 0..400_u32 {
            let pairs = (0..50).map(|number| (batch * 50 + number) * 2 + 1);
            let pair = |stream| {
                let reset = frame(Frames::RST_STREAM, 0, stream, &8_u32.to_be_bytes());
                [frame(Frames::HEADERS, ALL_END, stream, &block), reset].concat()
            };
            ended = frames.send_all(&pairs.flat_map(pair).collect::<Vec<u8>>()).is_err();
            if ended {
                break;
            }
        }
        assert!(ended || frames.end(LAST_WORDS_MAX) != End::None, "20,000 resets, and the connection goes on");
    });
    let asked = siege
        .shop
        .echo
        .reached()
        .iter()
        .filter(|reached| reached.value("x-forwarded-proto").as_deref() == Some("https"))
        .count();
    assert!(asked < 2_000, "{asked} of 120,000 requests that nobody waits for reached the site");
}

/// L1: streams that the client makes the server reset (CVE-2025-8671).
#[test]
fn streams_that_the_server_must_reset_end_their_connection() {
    let siege = Sieged::new();
    let block = request("/", &[]);
    // Each of these is an error of one stream, to be answered by its reset (RFC 9113 §5.4.2).
    let provocations: [fn(u32) -> Vec<u8>; 3] = [
        |stream| frame(Frames::WINDOW_UPDATE, 0, stream, &0_u32.to_be_bytes()),
        |stream| frame(Frames::DATA, Frames::END_STREAM, stream, b"x"),
        |stream| frame(Frames::WINDOW_UPDATE, 0, stream, &0x7fff_ffff_u32.to_be_bytes()),
    ];
    for provoke in provocations {
        siege.endures(2, |frames| {
            let mut ended = false;
            for batch in 0..200_u32 {
                let streams = (0..50).map(|number| (batch * 50 + number) * 2 + 1);
                let pair = |stream| [frame(Frames::HEADERS, ALL_END, stream, &block), provoke(stream)].concat();
                ended = frames.send_all(&streams.flat_map(pair).collect::<Vec<u8>>()).is_err();
                if ended {
                    break;
                }
            }
            assert!(ended || frames.end(LAST_WORDS_MAX) != End::None, "10,000 errors, and the connection goes on");
        });
    }
}

/// L1: headers that go on in frame after frame (CVE-2024-27316).
#[test]
fn headers_that_go_on_for_ever_end_their_connection() {
    let siege = Sieged::new();
    for piece in [header_block(&[("x", &"x".repeat(8_000))]), header_block(&[("x", "y")]), Vec::new()] {
        siege.endures(2, |frames| {
            frames.send(Frames::HEADERS, 0, 1, &request("/", &[])).unwrap();
            let pieces = frame(Frames::CONTINUATION, 0, 1, &piece).repeat(16);
            // 16 MiB of the largest, and as many of the others.
            let ended = (0..128).any(|_| frames.send_all(&pieces).is_err());
            assert!(
                ended || frames.end(LAST_WORDS_MAX) != End::None,
                "headers without end, and the connection goes on"
            );
        });
    }
    assert!(siege.shop.echo.reached().iter().all(|reached| reached.value("x").is_none()));
}

/// L1: ten thousand headers, by either version.
#[test]
fn ten_thousand_headers_are_too_many() {
    let siege = Sieged::new();
    let names: Vec<String> = (0..10_000).map(|number| format!("x-{number}")).collect();
    siege.endures(2, |frames| {
        let fields: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "y")).collect();
        let block = request("/", &fields);
        let mut pieces = block.chunks(16_000);
        frames.send(Frames::HEADERS, Frames::END_STREAM, 1, pieces.next().unwrap()).unwrap();
        let rest: Vec<&[u8]> = pieces.collect();
        for (number, piece) in rest.iter().enumerate() {
            let flags = if number + 1 == rest.len() { HEADERS_END } else { 0 };
            drop(frames.send(Frames::CONTINUATION, flags, 1, piece));
        }
        // Refused, reset or the connection ended: the site is not asked.
        frames.wait_at_most(Duration::from_secs(10));
        let answered = loop {
            match frames.read() {
                Ok((Frames::HEADERS | Frames::RST_STREAM | Frames::GOAWAY, ..)) => break true,
                Ok(_) => {}
                Err(error) => break error.kind() != std::io::ErrorKind::WouldBlock,
            }
        };
        assert!(answered, "no answer");
    });
    let many: String = names.iter().map(|name| format!("{name}: y\r\n")).collect();
    beside(&siege.shop.gateway, || {
        for _ in 0..10 {
            check("HTTP/1", &siege.shop.say("GET /many", &many), 431, "header_too_large");
        }
        // Few enough bytes, too many fields.
        check("short ones", &siege.shop.say("GET /many", &"a:\r\n".repeat(257)), 431, "header_too_large");
    });
    let reached = siege.shop.echo.reached();
    assert!(reached.iter().all(|reached| reached.fields.len() < 300 && reached.target() == b"/"), "{}", reached.len());
}

/// L1: frames that cost the sender nothing and want an answer each.
#[test]
fn pings_and_settings_without_end_cost_no_memory() {
    let siege = Sieged::new();
    let floods = [
        frame(Frames::PING, 0, 0, &[0; 8]),
        frame(Frames::SETTINGS, 0, 0, &[]),
        frame(Frames::SETTINGS, 0, 0, &[0, 4, 0, 0, 255, 255]),
    ];
    for flood in floods {
        siege.endures(2, |frames| {
            // Whoever reads no answer gets no more of them: the connection is ended, or stands still.
            frames.wait_at_most(Duration::from_secs(1));
            let batch = flood.repeat(1_000);
            let sent = (0..200).take_while(|_| frames.send_all(&batch).is_ok()).count();
            assert!(sent > 0, "not even the first");
        });
    }
}

/// L1: clients that begin a request and say no more: they hold nobody up, in either version.
#[test]
fn clients_that_say_half_and_no_more_hold_nobody_up() {
    let siege = Sieged::new();
    let gateway = &siege.shop.gateway;
    let halves = [
        "G",
        "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: ",
        "POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000\r\n\r\nx",
    ];
    let chunked = "POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhe";
    let kept = beside(gateway, || {
        let plain = |half: &str| {
            let mut stream = connect(gateway.address()).unwrap();
            stream.write_all(half.as_bytes()).unwrap();
            stream
        };
        let plain: Vec<TcpStream> = (0..50).flat_map(|_| halves.into_iter().chain([chunked])).map(plain).collect();
        let half = |number: usize| {
            let mut frames = siege.frames();
            match number % 3 {
                // Headers that do not end, a body that does not come, nothing at all.
                0 => frames.send(Frames::HEADERS, 0, 1, &request("/", &[])).unwrap(),
                1 => frames.send(Frames::HEADERS, HEADERS_END, 1, &request("/", &[])).unwrap(),
                _ => {}
            }
            frames
        };
        let secure: Vec<Frames> = (0..60).map(half).collect();
        // Tickling: a byte now and then.
        holds_for(Duration::from_secs(1), "served", || get(&format!("{}/", gateway.url)).send().status == 200);
        (plain, secure)
    });
    drop(kept);
}

/// An origin that takes connections and never reads from them, or never stops writing to them.
fn one_sided(writes: bool) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        let kept: Arc<Mutex<Vec<TcpStream>>> = Arc::default();
        for mut stream in listener.incoming().flatten() {
            kept.lock().unwrap().push(stream.try_clone().unwrap());
            if writes {
                thread::spawn(move || {
                    drop(stream.read(&mut [0; 4096]));
                    drop(stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n"));
                    while stream.write_all(&[b'x'; 64 * 1024]).is_ok() {}
                });
            }
        }
    });
    url
}

/// L1: a body that the site does not read is not taken, and an answer that the client does not read is not fetched.
#[test]
fn what_nobody_reads_is_not_kept_in_between() {
    for writes in [false, true] {
        let (folder, port) = (TempDir::new().unwrap(), lime_tests::free_port());
        let certificate = Certificate::make(folder.path(), &["localhost", "other.lime.test"]);
        let (deaf, echo) = (one_sided(writes), lime_tests::Echo::start());
        let gateway = Gateway::start(|url, _| {
            format!(
                "[server]\n{}[[site]]\nurl = \"{url}\"\norigin = \"{}\"\n\
                 [[site]]\nurl = \"https://other.lime.test\"\norigin = \"{deaf}\"\n",
                certificate.settings(port),
                echo.url
            )
        });
        let kept = beside(&gateway, || (flood_http_1(&gateway), flood_http_2(port, &certificate)));
        drop(kept);
    }
}

/// Uploads for as long as anybody takes it, and reads nothing.
fn flood_http_1(gateway: &Gateway) -> Vec<TcpStream> {
    let flood = |_| {
        let mut stream = connect(gateway.address()).unwrap();
        stream.write_all(b"POST / HTTP/1.1\r\nHost: other.lime.test\r\nContent-Length: 1000000000\r\n\r\n").unwrap();
        stream.set_write_timeout(Some(Duration::from_millis(300))).unwrap();
        let taken = (0..64 * 16).take_while(|_| stream.write_all(&[0; 64 * 1024]).is_ok()).count() * 64 * 1024;
        assert!(taken < 64 << 20, "{taken} bytes were taken");
        stream
    };
    (0..3).map(flood).collect()
}

fn flood_http_2(port: u16, certificate: &Certificate) -> Vec<Frames> {
    let flood = |_| {
        let mut frames = Frames::to(([127, 0, 0, 1], port).into(), "localhost", certificate);
        // As wide a window as there is, for answers that are not read.
        frames.send(Frames::SETTINGS, 0, 0, &[0, 4, 0x7f, 0xff, 0xff, 0xff]).unwrap();
        frames.send(Frames::WINDOW_UPDATE, 0, 0, &0x7fff_0000_u32.to_be_bytes()).unwrap();
        for stream in (1..20).step_by(2) {
            let head = [(":method", "POST"), (":scheme", "https"), (":authority", "other.lime.test"), (":path", "/")];
            frames.send(Frames::HEADERS, HEADERS_END, stream, &header_block(&head)).unwrap();
        }
        frames.wait_at_most(Duration::from_millis(300));
        let data = |round: u32| frame(Frames::DATA, 0, (round % 10) * 2 + 1, &[0; 16_384]);
        let taken = (0..4 * 1024).take_while(|round| frames.send_all(&data(*round)).is_ok()).count() * 16_384;
        assert!(taken < 64 << 20, "{taken} bytes were taken");
        frames
    };
    (0..3).map(flood).collect()
}
