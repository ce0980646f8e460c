//! Runs that are known to wait, and whose turn it is.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use campanile_model::Slug;

use crate::limit::Limit;

/// Runs of one workspace known at once. What is beyond is found in the store when its turn comes; functions ask for
/// no more meanwhile.
const MAX_OF_ONE: usize = 1_000;
/// Runs of one workspace that may wait, here or in the store: some minutes' work of a processor.
pub(super) const MAX_WAITING: usize = 50_000;
pub(super) const LIMIT: Limit = Limit { name: "queued_runs", max: MAX_WAITING };
/// Runs known at once: some 10 MB.
const CAPACITY: usize = 100_000;
/// With fewer of one workspace waiting than this it may be told anew that its limit is nearly reached. A queue that
/// stands at the limit goes below it with every run: half of it is really less.
const FEW: usize = MAX_WAITING / 2;

/// A queue for each workspace: those that have waited longest. All of them are counted; those that are not known here
/// are found in the store when there is room for them, so that none overtakes another.
#[derive(Default)]
pub(super) struct Turns {
    queues: HashMap<Slug, VecDeque<Arc<str>>>,
    /// The workspaces that have one, next first.
    order: VecDeque<Slug>,
    known: HashSet<(Slug, Arc<str>)>,
    /// How many wait of each workspace, here or in the store.
    waiting: HashMap<Slug, usize>,
    /// The workspaces whose limit is nearly reached, and which were told so.
    near: HashSet<Slug>,
}

impl Turns {
    /// A run was committed, or is there since before the server started: behind all that wait.
    pub(super) fn add(&mut self, workspace: &Slug, run: Arc<str>) {
        let is_next = self.unknown(workspace) == 0;
        *self.waiting.entry(workspace.clone()).or_default() += 1;
        if is_next && self.has_room(workspace) {
            self.queue(workspace, run, VecDeque::push_back);
        }
    }

    /// A run whose turn it was can't be begun now: before all that wait.
    pub(super) fn put_back(&mut self, workspace: &Slug, run: Arc<str>) {
        *self.waiting.entry(workspace.clone()).or_default() += 1;
        self.queue(workspace, run, VecDeque::push_front);
    }

    /// A run was found in the store, all that wait for longer having been found before: it is one of those that were
    /// added.
    pub(super) fn found(&mut self, workspace: &Slug, run: Arc<str>) {
        if self.unknown(workspace) > 0 && self.has_room(workspace) {
            self.queue(workspace, run, VecDeque::push_back);
        }
    }

    /// Whether a workspace has none here although some wait, and there is room.
    pub(super) fn is_hungry(&self) -> bool {
        self.known.len() < CAPACITY && self.waiting.keys().any(|slug| !self.queues.contains_key(slug))
    }

    /// Whether more could be found in the store, and there is room for them.
    pub(super) fn wants_more(&self) -> bool {
        self.waiting.keys().any(|slug| self.unknown(slug) > 0 && self.has_room(slug))
    }

    /// How many will wait once `more` are committed, if that is the first time since there were few that the limit is
    /// nearly reached. That counts as told, unless it is [taken back](Self::forget_near).
    pub(super) fn nearly_full(&mut self, workspace: &Slug, more: usize) -> Option<usize> {
        let waiting = self.waiting(workspace) + more;
        let is_told = more > 0 && LIMIT.is_near(waiting) && self.near.insert(workspace.clone());
        is_told.then_some(waiting)
    }

    /// It was not told after all.
    pub(super) fn forget_near(&mut self, workspace: &Slug) {
        self.near.remove(workspace);
    }

    /// Whether so many of one workspace wait that functions are not to ask for more.
    pub(super) fn is_busy(&self, workspace: &Slug) -> bool {
        self.waiting(workspace) >= MAX_OF_ONE
    }

    /// Whether as many of one workspace wait as may, with `more` that are about to.
    pub(super) fn is_full(&self, workspace: &Slug, more: usize) -> bool {
        self.waiting(workspace) + more >= MAX_WAITING
    }

    fn waiting(&self, workspace: &Slug) -> usize {
        self.waiting.get(workspace).copied().unwrap_or(0)
    }

