//! The guard against whoever guesses tokens: each client address may be wrong so often in a minute, and then no
//! signature is checked for it until the minute is over.
//!
//! Many people may share an address with the one client that is broken, so it is only strangers' tokens that wait: one
//! that was found genuine here before is looked at. And a client that repeats one and the same wrong token uses up
//! little of its address's share: by the fifth time that token alone is turned away, as by the guard against hammering.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use campanile_auth::Refusal;

use crate::http::problem::{self, Code, Problem};
use crate::lately::{Lately, WINDOW};
use crate::socket::{Caller, Hammer};

/// Genuine tokens remembered in each of two generations, by 8 bytes each.
const KNOWN: usize = 65_536;

/// How often addresses were wrong. Shared by all threads; of bounded size: from 65,536 addresses on, newcomers among
/// them are not counted for up to a minute.
///
/// A loopback address is never counted: it is that of a proxy on this machine which nobody has named in
/// `trusted_proxies`, and so of everybody, or of a process here, which has better ways to guess.
pub struct AuthFailures {
    /// In a minute; 0: nobody is turned away.
    limit: u32,
    hasher: RandomState,
    noted: Mutex<Noted>,
}

#[derive(Default)]
struct Noted {
    addresses: Lately<Failures>,
    repeats: Hammer,
    known: HashSet<u64>,
    known_before: HashSet<u64>,
}

/// Of one address, within a minute of the first.
#[derive(Debug, Clone, Copy)]
struct Failures {
    since: Duration,
    count: u32,
}

/// A token that is shown and may be looked at.
#[derive(Debug, Clone, Copy)]
#[must_use = "what became of it has to be told"]
pub struct Shown(Option<Pair>);

/// Whence, and what.
#[derive(Debug, Clone, Copy)]
struct Pair {
    client: IpAddr,
    token: u64,
    repeated: Caller,
    is_known: bool,
}

/// Somebody whose token is not looked at now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Away {
    /// What they are told.
    pub code: &'static Code,
    /// When they may come back.
    pub seconds: u64,
}

impl From<Away> for Problem {
    fn from(away: Away) -> Self {
        Self::new(away.code).retry_after(u32::try_from(away.seconds).unwrap_or(u32::MAX))
    }
}

/// Whether nobody whom we believe has made the token. What is genuine, but late, revoked or for somebody else, is no
/// guess: whoever shows it was given it.
pub fn is_forgery(refusal: Refusal) -> bool {
    match refusal {
        Refusal::Missing
        | Refusal::Malformed
        | Refusal::UnsupportedHeader(_)
        | Refusal::UnknownIssuer
        | Refusal::UnknownKey
        | Refusal::WrongAlgorithm
        | Refusal::BadSignature => true,
        Refusal::WrongType
        | Refusal::WrongAudience
        | Refusal::NoExpiry
        | Refusal::BadClaim(_)
        | Refusal::NoUser
        | Refusal::NoIssueTime
        | Refusal::LivesTooLong
        | Refusal::NotYetValid
        | Refusal::Expired
        | Refusal::Revoked => false,
    }
}

impl AuthFailures {
    /// Turns an address away that was wrong `limit` times in a minute; 0: none.
    pub fn new(limit: u32) -> Self {
        Self { limit, hasher: RandomState::new(), noted: Mutex::default() }
    }

