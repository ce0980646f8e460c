//! Runs that are known to wait, and whose turn it is.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use campanile_model::Slug;

use crate::limit::Limit;

/// Runs of one workspace known at once. What is beyond is found in the store when its turn comes.
const MAX_OF_ONE: usize = 1_000;
/// Runs of one workspace that may wait, here or in the store: some minutes' work of a processor.
pub(super) const MAX_WAITING: usize = 50_000;
pub(super) const LIMIT: Limit = Limit { name: "queued_runs", max: MAX_WAITING };
/// Runs known at once: some 10 MB.
const CAPACITY: usize = 100_000;
/// With fewer of one workspace waiting than this it may be told anew that its limit is nearly reached. A queue that
/// stands at the limit goes below it with every run: half of it is really less.
const FEW: usize = MAX_WAITING / 2;

/// A queue for each workspace. What is not known here waits in the store, where all of it is.
#[derive(Default)]
pub(super) struct Turns {
    queues: HashMap<Slug, VecDeque<Arc<str>>>,
    /// The workspaces that have one, next first.
    order: VecDeque<Slug>,
    known: HashSet<(Slug, Arc<str>)>,
    /// How many wait of each workspace, here or in the store, of those that were added since the server started.
    waiting: HashMap<Slug, usize>,
    /// The workspaces whose limit is nearly reached, and which were told so.
    near: HashSet<Slug>,
}

impl Turns {
    /// A run was committed.
    pub(super) fn add(&mut self, workspace: &Slug, run: Arc<str>) {
        *self.waiting.entry(workspace.clone()).or_default() += 1;
        if !self.is_busy(workspace) && self.known.len() < CAPACITY {
            self.queue(workspace, run, VecDeque::push_back);
        }
        if LIMIT.is_near(self.waiting(workspace)) {
            self.near.insert(workspace.clone());
        }
    }

    /// How many will wait once `more` are committed, if that is the first time since there were few that the limit is
    /// nearly reached.
    pub(super) fn nearly_full(&self, workspace: &Slug, more: usize) -> Option<usize> {
        let waiting = self.waiting(workspace) + more;
        (more > 0 && LIMIT.is_near(waiting) && !self.near.contains(workspace)).then_some(waiting)
    }

    /// Whether as many of one workspace wait as are known at once.
    pub(super) fn is_busy(&self, workspace: &Slug) -> bool {
        self.queues.get(workspace).is_some_and(|queue| queue.len() >= MAX_OF_ONE)
    }

    /// Whether as many of one workspace wait as may.
    pub(super) fn is_full(&self, workspace: &Slug) -> bool {
        self.waiting(workspace) >= MAX_WAITING
    }

    fn waiting(&self, workspace: &Slug) -> usize {
        self.waiting.get(workspace).copied().unwrap_or(0)
    }

    /// Runs found in the store, the longest waiting first. Those that are not known had no room, or are from before
    /// the server started: they are older than the others, and have it now.
    pub(super) fn found(&mut self, runs: Vec<(Slug, Arc<str>)>) {
        for (workspace, run) in runs.into_iter().rev() {
            self.queue(&workspace, run, VecDeque::push_front);
        }
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

    pub(super) fn is_empty(&self) -> bool {
        self.order.is_empty()
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
        assert!(turns.is_empty() && turns.known.is_empty() && turns.queues.is_empty());
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
        assert_eq!([0, 1, 150].map(|more| turns.nearly_full(&a, more)), [None, Some(45_000), Some(45_149)]);
        assert_eq!(turns.nearly_full(&slug("b"), 44_999), None);
        add(&mut turns, 44_999, 45_000);
        assert_eq!(turns.nearly_full(&a, 1), None);
        // It goes up and down at the limit, and is told no more.
        let begin = |turns: &mut Turns, count: usize| {
            for _ in 0..count {
                // What had no room here is found in the store.
                if turns.is_empty() {
                    turns.found(vec![(a.clone(), "x".into())]);
                }
                taken(turns, &[]);
            }
        };
        begin(&mut turns, 20_000);
        assert_eq!(turns.nearly_full(&a, 20_000), None, "it was told");
        begin(&mut turns, 1);
        assert_eq!(turns.nearly_full(&a, 20_000), None, "fewer than nine tenths");
        assert_eq!(turns.nearly_full(&a, 20_001), Some(45_000));
    }

    #[test]
    fn what_had_no_room_is_found_again_and_is_first() {
        let mut turns = Turns::default();
        for run in 0..MAX_OF_ONE + 5 {
            turns.add(&slug("a"), run.to_string().into());
        }
        assert_eq!(turns.known.len(), MAX_OF_ONE);
        assert!(turns.is_busy(&slug("a")) && !turns.is_busy(&slug("b")));
        turns.add(&slug("b"), "1".into());
        turns.found(vec![
            (slug("a"), "old".into()),
            (slug("a"), "older than 0".into()),
            (slug("a"), "0".into()),
        ]);
        assert_eq!(taken(&mut turns, &[]), "a:old");
        assert_eq!(taken(&mut turns, &[]), "b:1");
        assert_eq!([taken(&mut turns, &[]), taken(&mut turns, &[])], ["a:older than 0", "a:0"]);
    }

    #[test]
    fn those_that_wait_in_the_store_are_counted_too() {
        let mut turns = Turns::default();
        for run in 0..MAX_WAITING {
            assert!(!turns.is_full(&slug("a")));
            turns.add(&slug("a"), run.to_string().into());
        }
        assert!(turns.is_full(&slug("a")) && !turns.is_full(&slug("b")));
        assert_eq!(taken(&mut turns, &[]), "a:0");
        assert!(!turns.is_full(&slug("a")), "one has begun");
    }
}
