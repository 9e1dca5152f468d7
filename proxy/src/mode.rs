//! What a site does about what it finds, now: as it is configured, or as an operator said at the control socket.

use std::sync::atomic::{AtomicU8, Ordering};

use config::Mode;
use parking_lot::Mutex;
use tokio::time::Instant;

/// The mode of a site, which may change while requests are served.
#[derive(Debug)]
pub(crate) struct Switch(AtomicU8);

impl Switch {
    pub(crate) const fn new(mode: Mode) -> Self {
        Self(AtomicU8::new(number(mode)))
    }

    pub(crate) fn now(&self) -> Mode {
        match self.0.load(Ordering::Relaxed) {
            0 => Mode::Off,
            1 => Mode::Observe,
            _ => Mode::Enforce,
        }
    }

    pub(crate) fn set(&self, mode: Mode) {
        self.0.store(number(mode), Ordering::Relaxed);
    }
}

/// As metrics show it.
pub(crate) const fn number(mode: Mode) -> u8 {
    match mode {
        Mode::Off => 0,
        Mode::Observe => 1,
        Mode::Enforce => 2,
    }
}

/// What an operator said, in place of what is configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Override {
    /// The URL of a site; `None`: all of them.
    pub(crate) site: Option<String>,
    pub(crate) mode: Mode,
    /// Until when; `None`: until it is taken back.
    pub(crate) until: Option<Instant>,
}

/// All that operators said and did not take back. It outlives a reload, and ends with the process.
#[derive(Debug, Default)]
pub(crate) struct Overrides(Mutex<Vec<Override>>);

impl Overrides {
    /// Takes over what an operator says. What was said of the same site before counts no more; of all sites, of any.
    pub(crate) fn say(&self, said: Override) {
        let mut all = self.0.lock();
        all.retain(|before| said.site.is_some() && before.site != said.site);
        all.push(said);
    }

    /// Takes back what was said of a site, or of all.
    pub(crate) fn take_back(&self, site: Option<&str>) {
        self.0.lock().retain(|before| site.is_some() && before.site.as_deref() != site);
    }

    /// The mode of a site: the word about itself, else that about all, else its configuration.
    pub(crate) fn of(&self, url: &str, configured: Mode, now: Instant) -> Mode {
        let all = self.0.lock();
        let stands = |said: &&Override| said.until.is_none_or(|until| until > now);
        let own = all.iter().rev().filter(stands).find(|said| said.site.as_deref() == Some(url));
        let of_all = || all.iter().rev().filter(stands).find(|said| said.site.is_none());
        own.or_else(of_all).map_or(configured, |said| said.mode)
    }

    /// When the next of them ends; those that have ended are forgotten.
    pub(crate) fn next_end(&self, now: Instant) -> Option<Instant> {
        let mut all = self.0.lock();
        all.retain(|said| said.until.is_none_or(|until| until > now));
        all.iter().filter_map(|said| said.until).min()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn said(site: Option<&str>, mode: Mode, until: Option<Instant>) -> Override {
        Override { site: site.map(str::to_owned), mode, until }
    }

    #[test]
    fn the_word_about_a_site_counts_before_that_about_all() {
        let (overrides, now) = (Overrides::default(), Instant::now());
        let of = |url| overrides.of(url, Mode::Enforce, now);
        assert_eq!(of("a"), Mode::Enforce);
        overrides.say(said(None, Mode::Observe, None));
        overrides.say(said(Some("a"), Mode::Off, None));
        assert_eq!((of("a"), of("b")), (Mode::Off, Mode::Observe));
        overrides.say(said(Some("a"), Mode::Enforce, None));
        assert_eq!((of("a"), of("b")), (Mode::Enforce, Mode::Observe));
        overrides.take_back(Some("a"));
        assert_eq!(of("a"), Mode::Observe);
        overrides.say(said(Some("a"), Mode::Off, None));
        overrides.say(said(None, Mode::Observe, None));
        assert_eq!(of("a"), Mode::Observe, "a word about all is about this one too");
        overrides.take_back(None);
        assert_eq!(of("a"), Mode::Enforce);
    }

    #[test]
    fn a_word_for_a_while_ends_by_itself() {
        let (overrides, now) = (Overrides::default(), Instant::now());
        let end = now + Duration::from_secs(60);
        overrides.say(said(None, Mode::Observe, Some(end)));
        assert_eq!(overrides.of("a", Mode::Enforce, now), Mode::Observe);
        assert_eq!(overrides.next_end(now), Some(end));
        assert_eq!(overrides.of("a", Mode::Enforce, end), Mode::Enforce);
        assert_eq!(overrides.next_end(end), None);
    }
}
