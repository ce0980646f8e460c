//! Which notifications supersede each other: those of one key to the same people.

use std::collections::BTreeSet;

use campanile_model::{Audience, Notification, UserId};
use uuid::Uuid;

/// Whether publishing one of them supersedes the other. The order of names does not matter.
pub(crate) fn collapse(one: &Notification, other: &Notification) -> bool {
    one.collapse_key.is_some() && Terms::of(one) == Terms::of(other)
}

/// Names the notifications that supersede each other; `None` where there is no key. For an index: whoever
/// finds something by it compares with [`collapse`] all the same.
pub(crate) fn digest(notification: &Notification) -> Option<[u8; 16]> {
    notification.collapse_key.as_ref()?;
    let mut text = Vec::new();
    for term in Terms::of(notification).words() {
        // Lengths keep two lists from reading as one.
        text.extend((term.len() as u64).to_le_bytes());
        text.extend(term.as_bytes());
    }
    Some(Uuid::new_v5(&NAMESPACE, &text).into_bytes())
}

/// Drawn for this purpose; it is in every database.
const NAMESPACE: Uuid = Uuid::from_u128(0x6f1c_5a0e_9d0b_4f57_8a7e_2b1d_c4a3_90e6);

#[derive(PartialEq, Eq)]
struct Terms<'a> {
    key: &'a str,
    kind: &'static str,
    topic: &'a str,
    users: BTreeSet<&'a UserId>,
    except: BTreeSet<&'a UserId>,
}

impl<'a> Terms<'a> {
    fn of(notification: &'a Notification) -> Self {
        let (kind, topic, users): (_, _, &[UserId]) = match &notification.audience {
            Audience::Users(users) => ("users", "", users),
            Audience::Topic(topic) => ("topic", topic.as_str(), &[]),
            Audience::Workspace => ("workspace", "", &[]),
        };
        Self {
            key: notification.collapse_key.as_deref().unwrap_or(""),
            kind,
            topic,
            users: users.iter().collect(),
            except: notification.except.iter().collect(),
        }
    }

    fn words(&self) -> impl Iterator<Item = &'a str> {
        let names = |set: &BTreeSet<&'a UserId>| set.iter().map(|user| user.as_str()).collect::<Vec<_>>();
        let (users, except) = (names(&self.users), names(&self.except));
        // A user's name is never empty, so an empty word ends the list of users.
        [self.key, self.kind, self.topic].into_iter().chain(users).chain([""]).chain(except)
    }
}

#[cfg(test)]
mod tests {
    use campanile_model::{Level, NotificationId, Timestamp, Topic};

    use super::*;

    fn notification(key: Option<&str>, audience: Audience, except: &[&str]) -> Notification {
        Notification {
            id: NotificationId(Uuid::nil()),
            audience,
            except: users(except),
            title: String::new(),
            message: String::new(),
            kind: "info".into(),
            level: Level::Info,
            timestamp: Timestamp::from_millis(0),
            metadata: None,
            event: None,
            product_name: None,
            expiry_date: None,
            expires_at: None,
            collapse_key: key.map(Into::into),
            updated_at: None,
        }
    }

    fn users(names: &[&str]) -> Vec<UserId> {
        names.iter().map(|name| UserId::new(name).unwrap()).collect()
    }

    #[test]
    fn order_does_not_matter_and_everything_else_does() {
        let topic = |name| Audience::Topic(Topic::new(name).unwrap());
        let named = |names: &[&str]| Audience::Users(users(names));
        let different = [
            notification(Some("k"), named(&["a", "b"]), &[]),
            notification(Some("k"), named(&["a"]), &["b"]),
            notification(Some("k"), named(&["a"]), &[]),
            notification(Some("k"), named(&["ab"]), &[]),
            notification(Some("l"), named(&["a"]), &[]),
            notification(Some("k"), topic("a"), &[]),
            notification(Some("k"), topic("b"), &[]),
            notification(Some("k"), Audience::Workspace, &[]),
            notification(Some("k"), Audience::Workspace, &["a"]),
            notification(Some(""), Audience::Workspace, &[]),
        ];
        for (n, one) in different.iter().enumerate() {
            for (m, other) in different.iter().enumerate() {
                assert_eq!(collapse(one, other), n == m, "{n} {m}");
                assert_eq!(digest(one) == digest(other), n == m, "{n} {m}");
            }
        }
        let turned = notification(Some("k"), named(&["b", "a"]), &["d", "c"]);
        let straight = notification(Some("k"), named(&["a", "b"]), &["c", "d"]);
        assert!(collapse(&turned, &straight) && digest(&turned) == digest(&straight));
    }

    #[test]
    fn without_a_key_nothing_is_superseded() {
        let one = notification(None, Audience::Workspace, &[]);
        assert!(!collapse(&one, &one) && digest(&one).is_none());
    }
}
