//! The least a server can be: one answer to everything, on a thread of its own whose time can be told apart.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// Longest request header that is taken, in bytes: what the gateway forwards is well under it.
const HEADER_BYTES_MAX: usize = 64 * 1024;

/// Answers every request without a body on a free port of the loopback, until the process ends.
///
/// The thread is called `name`, in 15 bytes at most.
///
/// # Errors
/// When there is no port or no thread to be had.
pub(super) fn start(name: &str, content_type: &str, body: &str) -> io::Result<SocketAddr> {
    let length = body.len();
    let head = format!("HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\nContent-Length: {length}\r\n");
    let answer: Arc<[u8]> = format!("{head}Server: {name}\r\n\r\n{body}").into_bytes().into();
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0))?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    // It ends with the process.
    drop(thread::Builder::new().name(name.to_owned()).spawn(move || runtime.block_on(accept(listener, answer)))?);
    Ok(address)
}

async fn accept(listener: std::net::TcpListener, answer: Arc<[u8]>) -> io::Result<()> {
    let listener = TcpListener::from_std(listener)?;
    loop {
        let (stream, _) = listener.accept().await?;
        // A connection that breaks off is for its client to report.
        drop(tokio::spawn(serve(stream, Arc::clone(&answer))));
    }
}

async fn serve(mut stream: TcpStream, answer: Arc<[u8]>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut received = Vec::with_capacity(HEADER_BYTES_MAX);
    while stream.read_buf(&mut received).await? > 0 {
        // One request at a time: nobody here pipelines.
        if received.ends_with(b"\r\n\r\n") {
            stream.write_all(&answer).await?;
            received.clear();
        } else if received.len() > HEADER_BYTES_MAX {
            return Err(io::ErrorKind::InvalidData.into());
        }
    }
    Ok(())
}
