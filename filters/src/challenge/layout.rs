//! What a challenge and a clearance say: fields of a fixed width at fixed places, so that nothing in them can be read in
//! two ways, under an authenticator (HMAC-SHA256, 128 bits). To everybody else they are opaque text.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use passport::UnixTime;
use pow::Puzzles;

use super::keys::{Bind, ChallengeKeys, Keys, MAC_BYTES, Purpose};

/// What every challenge of a gateway begins with; an issuer's never does.
pub(crate) const CHALLENGE_PREFIX: &str = "lime-gw1.";

/// What every clearance begins with.
pub(crate) const CLEARANCE_PREFIX: &str = "lc1.";

const CHALLENGE_BYTES: usize = 80;
const CLEARANCE_BYTES: usize = 76;

/// First bytes, the last of them a version: what is made for one purpose is nothing to the other.
const CHALLENGE_MAGIC: [u8; 4] = *b"LGC\x01";
const CLEARANCE_MAGIC: [u8; 4] = *b"LCL\x01";

/// Whom and what something is for: 128 bits of a hash of names.
pub(crate) type Scope = [u8; 16];

/// The name of one challenge, which is spent with it, and of the clearance that comes of it.
pub(crate) type Salt = [u8; 16];

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Task {
    /// Work.
    Work(Puzzles),
    /// So many seconds of patience, of those who cannot work.
    Wait(u32),
}

/// What a challenge says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Terms {
    pub(super) task: Task,
    /// Of work; of patience, those it is taken for.
    pub(super) bits: u8,
    pub(super) issued_at: UnixTime,
    pub(super) lifetime_seconds: u16,
    pub(super) salt: Salt,
    pub(super) scope: Scope,
    pub(super) bind: Bind,
}

/// What a clearance says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Grant {
    /// What was done for it.
    pub(super) bits: u8,
    pub(super) earned: Earned,
    pub(super) expires_at: UnixTime,
    pub(super) sid: Salt,
    pub(super) host: Scope,
    pub(super) bind: Bind,
}

/// How a clearance was come by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Earned {
    /// By work.
    Work,
    /// By waiting.
    Patience,
}

impl Earned {
    /// The word in metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Work => "work",
            Self::Patience => "patience",
        }
    }
}

impl Terms {
    pub(super) fn ends_at(&self) -> UnixTime {
        self.issued_at.plus(std::time::Duration::from_secs(self.lifetime_seconds.into()))
    }

    /// The text of the challenge.
    pub(super) fn seal(&self, keys: &Keys) -> String {
        let (algorithm, puzzles, wait) = match self.task {
            Task::Work(Puzzles::One) => (1, 0, 0),
            Task::Work(Puzzles::Sixteen) => (1, 4, 0),
            Task::Wait(seconds) => (4, 0, seconds),
        };
        let mut bytes = Writer::<CHALLENGE_BYTES>::new();
        bytes.put(&CHALLENGE_MAGIC);
        bytes.put(&[keys.kid, algorithm, self.bits, puzzles]);
        bytes.put(&wait.to_be_bytes());
        bytes.put(&seconds(self.issued_at).to_be_bytes());
        bytes.put(&self.lifetime_seconds.to_be_bytes());
        bytes.put(&self.salt);
        bytes.put(&self.scope);
        bytes.put(&self.bind);
        // For the node that made it, once nodes can ask each other.
        bytes.put(&[0, 0]);
        bytes.seal(CHALLENGE_PREFIX, keys, Purpose::Challenge)
    }

    /// What a text says that one of our keys made, and that key.
    pub(super) fn open<'k>(text: &str, keys: &'k ChallengeKeys) -> Option<(Self, &'k Keys)> {
        let bytes: [u8; CHALLENGE_BYTES] = decoded(text, CHALLENGE_PREFIX)?;
        let mut fields = Reader(&bytes);
        let magic: [u8; 4] = fields.take()?;
        let [kid, algorithm, bits, puzzles] = fields.take()?;
        if magic != CHALLENGE_MAGIC {
            return None;
        }
        let (signed, mac) = bytes.split_at(CHALLENGE_BYTES - MAC_BYTES);
        let keys = keys.signer(Purpose::Challenge, kid, signed, mac)?;
        let wait = u32::from_be_bytes(fields.take()?);
        let task = match (algorithm, puzzles) {
            (1, 0) => Task::Work(Puzzles::One),
            (1, 4) => Task::Work(Puzzles::Sixteen),
            (4, 0) => Task::Wait(wait),
            _ => return None,
        };
        let terms = Self {
            task,
            bits,
            issued_at: UnixTime::from_secs(u32::from_be_bytes(fields.take()?).into()),
            lifetime_seconds: u16::from_be_bytes(fields.take()?),
            salt: fields.take()?,
            scope: fields.take()?,
            bind: fields.take()?,
        };
        Some((terms, keys))
    }
}

