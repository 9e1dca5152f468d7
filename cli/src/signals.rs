//! When to stop: SIGTERM, as a service manager sends it, or SIGINT, as ctrl-c does. When to read the configuration again:
//! SIGHUP.

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::failure::Failure;
use crate::service_manager::{self, News};

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

/// Asks for a reload at each SIGHUP, for as long as it is polled. What comes of it is in the log.
pub(crate) fn reload(commands: proxy::Commands) -> Result<impl Future<Output = ()> + Send + 'static, Failure> {
    let mut hangup = listen(SignalKind::hangup())?;
    Ok(async move {
        while hangup.recv().await.is_some() {
            service_manager::tell(News::Reloading);
            drop(commands.reload().await);
            service_manager::tell(News::Ready);
        }
    })
}

fn listen(kind: SignalKind) -> Result<Signal, Failure> {
    signal(kind).map_err(Failure::from_error)
}
