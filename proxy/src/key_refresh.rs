//! Keeps an issuer's key set fresh, in the background: no request ever waits for it.
//!
//! As often as the issuer's `max-age` asks, and when a token of an unknown key was shown; the latter only once the
//! cool-down since the last fetch is over, so that a storm of such tokens is one fetch.

use std::convert::Infallible;
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use config::JwksSource;
use filters::Contact;
use passport::{KeySet, KeySetError};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use crate::clock::{jittered, now};
use crate::issuer::Issuer;
use crate::key_source::{KeySource, SourceError};

/// Between two fetches that nobody asked for: what `max-age` says, but at least so long and at most what is configured.
const PERIOD_MIN: Duration = Duration::from_secs(1);

/// Between two looks into a file that were asked for.
const FILE_COOL_DOWN: Duration = Duration::from_millis(100);

/// Why a key set was not taken over.
#[derive(Debug, thiserror::Error)]
enum RefreshError {
    #[error(transparent)]
    Source(#[from] SourceError),
    #[error("the key set cannot be used")]
    KeySet(#[from] KeySetError),
}

/// Refreshes for as long as it is polled. `first` is let go once a fetch has succeeded.
pub(crate) async fn keep_fresh(issuer: Arc<Issuer>, source: KeySource, first: mpsc::Sender<Infallible>) {
    let cool_down = match &issuer.config.jwks.source {
        JwksSource::Published | JwksSource::Url(_) => issuer.config.jwks.cooldown,
        // Nobody is burdened by a look into a file; a reload is to read it at once.
        JwksSource::File(_) => FILE_COOL_DOWN,
    };
    let mut first = Some(first);
    let mut failed_before = false;
    loop {
        let started = Instant::now();
        let refreshed = refresh(&issuer, &source).await;
        let period = match &refreshed {
            Ok(period) => {
                drop(first.take());
                *period
            }
            Err(cause) => {
                failed(&issuer, cause, failed_before);
                // A jittered tenth less is still no less than the cool-down.
                cool_down * 9 / 8
            }
        };
        failed_before = refreshed.is_err();
        let next = started + jittered(period);
        tokio::select! {
            () = sleep_until(next) => {}
            () = wanted(&issuer, started + cool_down) => {}
        }
    }
}

/// Somebody asked for a key that is not known, and the cool-down is over.
async fn wanted(issuer: &Issuer, not_before: Instant) {
    issuer.keys_wanted.notified().await;
    sleep_until(not_before).await;
}

async fn refresh(issuer: &Issuer, source: &KeySource) -> Result<Duration, RefreshError> {
    let jwks = source.fetch().await?;
    let keys = KeySet::from_jwks_of(jwks.document.as_bytes(), &issuer.config.algorithms)?;
    if issuer.view().contact == Contact::Lost {
        tracing::info!(issuer = %issuer.url(), keys = keys.len(), "the key set was fetched");
    }
    issuer.took_keys(keys, &jwks.document, now());
    issuer.metrics.refreshed.inc();
    let longest = issuer.config.jwks.refresh;
    Ok(jwks.max_age.unwrap_or(longest).clamp(PERIOD_MIN, longest))
}

/// The last good set stays. Of a series of failures the first is said aloud.
fn failed(issuer: &Issuer, cause: &RefreshError, failed_before: bool) {
    issuer.metrics.refresh_failed.inc();
    issuer.lost(now());
    if failed_before {
        return;
    }
    tracing::warn!(
        issuer = %issuer.url(),
        keys = issuer.view().keys.len(),
        error = cause as &dyn Error,
        "the key set could not be fetched; the last one stays in use"
    );
}
