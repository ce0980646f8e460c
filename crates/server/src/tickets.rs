//! One-time tickets: what stands in a socket's address in place of a token, so that no token stands in a log.

use std::collections::{BTreeSet, HashMap};
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use campanile_auth::Identity;
use campanile_model::{Timestamp, UserId};

use crate::private_file::random;

/// What every ticket begins with.
const PREFIX: &str = "cmp_tk_";
/// How long one is good, in milliseconds (the protocol, §4).
const LIFE_MS: i64 = 60_000;
/// Tickets at once: a thousand a second, some 10 MiB with the identities they stand for.
const CAPACITY: usize = 65_536;
/// Tickets of one user at once, so that nobody takes them all.
const OF_ONE_USER: u32 = 64;

/// The tickets that were given and not used. They are in no store: another process refuses them.
#[derive(Default)]
pub struct Tickets(Mutex<Given>);

#[derive(Default)]
struct Given {
    /// By their hash: a ticket is a secret, and is not kept.
    tickets: HashMap<Hash, Ticket>,
    /// Each with its end, the oldest first.
    ends: BTreeSet<(Timestamp, Hash)>,
    of_user: HashMap<UserId, u32>,
}

type Hash = [u8; digest::SHA256_OUTPUT_LEN];

struct Ticket {
    identity: Arc<Identity>,
    until: Timestamp,
    /// When it is forgotten.
    end: Timestamp,
}

/// Why there is no ticket.
#[derive(Debug, thiserror::Error)]
pub enum TicketError {
    /// As many wait to be used as may.
    #[error("too many tickets wait to be used")]
    TooMany,
    /// The system has no randomness.
    #[error("no ticket can be made: {0}")]
    Random(#[from] io::Error),
}

impl Tickets {
    /// A ticket for whoever `identity` is, and until when it is good: 60 seconds, or less where the token has less.
    ///
    /// # Errors
    /// See [`TicketError`].
    pub fn give(&self, identity: Arc<Identity>, now: Timestamp) -> Result<(String, Timestamp), TicketError> {
        let text = format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(random::<32>()?));
        let end = Timestamp::from_millis(now.as_millis().saturating_add(LIFE_MS));
        let until = end.min(identity.expires_at);
        let mut given = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        given.forget(now);
        if given.tickets.len() >= CAPACITY
            || given.of_user.get(&identity.user).is_some_and(|n| *n >= OF_ONE_USER)
        {
            return Err(TicketError::TooMany);
        }
        let hash = hash(&text);
        *given.of_user.entry(identity.user.clone()).or_default() += 1;
        given.ends.insert((end, hash));
        given.tickets.insert(hash, Ticket { identity, until, end });
        Ok((text, until))
    }

    /// Whom the ticket stands for; nobody asks twice. The token behind it is to be judged again.
    pub fn take(&self, text: &str, now: Timestamp) -> Option<Arc<Identity>> {
        let mut given = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let ticket = given.remove(&hash(text))?;
        (ticket.until > now).then_some(ticket.identity)
    }
}

impl Given {
    fn forget(&mut self, now: Timestamp) {
        while let Some((_, hash)) = self.ends.first().filter(|(end, _)| *end <= now).copied() {
            self.remove(&hash);
        }
    }

    fn remove(&mut self, hash: &Hash) -> Option<Ticket> {
        let ticket = self.tickets.remove(hash)?;
        self.ends.remove(&(ticket.end, *hash));
        if let Some(count) = self.of_user.get_mut(&ticket.identity.user) {
            *count -= 1;
            if *count == 0 {
                self.of_user.remove(&ticket.identity.user);
            }
        }
        Some(ticket)
    }
}

/// SHA-256: 256 random bits need nothing slower, and finding one by its hash tells a stranger nothing by its time.
fn hash(text: &str) -> Hash {
    let mut hash = [0; digest::SHA256_OUTPUT_LEN];
    hash.copy_from_slice(digest::digest(&digest::SHA256, text.as_bytes()).as_ref());
    hash
}

#[cfg(test)]
mod tests {
    use campanile_auth::{Words, Workspaces};

    use super::*;

    fn identity(user: &str, expires_at: i64) -> Arc<Identity> {
        Arc::new(Identity {
            user: UserId::new(user).unwrap(),
            workspaces: Workspaces::Unstated,
            scopes: Words::default(),
            issuer: None,
            issued_at: None,
            expires_at: at(expires_at),
            token_id: None,
        })
    }

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    #[test]
    fn good_once_for_a_minute() {
        let tickets = Tickets::default();
        let (first, until) = tickets.give(identity("a", 1_000_000), at(0)).unwrap();
        assert_eq!(until, at(60_000));
        assert_eq!(tickets.take(&first, at(59_999)).unwrap().user.as_str(), "a");
        assert!(tickets.take(&first, at(59_999)).is_none());
        let (late, _) = tickets.give(identity("a", 1_000_000), at(0)).unwrap();
        assert!(tickets.take(&late, at(60_000)).is_none());
        let (short, until) = tickets.give(identity("a", 5_000), at(0)).unwrap();
        assert_eq!(until, at(5_000));
        assert!(tickets.take(&short, at(5_000)).is_none());
        assert!(tickets.take("cmp_tk_", at(0)).is_none());
    }

    #[test]
    fn one_that_was_used_leaves_nothing_behind() {
        let tickets = Tickets::default();
        for _ in 0..1_000 {
            let (ticket, _) = tickets.give(identity("a", 1_000_000), at(0)).unwrap();
            tickets.take(&ticket, at(0)).unwrap();
        }
        let given = tickets.0.lock().unwrap();
        assert_eq!((given.tickets.len(), given.ends.len(), given.of_user.len()), (0, 0, 0));
    }

    #[test]
    fn bounded_for_a_user_and_forgotten() {
        let tickets = Tickets::default();
        for _ in 0..OF_ONE_USER {
            tickets.give(identity("a", 1_000_000), at(0)).unwrap();
        }
        assert!(matches!(tickets.give(identity("a", 1_000_000), at(59_999)), Err(TicketError::TooMany)));
        tickets.give(identity("b", 1_000_000), at(59_999)).unwrap();
        tickets.give(identity("a", 1_000_000), at(60_000)).unwrap();
        let given = tickets.0.lock().unwrap();
        assert_eq!((given.tickets.len(), given.ends.len(), given.of_user.len()), (2, 2, 2));
    }
}
