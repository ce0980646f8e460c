//! Whose turn it is to have rules, conditions and filters asked.
//!
//! They take processor time that strangers choose, on threads that serve everybody. So a thread stays for the
//! others, workspaces take turns whatever each of them asks for, and what waits is bounded.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use campanile_model::Slug;
use tokio::sync::oneshot;

use crate::EngineError;

/// Events and documents of one workspace whose requests may be under way at once: those of ten of the largest
/// batches. A request that is alone is never too large.
const MAX_OF_ONE: usize = 10_000;

/// Gives turns of some milliseconds ([`campanile_rules::limits::SLICE`]) to those who ask.
pub struct Rota {
    state: Arc<Mutex<State>>,
}

struct State {
    free: usize,
    /// Those who wait, of each workspace in the order they came.
    queues: HashMap<Slug, VecDeque<oneshot::Sender<Turn>>>,
    /// The workspaces that have one, next first.
    order: VecDeque<Slug>,
    /// Events and documents of requests that are under way.
    under_way: HashMap<Slug, usize>,
}

/// Somebody's turn. It ends when it is dropped.
pub struct Turn {
    /// `None` once it was passed on.
    state: Option<Arc<Mutex<State>>>,
}

/// A request that is under way, until it is dropped.
pub struct Admitted {
    state: Arc<Mutex<State>>,
    workspace: Slug,
    size: usize,
}

impl Default for Rota {
    /// One turn at a time.
    fn default() -> Self {
        Self::new(1)
    }
}

impl Rota {
    /// So many turns at once, at least one. Whoever has several threads keeps one for everything else.
    pub fn new(at_once: usize) -> Self {
        let (queues, order, under_way) = Default::default();
        let state = State { free: at_once.max(1), queues, order, under_way };
        Self { state: Arc::new(Mutex::new(state)) }
    }

    /// Waits for a turn: workspaces one after the other, and within one first come, first served.
    ///
    /// # Cancel safety
    /// A dropped future passes its turn on.
    pub async fn turn(&self, workspace: &Slug) -> Turn {
        let waiting = {
            let mut state = lock(&self.state);
            if state.free > 0 {
                state.free -= 1;
                return Turn { state: Some(Arc::clone(&self.state)) };
            }
            let (sender, receiver) = oneshot::channel();
            state.wait(workspace, sender);
            receiver
        };
        // The sender is dropped with the rota only, of which somebody who waits has a reference.
        waiting.await.unwrap_or(Turn { state: None })
    }

    /// Whether somebody waits for a turn in `workspace`.
    pub(crate) fn is_crowded(&self, workspace: &Slug) -> bool {
        lock(&self.state).queues.contains_key(workspace)
    }

    /// Takes a request of `size` events and documents in.
    ///
    /// # Errors
    /// [`EngineError::Overloaded`] while too much of its workspace is under way.
    pub fn admit(&self, workspace: &Slug, size: usize) -> Result<Admitted, EngineError> {
        let mut state = lock(&self.state);
        let under_way = state.under_way.get(workspace).copied().unwrap_or(0);
        if under_way > 0 && under_way + size > MAX_OF_ONE {
            return Err(EngineError::Overloaded);
        }
        state.under_way.insert(workspace.clone(), under_way + size);
        Ok(Admitted { state: Arc::clone(&self.state), workspace: workspace.clone(), size })
    }
}

impl State {
    fn wait(&mut self, workspace: &Slug, sender: oneshot::Sender<Turn>) {
        let queue = self.queues.entry(workspace.clone()).or_insert_with(|| {
            self.order.push_back(workspace.clone());
            VecDeque::new()
        });
        queue.push_back(sender);
    }