    /// How many wait in the store only.
    fn unknown(&self, workspace: &Slug) -> usize {
        self.waiting(workspace).saturating_sub(self.queues.get(workspace).map_or(0, VecDeque::len))
    }

    fn has_room(&self, workspace: &Slug) -> bool {
        self.known.len() < CAPACITY && self.queues.get(workspace).is_none_or(|queue| queue.len() < MAX_OF_ONE)
    }

    fn queue(&mut self, workspace: &Slug, run: Arc<str>, push: fn(&mut VecDeque<Arc<str>>, Arc<str>)) {
        if !self.known.insert((workspace.clone(), Arc::clone(&run))) {
            return;
        }
        let queue = self.queues.entry(workspace.clone()).or_insert_with(|| {
            self.order.push_back(workspace.clone());
            VecDeque::new()
        });
        push(queue, run);
    }

    /// The run whose turn it is: the longest waiting of the workspace that has the fewest `executing`, and of
    /// those with as few the one that had no turn for longest. With `spared` only of a workspace that has none.
    pub(super) fn next(
        &mut self,
        executing: &HashMap<&Slug, usize>,
        spared: bool,
    ) -> Option<(Slug, Arc<str>)> {
        let busy = |slug: &Slug| executing.get(slug).copied().unwrap_or(0);
        let (place, slug) = self.order.iter().enumerate().min_by_key(|(_, slug)| busy(slug))?;
        if spared && busy(slug) > 0 {
            return None;
        }
        let workspace = self.order.remove(place)?;
        let queue = self.queues.get_mut(&workspace)?;
        let run = queue.pop_front()?;
        if queue.is_empty() {
            self.queues.remove(&workspace);
        } else {
            self.order.push_back(workspace.clone());
        }
        self.known.remove(&(workspace.clone(), Arc::clone(&run)));
        if let Entry::Occupied(mut waiting) = self.waiting.entry(workspace.clone()) {
            *waiting.get_mut() -= 1;
            if *waiting.get() < FEW {
                self.near.remove(&workspace);
            }
            if *waiting.get() == 0 {
                waiting.remove();
            }
        }
        Some((workspace, run))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slug(text: &str) -> Slug {
        Slug::new(text).unwrap()
    }

    fn taken(turns: &mut Turns, executing: &[(&str, usize)]) -> String {
        let slugs: Vec<_> = executing.iter().map(|(text, count)| (slug(text), *count)).collect();
        let executing = slugs.iter().map(|(slug, count)| (slug, *count)).collect();
        turns.next(&executing, false).map_or_else(String::new, |(slug, run)| format!("{slug}:{run}"))
    }

    #[test]
    fn workspaces_take_turns_and_the_idle_one_is_first() {
        let mut turns = Turns::default();
        for run in ["1", "2", "3", "4"] {
            turns.add(&slug("a"), run.into());
        }
        assert_eq!(taken(&mut turns, &[]), "a:1");
        turns.add(&slug("b"), "1".into());
        turns.add(&slug("c"), "1".into());
        turns.add(&slug("c"), "2".into());
        assert_eq!(taken(&mut turns, &[("a", 1)]), "b:1");
        assert_eq!(taken(&mut turns, &[("a", 1), ("b", 1)]), "c:1");
        assert_eq!(taken(&mut turns, &[("a", 1), ("b", 1), ("c", 1)]), "a:2");
        assert_eq!(taken(&mut turns, &[("a", 2), ("c", 1)]), "c:2");
        assert_eq!([taken(&mut turns, &[("a", 9)]), taken(&mut turns, &[])], ["a:3", "a:4"]);
        assert!(turns.order.is_empty() && turns.known.is_empty() && turns.queues.is_empty());
        assert!(turns.waiting.is_empty() && !turns.is_hungry());
        assert!(turns.near.is_empty());
        assert_eq!(taken(&mut turns, &[]), "");
    }

    #[test]
    fn a_spared_slot_is_for_a_workspace_that_executes_nothing() {
        let mut turns = Turns::default();
        let (a, b) = (slug("a"), slug("b"));
        turns.add(&a, "1".into());
        let executing = HashMap::from([(&a, 1)]);
        assert_eq!(turns.next(&executing, true), None);
        turns.add(&b, "1".into());
        assert_eq!(turns.next(&executing, true), Some((b.clone(), "1".into())));
        assert_eq!(turns.next(&HashMap::from([(&a, 1), (&b, 1)]), true), None);
        assert_eq!(turns.next(&HashMap::new(), true), Some((a.clone(), "1".into())));
    }

    #[test]
    fn a_queue_that_is_nearly_full_is_told_once_until_few_wait() {
        let (mut turns, a) = (Turns::default(), slug("a"));
        let add = |turns: &mut Turns, from: usize, to: usize| {
            (from..to).for_each(|run| turns.add(&a, run.to_string().into()));
        };
        add(&mut turns, 0, 44_999);
        assert_eq!(turns.nearly_full(&a, 0), None);
        assert_eq!(turns.nearly_full(&slug("b"), 44_999), None);
        assert_eq!(turns.nearly_full(&a, 150), Some(45_149));
        assert_eq!(turns.nearly_full(&a, 1), None, "somebody is about to tell it");
        turns.forget_near(&a);
        assert_eq!(turns.nearly_full(&a, 1), Some(45_000));
        add(&mut turns, 44_999, 45_000);
        // It goes up and down at the limit, and is told no more.
        let begin = |turns: &mut Turns, from: usize, to: usize| {
            for run in from..to {
                if turns.is_hungry() {
                    (run..to).for_each(|run| turns.found(&a, run.to_string().into()));
                }
                assert_eq!(taken(turns, &[]), format!("a:{run}"));
            }
        };
        begin(&mut turns, 0, 20_000);
        assert_eq!(turns.nearly_full(&a, 20_000), None, "it was told");
        begin(&mut turns, 20_000, 20_001);
        assert_eq!(turns.nearly_full(&a, 20_000), None, "fewer than nine tenths");
        assert_eq!(turns.nearly_full(&a, 20_001), Some(45_000));
    }

    #[test]
    fn what_has_no_room_is_found_again_in_its_place() {
        let (mut turns, a, b) = (Turns::default(), slug("a"), slug("b"));
        let all: Vec<Arc<str>> = (0..MAX_OF_ONE + 5).map(|run| run.to_string().into()).collect();
        all.iter().for_each(|run| turns.add(&a, Arc::clone(run)));
        assert_eq!(turns.known.len(), MAX_OF_ONE);
        assert!(turns.is_busy(&a) && !turns.is_busy(&b) && !turns.is_hungry());
        turns.add(&b, "1".into());
        assert_eq!([taken(&mut turns, &[]), taken(&mut turns, &[])], ["a:0", "b:1"]);
        assert!(turns.wants_more(), "there is room for one");
        turns.add(&a, "late".into());
        for run in 1..MAX_OF_ONE {
            assert_eq!(
                taken(&mut turns, &[]),
                format!("a:{run}"),
                "those from the store were there before the late one"
            );
        }
        assert_eq!(taken(&mut turns, &[]), "");
        assert!(turns.is_hungry());
        // The store tells all that wait, in their order.
        all[MAX_OF_ONE..].iter().for_each(|run| turns.found(&a, Arc::clone(run)));
        turns.found(&a, "late".into());
        turns.found(&a, "one that is executed already".into());
        turns.put_back(&a, "again".into());
        let mut rest = vec![];
        while turns.waiting(&a) > 0 {
            rest.push(taken(&mut turns, &[]));
        }
        assert_eq!(rest, ["a:again", "a:1000", "a:1001", "a:1002", "a:1003", "a:1004", "a:late"]);
        assert!(!turns.is_hungry() && !turns.wants_more());
    }

    #[test]
    fn those_that_wait_in_the_store_are_counted_too() {
        let (mut turns, a) = (Turns::default(), slug("a"));
        for run in 0..MAX_WAITING {
            assert!(!turns.is_full(&a, 0));
            turns.add(&a, run.to_string().into());
        }
        assert!(turns.is_full(&a, 0) && !turns.is_full(&slug("b"), MAX_WAITING - 1));
        assert_eq!(taken(&mut turns, &[]), "a:0");
        assert!(!turns.is_full(&a, 0) && turns.is_full(&a, 1), "one has begun");
    }
}
