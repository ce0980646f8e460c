//! What of one user in one workspace is kept across restarts, and under which name.

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::actions::Queue;
use crate::notification::Notification;
use crate::store::{Depths, Position, Store};
use crate::surface::Surface;

/// The form of what is kept. Another one is not read.
const VERSION: u32 = 2;

/// What is kept. Never a token.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Kept {
    version: u32,
    /// Whose it is: two owners may have the same name by accident.
    owner: String,
    /// Who it was in the server's words.
    pub user: Option<String>,
    position: Option<Position>,
    head: u64,
    told_rev: u64,
    unread: u64,
    unseen: u64,
    read_up_to: u64,
    seen_up_to: u64,
    depths: Depths,
    items: Vec<Notification>,
    queue: Queue,
}

/// Whose it is: a user of a server, in one place there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Owner {
    user: String,
    place: String,
}

impl Owner {
    pub fn new(origin: &str, user: &str, surface: Surface, workspace: &str) -> Self {
        let place = match surface {
            Surface::Native => json!(["native", workspace]),
            Surface::Workspace => json!(["workspace", workspace]),
            // It has all workspaces of its user.
            Surface::Product => json!(["product"]),
        };
        Self { user: user_of(origin, user), place: place.to_string() }
    }

    /// The name under which it is kept: the digits of the user, then those of the place.
    pub fn name(&self) -> String {
        digits(&self.user) + &digits(&self.place)
    }

    fn text(&self) -> String {
        format!("{}{}", self.user, self.place)
    }
}

/// How all names begin under which something is kept of a user, wherever.
pub(crate) fn prefix(origin: &str, user: &str) -> String {
    digits(&user_of(origin, user))
}

fn user_of(origin: &str, user: &str) -> String {
    json!([origin, user]).to_string()
}

/// 32 hexadecimal digits: FNV-1a of a text.
fn digits(text: &str) -> String {
    let mut hash = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d_u128;
    for byte in text.bytes() {
        hash = (hash ^ u128::from(byte)).wrapping_mul(0x0000_0000_0100_0000_0000_0000_0000_013b);
    }
    format!("{hash:032x}")
}

impl Kept {
    /// What is to be kept of this owner. `most`: how many items at most, the newest; `None`: neither they nor the position
    /// are worth it.
    pub fn of(owner: &Owner, store: &Store, queue: &Queue, most: Option<usize>) -> Self {
        let kept = Self { queue: queue.clone(), ..Self::nothing(owner) };
        // A store that must be read again is not worth to be resumed.
        let worth = store.position.is_some() && !store.is_incomplete();
        let Some(most) = most.filter(|_| worth) else { return kept };
        let items: Vec<Notification> = store.items().take(most).map(|item| (**item).clone()).collect();
        let mut depths = store.depths;
        if store.items().count() > most
            && let Some(oldest) = items.iter().rev().find_map(|item| item.seq)
        {
            depths.raise(oldest);
        }
        Self {
            position: store.position.clone(),
            head: store.head,
            told_rev: store.told_rev,
            unread: store.unread,
            unseen: store.unseen,
            read_up_to: store.read_up_to,
            seen_up_to: store.seen_up_to,
            depths,
            items,
            ..kept
        }
    }

    /// Nothing but the owner.
    pub fn nothing(owner: &Owner) -> Self {
        Self { version: VERSION, owner: owner.text(), ..Self::default() }
    }

    /// Adds actions behind those that are kept.
    pub fn add(&mut self, later: Queue) {
        self.queue.yield_to(&later.actions().cloned().collect::<Vec<_>>());
        self.queue.append(later);
    }

    /// The same, with the server's word on whose it is.
    pub fn said_by(self, user: Option<String>) -> Self {
        Self { user, ..self }
    }

    /// Reads what was kept of this owner. `None`: it is another's, or in another form.
    pub fn read(text: &str, owner: &Owner) -> Option<Self> {
        let kept: Self = serde_json::from_str(text).ok()?;
        (kept.version == VERSION && kept.owner == owner.text()).then_some(kept)
    }