    /// Asked before a token is looked at that `client` shows; what became of it is then told to
    /// [`judged`](Self::judged). `None`: nobody knows where the client is.
    ///
    /// # Errors
    /// It is not to be looked at now.
    pub fn hear(&self, client: Option<IpAddr>, token: &str, now: Duration) -> Result<Shown, Away> {
        let counted = client.map(counted).filter(|client| self.limit > 0 && !client.is_loopback());
        let Some(client) = counted else { return Ok(Shown(None)) };
        let token_hash = self.hasher.hash_one(token);
        let mut noted = self.noted();
        let is_known = noted.known.contains(&token_hash) || noted.known_before.contains(&token_hash);
        let repeated = noted.repeats.caller(client, token);
        if !is_known {
            if let Some(seconds) = noted.repeats.blocked(repeated, now) {
                return Err(Away { code: &problem::TOKEN_REFUSED_REPEATEDLY, seconds });
            }
            let failures = noted.addresses.get(self.hasher.hash_one(client), now);
            if let Some(seconds) = failures.and_then(|failures| failures.blocks(self.limit, now)) {
                return Err(Away { code: &problem::TOO_MANY_REFUSED_TOKENS, seconds });
            }
        }
        Ok(Shown(Some(Pair { client, token: token_hash, repeated, is_known })))
    }

    /// What became of a token: it was [forged](is_forgery), or not, whether it opened anything or not.
    pub fn judged(&self, shown: Shown, is_forged: bool, now: Duration) {
        let Some(Pair { client, token, repeated, is_known }) = shown.0 else { return };
        if !is_forged && is_known {
            return;
        }
        let mut noted = self.noted();
        if !is_forged {
            return noted.know(token);
        }
        // It was genuine by a key that is no more.
        if is_known {
            noted.known.remove(&token);
            noted.known_before.remove(&token);
        }
        noted.repeats.strike(repeated, now);
        let address = self.hasher.hash_one(client);
        let former = noted.addresses.get(address, now).filter(|former| now < former.since + WINDOW);
        let mut failures = former.unwrap_or(Failures { since: now, count: 0 });
        failures.count = failures.count.saturating_add(1);
        noted.addresses.put(address, failures, now);
        drop(noted);
        if failures.count == self.limit {
            tracing::warn!(
                limit = self.limit,
                peer = %client,
                "too many tokens from one address were refused: for the rest of a minute only those that are known are looked at"
            );
        }
    }

