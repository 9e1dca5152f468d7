//! What somebody shows for work: `PoW challenge="…", nonces="…"`, or `PoW clearance="…"`.

/// A solution, not yet judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Proof<'a> {
    /// The text of the challenge.
    pub challenge: &'a str,
    /// In decimal, in order, parted by commas; empty of who waited.
    pub nonces: &'a str,
}

/// Longest parameters that are read: a challenge and the longest nonces fit.
const BYTES_MAX: usize = 1024;

/// Why a solution, or a clearance, does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum ProofRefusal {
    /// Not of the form that is asked for.
    #[error("not of the form that is asked for")]
    Malformed,
    /// None of our keys made it.
    #[error("not made here")]
    Foreign,
    /// It has ended, or not begun.
    #[error("ended")]
    Expired,
    /// It was made before this process began, and may have been spent.
    #[error("made before this process began")]
    BeforeStart,
    /// For another host or policy.
    #[error("made for another host or policy")]
    OtherPlace,
    /// For another network.
    #[error("made for another network")]
    OtherNetwork,
    /// The work was not done.
    #[error("too few bits")]
    TooFewBits,
    /// Who was to wait did not.
    #[error("too early")]
    TooEarly,
    /// It was used before.
    #[error("spent")]
    Spent,
    /// All requests that a clearance is good for were made.
    #[error("used up")]
    UsedUp,
    /// More work is asked for now than was done.
    #[error("not enough for this")]
    NotEnough,
    /// So many of one network wait that one more does not count.
    #[error("too many of this network wait")]
    TooMany,
    /// So many were spent lately that one more could not be remembered.
    #[error("no room to remember it")]
    Full,
}

impl ProofRefusal {
    /// A stable word for logs and metrics.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Foreign => "foreign",
            Self::Expired => "expired",
            Self::BeforeStart => "before_start",
            Self::OtherPlace => "other_place",
            Self::OtherNetwork => "other_network",
            Self::TooFewBits => "too_few_bits",
            Self::TooEarly => "too_early",
            Self::Spent => "spent",
            Self::UsedUp => "used_up",
            Self::NotEnough => "not_enough",
            Self::TooMany => "too_many",
            Self::Full => "full",
        }
    }

    /// What a client is told: enough to do better.
    pub(crate) const fn detail(self) -> &'static str {
        match self {
            Self::Malformed => {
                "The header is not of the form `PoW challenge=\"..\", nonces=\"..\"`, with as many decimal nonces as there \
                 are puzzles, in order and parted by commas."
            }
            Self::Foreign => {
                "This was not made here, or was altered, or is too old to be known. Solve the new challenge."
            }
            Self::Expired => "The time is over. Solve the new challenge.",
            Self::BeforeStart => "The gateway began anew since this challenge was made. Solve the new one.",
            Self::OtherPlace => {
                "This was made for another host, or for another part of the site. Solve the new challenge."
            }
            Self::OtherNetwork => {
                "This was made for another network. The new challenge counts in all of them, and is a little harder."
            }
            Self::TooFewBits => {
                "A nonce does not give the hash of its puzzle as many leading zero bits as are asked for."
            }
            Self::TooEarly => "The time to wait is not over.",
            Self::Spent => "This challenge was already used. Solve the new one.",
            Self::UsedUp => "The clearance was good for so many requests, and they were made. Solve the new challenge.",
            Self::NotEnough => "More work is asked for here than the clearance was given for. Solve the new challenge.",
            Self::TooMany => "So many of this network wait that one more does not count now. Work, or try again later.",
            Self::Full => "So many solve challenges now that one more cannot be remembered. Try again in a minute.",
        }
    }
}

/// What stands behind the scheme `PoW`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shown<'a> {
    /// A solution.
    Proof(Proof<'a>),
    /// A clearance.
    Clearance(&'a str),
}

/// Reads parameters as RFC 9110 §11.4 writes them: `name="value"`, parted by commas. Each stands once; no others do.
pub(crate) fn read(parameters: &str) -> Option<Shown<'_>> {
    if parameters.len() > BYTES_MAX {
        return None;
    }
    let (mut challenge, mut nonces, mut clearance) = (None, None, None);
    let mut rest = parameters.trim();
    while !rest.is_empty() {
        let (name, after) = rest.split_once('=')?;
        let (value, after) = after.trim_start().strip_prefix('"')?.split_once('"')?;
        let place = match name.trim() {
            name if name.eq_ignore_ascii_case("challenge") => &mut challenge,
            name if name.eq_ignore_ascii_case("nonces") => &mut nonces,
            name if name.eq_ignore_ascii_case("clearance") => &mut clearance,
            _ => return None,
        };
        if place.replace(value).is_some() {
            return None;
        }
        rest = after.trim_start();
        rest = match rest.strip_prefix(',') {
            Some(next) if !next.trim().is_empty() => next.trim_start(),
            None if rest.is_empty() => rest,
            Some(_) | None => return None,
        };
    }
    match (challenge, nonces, clearance) {
        (Some(challenge), Some(nonces), None) => Some(Shown::Proof(Proof { challenge, nonces })),
        (None, None, Some(clearance)) => Some(Shown::Clearance(clearance)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_solution_or_a_clearance_is_read() {
        let proof = Shown::Proof(Proof { challenge: "c", nonces: "1,2" });
        for text in [
            "challenge=\"c\", nonces=\"1,2\"",
            "nonces=\"1,2\",challenge=\"c\"",
            " Challenge = \"c\" ,  NONCES= \"1,2\" ",
        ] {
            assert_eq!(read(text), Some(proof), "{text}");
        }
        assert_eq!(read("clearance=\"lc1.x\""), Some(Shown::Clearance("lc1.x")));
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_not_read() {
        let long = format!("clearance=\"{}\"", "x".repeat(1024));
        for text in [
            "",
            "c",
            "challenge=\"c\"",
            "nonces=\"1\"",
            "challenge=c, nonces=1",
            "challenge=\"c\", nonces=\"1\", nonces=\"2\"",
            "challenge=\"c\", nonces=\"1\", clearance=\"x\"",
            "challenge=\"c\", nonces=\"1\", bits=\"0\"",
            "challenge=\"c\" nonces=\"1\"",
            "challenge=\"c\", nonces=\"1\",",
            "challenge=\"c, nonces=\"1\"",
            "clearance=\"x",
            long.as_str(),
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