    /// The text to keep.
    pub fn text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// The store, of so many items, and the queue as they were.
    pub fn restore(self, max_items: usize) -> (Store, Queue) {
        let mut store = Store::new(max_items, self.position);
        store.loaded = true;
        (store.head, store.told_rev) = (self.head, self.told_rev);
        (store.unread, store.unseen) = (self.unread, self.unseen);
        (store.read_up_to, store.seen_up_to) = (self.read_up_to, self.seen_up_to);
        store.depths = self.depths;
        store.restore(self.items);
        (store, self.queue)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::actions::Action;
    use crate::inbox::{Filter, Page};
    use crate::surface::{Frame, Hello};

    const ORIGIN: &str = "https://example.com/";

    fn owner(user: &str, workspace: &str) -> Owner {
        Owner::new(ORIGIN, user, Surface::Native, workspace)
    }

    #[test]
    fn names_of_one_user_begin_alike_and_are_one_for_each_place() {
        let names = [
            owner("alice", "demo").name(),
            owner("alice", "other").name(),
            Owner::new(ORIGIN, "alice", Surface::Workspace, "demo").name(),
            Owner::new(ORIGIN, "alice", Surface::Product, "").name(),
        ];
        for (at, name) in names.iter().enumerate() {
            assert!(name.starts_with(&prefix(ORIGIN, "alice")) && name.len() == 64, "{name}");
            assert!(!names[..at].contains(name));
        }
        assert!(!owner("bob", "demo").name().starts_with(&prefix(ORIGIN, "alice")));
        assert!(!names[0].starts_with(&prefix("https://example.org/", "alice")));
    }

    #[test]
    fn what_was_kept_comes_back_to_its_owner_only() {
        let mut store = Store::new(10, None);
        store.apply(&Frame::Hello(Hello {
            epoch: Some("e".into()),
            seq: 4,
            head: 4,
            unread: 2,
            ..Hello::default()
        }));
        store.expect_page();
        store.merge(&Page { unread: 2, head: 4, ..Page::default() }, Filter::default(), true);
        let item =
            Notification { seq: Some(5), id: "a".into(), title: "T".into(), ..Notification::default() };
        store.apply(&Frame::Notification { seq: Some(5), item: Box::new(item) });
        let mut queue = Queue::default();
        queue.push(Action::Read { id: "a".into() }, "k".into(), false, None).unwrap();
        let owner = owner("alice", "demo");
        let text = Kept::of(&owner, &store, &queue, Some(10)).text();
        assert_eq!(Kept::read(&text, &Owner::new(ORIGIN, "bob", Surface::Native, "demo")), None);
        let (again, waiting) = Kept::read(&text, &owner).unwrap().restore(10);
        assert_eq!((again.horizon(), again.unread, again.item("a").unwrap().title.as_str()), (5, 3, "T"));
        assert_eq!(waiting, queue);
    }

    #[test]
    fn a_store_that_must_be_read_again_is_not_kept_but_actions_are() {
        let mut store = Store::new(10, None);
        store.apply(&Frame::Hello(Hello { epoch: Some("e".into()), seq: 4, ..Hello::default() }));
        let owner = owner("alice", "demo");
        let text = Kept::of(&owner, &store, &Queue::default(), Some(10)).text();
        assert_eq!(Kept::read(&text, &owner).unwrap().restore(10).0.position, None);
    }

    #[test]
    fn the_newest_items_are_kept_and_the_rest_is_loaded_again_when_asked_for() {
        let mut store = Store::new(10, None);
        store.apply(&Frame::Hello(Hello { epoch: Some("e".into()), ..Hello::default() }));
        store.expect_page();
        let item = |seq| Notification { seq: Some(seq), id: format!("n{seq}"), ..Notification::default() };
        let page = Page { items: (1..=8).rev().map(item).collect(), head: 8, ..Page::default() };
        store.merge(&page, Filter::default(), true);
        let owner = owner("alice", "demo");
        for (most, count, bottom) in [(8, 8, 0), (3, 3, 6)] {
            let text = Kept::of(&owner, &store, &Queue::default(), Some(most)).text();
            let again = Kept::read(&text, &owner).unwrap().restore(10).0;
            assert_eq!(again.items().count(), count);
            assert_eq!(again.depths.bottom(Filter::default()), Some(bottom));
        }
    }
}
