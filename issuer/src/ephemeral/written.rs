//! Whether an event has left: hyper flushes a connection only when its buffer is empty, so that what a stream had handed
//! over before a flush has then been taken by the kernel, whole.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use axum::body::Bytes;
use futures_util::Stream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};

/// The stream that a connection carries now, if any.
#[derive(Clone, Debug, Default)]
pub(crate) struct Connection(Arc<Mutex<Option<Arc<Progress>>>>);

#[derive(Debug)]
struct Progress {
    handed_over: AtomicU64,
    written: watch::Sender<u64>,
}

/// A body made of frames that counts how many of them have been written.
#[derive(Debug)]
pub(crate) struct Frames {
    frames: mpsc::Receiver<Bytes>,
    progress: Arc<Progress>,
}

impl Connection {
    /// A body for this connection, and the number of its frames written so far.
    pub(crate) fn carry(&self, frames: mpsc::Receiver<Bytes>) -> (Frames, watch::Receiver<u64>) {
        let (written, seen) = watch::channel(0);
        let progress = Arc::new(Progress { handed_over: AtomicU64::new(0), written });
        *self.lock() = Some(Arc::clone(&progress));
        (Frames { frames, progress }, seen)
    }

    fn flushed(&self) {
        if let Some(progress) = self.lock().as_ref() {
            let handed_over = progress.handed_over.load(Ordering::Acquire);
            progress.written.send_if_modified(|written| {
                let news = *written != handed_over;
                *written = handed_over;
                news
            });
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Arc<Progress>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Stream for Frames {
    type Item = Result<Bytes, std::convert::Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.frames.poll_recv(context).map(|frame| {
            let frame = frame?;
            self.progress.handed_over.fetch_add(1, Ordering::Release);
            Some(Ok(frame))
        })
    }
}

/// A connection whose flushes are seen.
#[derive(Debug)]
pub(crate) struct Metered {
    stream: TcpStream,
    connection: Connection,
}

impl Metered {
    pub(crate) const fn new(stream: TcpStream, connection: Connection) -> Self {
        Self { stream, connection }
    }
}

impl AsyncRead for Metered {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, into)
    }
}

impl AsyncWrite for Metered {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(context);
        if matches!(flushed, Poll::Ready(Ok(()))) {
            self.connection.flushed();
        }
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
