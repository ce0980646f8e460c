//! What a user is shown: what the server said, and on top of it what the user did since.

use std::collections::HashMap;
use std::sync::Arc;

use crate::actions::Action;
use crate::inbox::Filter;
use crate::notification::Notification;
use crate::store::{Depths, Store};

/// Items and counts as they are shown.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct View {
    /// All that is in memory, newest first.
    pub items: Vec<Arc<Notification>>,
    /// How far down each list is.
    pub depths: Depths,
    pub unread: u64,
    pub unseen: u64,
}

impl View {
    /// Shows a store, with these actions on top. `local`: nobody tells counts, they are those of the items.
    pub fn of<'a>(store: &Store, actions: impl Iterator<Item = &'a Action>, local: bool) -> Self {
        let items: Vec<Arc<Notification>> = store.items().cloned().collect();
        let (depths, unread, unseen) = if local {
            let count =
                |flag: fn(&Notification) -> bool| items.iter().filter(|item| !flag(item)).count() as u64;
            (Depths::ALL, count(|item| item.read), count(|item| item.seen))
        } else {
            (store.depths, store.unread, store.unseen)
        };
        let mut view = Self { items, depths, unread, unseen };
        let mut actions = actions.peekable();
        if actions.peek().is_some() {
            let places: HashMap<String, usize> =
                view.items.iter().enumerate().map(|(at, item)| (item.id.clone(), at)).collect();
            for action in actions {
                view.take(action, &places);
            }
        }
        view
    }

    fn take(&mut self, action: &Action, places: &HashMap<String, usize>) {
        match action {
            Action::ReadAll { up_to } => self.take_up_to(*up_to, true),
            Action::Seen { up_to } => self.take_up_to(*up_to, false),
            Action::Read { id } | Action::Unread { id } | Action::Archive { id } => {
                let Some(item) = places.get(id).and_then(|at| self.items.get_mut(*at)) else { return };
                let (was_read, was_seen) = (item.read, item.seen);
                let item = Arc::make_mut(item);
                perform(action, item);
                step(&mut self.unread, was_read, item.read);
                step(&mut self.unseen, was_seen, item.seen);
            }
        }
    }

    /// Everything up to a place, in memory or not. What is above it arrived since, and is in memory.
    fn take_up_to(&mut self, up_to: u64, read: bool) {
        for item in &mut self.items {
            if item.seq.is_some_and(|seq| seq <= up_to) && (!item.seen || read && !item.read) {
                let item = Arc::make_mut(item);
                item.seen = true;
                item.read |= read;
            }
        }
        let above = |flag: fn(&Notification) -> bool| {
            self.items.iter().filter(|item| item.seq.is_some_and(|seq| seq > up_to) && !flag(item)).count()
                as u64
        };
        self.unseen = self.unseen.min(above(|item| item.seen));
        if read {
            self.unread = self.unread.min(above(|item| item.read));
        }
    }
}

/// Those of a filter among these items, down to where its list was loaded.
pub(crate) fn list(items: &[Arc<Notification>], depths: Depths, filter: Filter) -> Vec<Arc<Notification>> {
    let bottom = depths.bottom(filter).unwrap_or(u64::MAX);
    let listed = |item: &&Arc<Notification>| {
        item.archived == filter.archived
            && !(filter.unread && item.read)
            && item.seq.is_none_or(|seq| seq >= bottom)
    };
    items.iter().filter(listed).cloned().collect()
}

/// What an action on one entry makes of it.
pub(crate) fn perform(action: &Action, item: &mut Notification) {
    match action {
        Action::Read { .. } => item.mark(true, true, item.archived),
        Action::Unread { .. } => item.mark(item.seen, false, false),
        Action::Archive { .. } => item.mark(true, true, true),
        Action::ReadAll { .. } | Action::Seen { .. } => {}
    }
}

fn step(count: &mut u64, was: bool, is: bool) {
    match (was, is) {
        (false, true) => *count = count.saturating_sub(1),
        (true, false) => *count = count.saturating_add(1),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inbox::Page;
    use crate::surface::{Frame, Hello};

    fn store() -> Store {
        let mut store = Store::new(10, None);
        store.apply(&Frame::Hello(Hello { unread: 5, unseen: 4, ..Hello::default() }));
        for seq in 1..=3 {
            let item = Notification { seq: Some(seq), id: format!("n{seq}"), ..Notification::default() };
            store.apply(&Frame::Notification { seq: Some(seq), item: Box::new(item) });
        }
        store
    }

    fn show(actions: &[Action]) -> (Vec<bool>, u64, u64) {
        let view = View::of(&store(), actions.iter(), false);
        let shown = list(&view.items, view.depths, Filter::default());
        (shown.iter().map(|item| item.read).collect(), view.unread, view.unseen)
    }

    #[test]
    fn actions_show_at_once_and_twice_is_once() {
        assert_eq!(show(&[]), (vec![false, false, false], 8, 7));
        let read = Action::Read { id: "n2".into() };
        assert_eq!(show(&[read.clone(), read.clone()]), (vec![false, true, false], 7, 6));
        assert_eq!(show(&[read, Action::Unread { id: "n2".into() }]), (vec![false, false, false], 8, 6));
        assert_eq!(show(&[Action::Archive { id: "unknown".into() }]), (vec![false, false, false], 8, 7));
        assert_eq!(show(&[Action::Archive { id: "n3".into() }]), (vec![false, false], 7, 6));
    }

    #[test]
    fn all_up_to_a_place_are_read_also_those_that_are_not_in_memory() {
        assert_eq!(show(&[Action::ReadAll { up_to: 2 }]), (vec![false, true, true], 1, 1));
        assert_eq!(show(&[Action::Seen { up_to: 3 }]), (vec![false, false, false], 8, 0));
    }

    #[test]
    fn without_counts_the_items_are_counted() {
        let view = View::of(&store(), [Action::Read { id: "n1".into() }].iter(), true);
        assert_eq!((view.unread, view.unseen), (2, 2));
    }

    #[test]
    fn each_list_is_shown_down_to_where_it_was_loaded() {
        let mut store = store();
        let item = |seq, archived| Notification {
            seq: Some(seq),
            id: format!("n{seq}"),
            read: archived,
            archived,
            ..Notification::default()
        };
        store.depths.reach(Filter::default(), 2);
        let (unread, archived) =
            (Filter { unread: true, archived: false }, Filter { unread: false, archived: true });
        let page = Page { items: vec![item(1, false)], head: 3, ..Page::default() };
        store.expect_page();
        store.merge(&page, unread, false);
        store.restore(vec![item(0, true)]);
        let places = |filter, actions: &[Action]| -> Vec<u64> {
            let view = View::of(&store, actions.iter(), false);
            list(&view.items, view.depths, filter).iter().filter_map(|item| item.seq).collect()
        };
        assert_eq!((places(Filter::default(), &[]), places(unread, &[])), (vec![3, 2], vec![3, 2, 1]));
        assert_eq!(places(archived, &[]), [0; 0], "it was not asked for yet");
        let done = [Action::Read { id: "n2".into() }, Action::Archive { id: "n3".into() }];
        assert_eq!((places(Filter::default(), &done), places(unread, &done)), (vec![2], vec![1]));
    }
}
