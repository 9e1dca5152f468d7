//! When to stop: SIGTERM, as a service manager sends it, or SIGINT, as ctrl-c does.

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::failure::Failure;

/// Done when the process was asked to stop. Made before anything is served, so that no early signal is missed.
pub(crate) fn stop() -> Result<impl Future<Output = ()> + Send + 'static, Failure> {
    let mut terminate = listen(SignalKind::terminate())?;
    let mut interrupt = listen(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _asked = terminate.recv() => {}
            _asked = interrupt.recv() => {}
        }
    })
}

fn listen(kind: SignalKind) -> Result<Signal, Failure> {
    signal(kind).map_err(Failure::from_error)
}