    fn next(&mut self) -> Option<oneshot::Sender<Turn>> {
        let workspace = self.order.pop_front()?;
        let queue = self.queues.get_mut(&workspace)?;
        let next = queue.pop_front();
        if queue.is_empty() {
            self.queues.remove(&workspace);
        } else {
            self.order.push_back(workspace);
        }
        next
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let Some(state) = self.state.take() else { return };
        loop {
            let next = {
                let mut held = lock(&state);
                let next = held.next();
                held.free += usize::from(next.is_none());
                next
            };
            let Some(next) = next else { return };
            match next.send(Turn { state: Some(Arc::clone(&state)) }) {
                Ok(()) => return,
                // Nobody waits there any more. Not dropped as it is, which would begin this again within itself.
                Err(mut turn) => turn.state = None,
            }
        }
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        let mut state = lock(&self.state);
        if let Some(under_way) = state.under_way.get_mut(&self.workspace) {
            *under_way -= self.size;
            if *under_way == 0 {
                state.under_way.remove(&self.workspace);
            }
        }
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    // Nothing in here panics while it is held.
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    fn slug(text: &str) -> Slug {
        Slug::new(text).unwrap()
    }

    fn poll<F: Future>(future: std::pin::Pin<&mut F>) -> Poll<F::Output> {
        future.poll(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn workspaces_take_turns_however_many_of_one_wait() {
        let rota = Rota::new(1);
        let (a, b) = (slug("a"), slug("b"));
        let Poll::Ready(mut turn) = poll(pin!(rota.turn(&a))) else { panic!("it is free") };
        let mut waiting: Vec<_> =
            [&a, &a, &a, &b].into_iter().map(|slug| Box::pin(rota.turn(slug))).collect();
        assert!(waiting.iter_mut().all(|turn| poll(turn.as_mut()).is_pending()));
        for next in [0, 3, 1, 2] {
            drop(turn);
            for (place, other) in waiting.iter_mut().enumerate().filter(|(place, _)| *place != next) {
                let had_its_turn = [0, 3, 1, 2].iter().position(|n| *n == place)
                    < [0, 3, 1, 2].iter().position(|n| *n == next);
                assert!(
                    had_its_turn || poll(other.as_mut()).is_pending(),
                    "{place} while it is the turn of {next}"
                );
            }
            match poll(waiting[next].as_mut()) {
                Poll::Ready(had) => turn = had,
                Poll::Pending => panic!("{next} has no turn"),
            }
        }
        drop(turn);
        assert!(poll(pin!(rota.turn(&b))).is_ready());
    }

    #[test]
    fn a_workspace_is_crowded_while_somebody_waits_in_it() {
        let rota = Rota::new(1);
        let (a, b) = (slug("a"), slug("b"));
        let Poll::Ready(turn) = poll(pin!(rota.turn(&a))) else { panic!("it is free") };
        assert!(!rota.is_crowded(&a));
        let mut waiting = Box::pin(rota.turn(&a));
        assert!(poll(waiting.as_mut()).is_pending());
        assert!(rota.is_crowded(&a) && !rota.is_crowded(&b));
        drop(turn);
        assert!(poll(waiting.as_mut()).is_ready() && !rota.is_crowded(&a));
    }

    #[test]
    fn who_has_gone_passes_the_turn_on() {
        let rota = Rota::new(1);
        let a = slug("a");
        let Poll::Ready(turn) = poll(pin!(rota.turn(&a))) else { panic!("it is free") };
        let mut gone: Vec<_> = (0..1_000).map(|_| Box::pin(rota.turn(&a))).collect();
        assert!(gone.iter_mut().all(|turn| poll(turn.as_mut()).is_pending()));
        let mut last = pin!(rota.turn(&a));
        assert!(poll(last.as_mut()).is_pending());
        // The first has its turn without knowing; the others only wait.
        drop(turn);
        drop(gone);
        assert!(poll(last).is_ready());
        assert_eq!(lock(&rota.state).free, 1);
    }

    #[test]
    fn what_is_under_way_is_bounded_for_each_workspace() {
        let rota = Rota::new(1);
        let (a, b) = (slug("a"), slug("b"));
        let large = rota.admit(&a, 3 * MAX_OF_ONE).unwrap();
        assert!(matches!(rota.admit(&a, 1), Err(EngineError::Overloaded)));
        let _other = rota.admit(&b, MAX_OF_ONE - 1).unwrap();
        let one = rota.admit(&b, 1).unwrap();
        assert!(rota.admit(&b, 1).is_err());
        drop((large, one));
        let _again = (rota.admit(&a, 1).unwrap(), rota.admit(&b, 1).unwrap());
    }
}
