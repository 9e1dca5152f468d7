use std::fmt;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::network::Network;

/// Rows of a sketch, each with a place of its own for every network.
const ROWS: usize = 4;

/// Places of a row.
const PLACES: usize = 8192;

/// Two of these are looked at: solutions count for 2.5 to 5 minutes.
const HALF: Duration = Duration::from_secs(150);

/// So many solutions of a network are nobody's concern: a school, an office.
const FREE: u32 = 16;

/// Most bits that a network is asked for more than others: some in it are not to blame.
const SURCHARGE_MAX: u8 = 4;

/// How many solutions came from each network lately: each doubling past the first few costs it a bit.
///
/// A count-min sketch of 256 KiB, whatever comes: a network is never counted too low, and too high only where all four of
/// its places are shared. Where they are, nobody outside knows.
pub(super) struct Solves {
    halves: Mutex<[Half; 2]>,
    secret: RandomState,
}

struct Half {
    /// Which half of five minutes, since the process began.
    number: u64,
    counts: Box<[u32]>,
}

impl Solves {
    pub(super) fn new() -> Self {
        let half = || Half { number: 0, counts: vec![0; ROWS * PLACES].into() };
        Self { halves: Mutex::new([half(), half()]), secret: RandomState::new() }
    }

    /// Counts a solution.
    pub(super) fn count(&self, network: Network, elapsed: Duration) {
        let places = self.places(network);
        let mut halves = self.halves.lock().unwrap_or_else(PoisonError::into_inner);
        let current = current(&mut halves, elapsed);
        for place in places {
            if let Some(count) = current.counts.get_mut(place) {
                *count = count.saturating_add(1);
            }
        }
    }

    /// The bits that a network is asked for more than others.
    pub(super) fn surcharge(&self, network: Network, elapsed: Duration) -> u8 {
        let places = self.places(network);
        let mut halves = self.halves.lock().unwrap_or_else(PoisonError::into_inner);
        current(&mut halves, elapsed);
        let of_half = |half: &Half| places.iter().filter_map(|place| half.counts.get(*place)).min().copied();
        let count: u32 = halves.iter().filter_map(of_half).sum();
        let doublings = (count / FREE).checked_ilog2().unwrap_or_default();
        u8::try_from(doublings).unwrap_or(SURCHARGE_MAX).min(SURCHARGE_MAX)
    }

    fn places(&self, network: Network) -> [usize; ROWS] {
        let hash = self.secret.hash_one(network.as_bytes());
        let mut row = 0;
        [0, 13, 26, 39].map(|shift| {
            let place = usize::try_from(hash >> shift).unwrap_or_default() % PLACES + row;
            row += PLACES;
            place
        })
    }
}

/// The half that counts now, the other being the one before it.
fn current(halves: &mut [Half; 2], elapsed: Duration) -> &mut Half {
    let now = elapsed.as_secs() / HALF.as_secs();
    let [even, odd] = halves;
    let (current, other) = if now.is_multiple_of(2) { (even, odd) } else { (odd, even) };
    for (half, number) in [(&mut *current, now), (other, now.saturating_sub(1))] {
        if half.number != number {
            half.counts.fill(0);
            half.number = number;
        }
    }
    current
}

impl fmt::Debug for Solves {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Solves(..)")
    }
}
