//! A port for a server that has to know it before it starts, or keep it over a restart.

use std::net::TcpListener;
use std::sync::atomic::{AtomicU16, Ordering};

/// Below the range from which the system takes ports for connections, so that none of those takes it in between.
const FIRST: u16 = 12_000;
const COUNT: u16 = 7_000;

/// A port on 127.0.0.1 that was free a moment ago, and that nobody else in this process is given.
#[must_use]
pub fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let spread = u16::try_from(std::process::id() % u32::from(COUNT)).unwrap();
    (0..COUNT)
        .map(|_| FIRST + (spread + NEXT.fetch_add(1, Ordering::Relaxed)) % COUNT)
        .find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .expect("a free port")
}