    fn noted(&self) -> MutexGuard<'_, Noted> {
        // Nothing that runs under the lock can panic half-way through a change.
        self.noted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Noted {
    fn know(&mut self, token: u64) {
        if self.known.len() >= KNOWN {
            self.known_before = std::mem::take(&mut self.known);
        }
        self.known.insert(token);
    }
}

impl Failures {
    /// The seconds for which their address is turned away, if it is.
    fn blocks(self, limit: u32, now: Duration) -> Option<u64> {
        let left = (self.since + WINDOW).checked_sub(now).filter(|left| !left.is_zero())?;
        let seconds = u64::try_from(left.as_millis().div_ceil(1000)).unwrap_or(u64::MAX);
        (self.count >= limit).then_some(seconds)
    }
}

/// An address as it is counted: of IPv6 the network of 64 bits, all of which one host may use.
fn counted(client: IpAddr) -> IpAddr {
    match client.to_canonical() {
        IpAddr::V6(ip) if !ip.is_loopback() => {
            Ipv6Addr::from_bits(ip.to_bits() & !u128::from(u64::MAX)).into()
        }
        ip => ip,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: u32 = 10;

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn ip(text: &str) -> Option<IpAddr> {
        Some(text.parse().unwrap())
    }

    /// Shows a token that turns out to be good or forged, if it is looked at.
    fn show(
        guard: &AuthFailures,
        client: &str,
        token: &str,
        is_forged: bool,
        now: Duration,
    ) -> Result<(), Away> {
        let shown = guard.hear(ip(client), token, now)?;
        guard.judged(shown, is_forged, now);
        Ok(())
    }

    fn guess(guard: &AuthFailures, client: &str, count: u32, now: Duration) {
        for n in 0..count {
            show(guard, client, &format!("guess {n} at {now:?}"), true, now).unwrap();
        }
    }

    #[test]
    fn an_address_has_its_share_in_a_minute() {
        let guard = AuthFailures::new(LIMIT);
        show(&guard, "203.0.113.5", "good", false, at(0)).unwrap();
        guess(&guard, "203.0.113.5", LIMIT - 1, at(10));
        assert!(show(&guard, "203.0.113.5", "one more", true, at(40)).is_ok());
        let away = Err(Away { code: &problem::TOO_MANY_REFUSED_TOKENS, seconds: 30 });
        assert_eq!(show(&guard, "203.0.113.5", "a stranger's", false, at(40)), away, "good or not");
        assert_eq!(show(&guard, "::ffff:203.0.113.5", "a stranger's", false, at(40)), away);
        assert!(show(&guard, "203.0.113.5", "good", false, at(40)).is_ok(), "it is known");
        assert!(show(&guard, "203.0.113.6", "a stranger's", false, at(40)).is_ok(), "another address");
        assert!(show(&guard, "203.0.113.5", "a stranger's", false, at(40)).is_ok(), "it is known by now");
        assert!(show(&guard, "203.0.113.5", "any", true, at(69)).is_err());
        guess(&guard, "203.0.113.5", LIMIT, at(70));
        assert!(show(&guard, "203.0.113.5", "any", true, at(70)).is_err(), "a new minute, as the one before");
    }

    #[test]
    fn one_wrong_token_does_not_use_up_the_share() {
        let guard = AuthFailures::new(LIMIT);
        for _ in 0..5 {
            show(&guard, "203.0.113.5", "undefined", true, at(1)).unwrap();
        }
        let away = Err(Away { code: &problem::TOKEN_REFUSED_REPEATEDLY, seconds: 60 });
        for _ in 0..100 {
            assert_eq!(show(&guard, "203.0.113.5", "undefined", true, at(1)), away);
        }
        assert!(show(&guard, "203.0.113.5", "a neighbour's", false, at(1)).is_ok());
    }

    #[test]
    fn what_is_not_genuine_any_more_is_not_known_any_more() {
        let guard = AuthFailures::new(LIMIT);
        show(&guard, "203.0.113.5", "good", false, at(0)).unwrap();
        guess(&guard, "203.0.113.5", LIMIT, at(0));
        assert!(show(&guard, "203.0.113.5", "good", true, at(0)).is_ok(), "its key has gone");
        assert!(show(&guard, "203.0.113.5", "good", true, at(0)).is_err());
    }

    #[test]
    fn networks_of_one_host_count_as_one_and_this_machine_not_at_all() {
        let guard = AuthFailures::new(LIMIT);
        for n in 0..LIMIT {
            show(&guard, &format!("2001:db8::{n:x}"), &n.to_string(), true, at(0)).unwrap();
        }
        assert!(show(&guard, "2001:db8::ffff", "x", true, at(0)).is_err());
        assert!(show(&guard, "2001:db8:0:1::", "x", true, at(0)).is_ok());
        for own in ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"] {
            guess(&guard, own, 10 * LIMIT, at(0));
        }
        let off = AuthFailures::new(0);
        guess(&off, "203.0.113.5", 10 * LIMIT, at(0));
        for _ in 0..10 {
            let shown = guard.hear(None, "x", at(0)).unwrap();
            guard.judged(shown, true, at(0));
        }
    }

    #[test]
    fn what_is_known_is_bounded() {
        let guard = AuthFailures::new(LIMIT);
        for n in 0..3 * KNOWN {
            show(&guard, "203.0.113.5", &n.to_string(), false, at(0)).unwrap();
        }
        let noted = guard.noted();
        assert!(noted.known.len() <= KNOWN && noted.known_before.len() <= KNOWN);
        drop(noted);
        guess(&guard, "203.0.113.5", LIMIT, at(0));
        assert!(show(&guard, "203.0.113.5", &(3 * KNOWN - 1).to_string(), false, at(0)).is_ok());
        assert!(show(&guard, "203.0.113.5", "0", false, at(0)).is_err(), "long ago");
    }
}