impl Grant {
    /// The text of the clearance.
    pub(super) fn seal(&self, keys: &Keys) -> String {
        let earned = match self.earned {
            Earned::Work => 1,
            Earned::Patience => 4,
        };
        let mut bytes = Writer::<CLEARANCE_BYTES>::new();
        bytes.put(&CLEARANCE_MAGIC);
        bytes.put(&[keys.kid, self.bits, earned, 0]);
        bytes.put(&seconds(self.expires_at).to_be_bytes());
        bytes.put(&[0; 4]);
        bytes.put(&self.sid);
        bytes.put(&self.host);
        bytes.put(&self.bind);
        bytes.seal(CLEARANCE_PREFIX, keys, Purpose::Clearance)
    }

    /// What a text says that one of our keys made, and that key.
    pub(super) fn open<'k>(text: &str, keys: &'k ChallengeKeys) -> Option<(Self, &'k Keys)> {
        let bytes: [u8; CLEARANCE_BYTES] = decoded(text, CLEARANCE_PREFIX)?;
        let mut fields = Reader(&bytes);
        let magic: [u8; 4] = fields.take()?;
        let [kid, bits, earned, _] = fields.take()?;
        if magic != CLEARANCE_MAGIC {
            return None;
        }
        let (signed, mac) = bytes.split_at(CLEARANCE_BYTES - MAC_BYTES);
        let keys = keys.signer(Purpose::Clearance, kid, signed, mac)?;
        let earned = match earned {
            1 => Earned::Work,
            4 => Earned::Patience,
            _ => return None,
        };
        let expires_at = UnixTime::from_secs(u32::from_be_bytes(fields.take()?).into());
        let _: [u8; 4] = fields.take()?;
        let grant = Self { bits, earned, expires_at, sid: fields.take()?, host: fields.take()?, bind: fields.take()? };
        Some((grant, keys))
    }
}

/// Seconds in 32 bits, which reach to 2106.
fn seconds(time: UnixTime) -> u32 {
    u32::try_from(time.as_secs()).unwrap_or(u32::MAX)
}

fn decoded<const BYTES: usize>(text: &str, prefix: &str) -> Option<[u8; BYTES]> {
    let text = text.strip_prefix(prefix)?;
    let mut bytes = [0; BYTES];
    // Strict: no padding, no other alphabet, no bits left over.
    let count = URL_SAFE_NO_PAD.decode_slice(text, &mut bytes).ok()?;
    (count == BYTES).then_some(bytes)
}

/// Fields on their way into a text.
struct Writer<const BYTES: usize> {
    bytes: [u8; BYTES],
    at: usize,
}

impl<const BYTES: usize> Writer<BYTES> {
    const fn new() -> Self {
        Self { bytes: [0; BYTES], at: 0 }
    }

    fn put(&mut self, field: &[u8]) {
        let end = self.at + field.len();
        if let Some(place) = self.bytes.get_mut(self.at..end) {
            place.copy_from_slice(field);
        }
        debug_assert!(end <= BYTES, "the fields fit");
        self.at = end;
    }

    fn seal(mut self, prefix: &str, keys: &Keys, purpose: Purpose) -> String {
        debug_assert_eq!(self.at + MAC_BYTES, BYTES, "the fields are all there");
        let mac = keys.mac(purpose, self.bytes.get(..BYTES - MAC_BYTES).unwrap_or_default());
        self.put(&mac);
        let mut text = String::with_capacity(prefix.len() + BYTES.div_ceil(3) * 4);
        text.push_str(prefix);
        URL_SAFE_NO_PAD.encode_string(self.bytes, &mut text);
        text
    }
}

/// Fields one after the other.
struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn take<const COUNT: usize>(&mut self) -> Option<[u8; COUNT]> {
        let (field, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*field)
    }
}
