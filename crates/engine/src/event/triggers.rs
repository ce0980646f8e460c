//! The functions that an event runs.

use campanile_model::{Slug, Timestamp};
use campanile_store::DocumentWrite;

use super::Event;
use super::key::key;
use super::room::{FULL, Room};
use super::stored::TriedFunction;
use crate::Engine;
use crate::book::Book;
use crate::run;

/// Functions that follow from one another at most: one that changes what triggers it must come to an end.
const MAX_HOPS: u8 = 8;
/// Steps that conditions take before others have their turn.
const SLICE: u64 = campanile_rules::limits::SLICE;

/// Asks the functions of `workspace`, but those that `done` names, whether `event` runs them. Adds what became of each to `done`, and returns the runs.
pub(super) async fn triggered(
    engine: &Engine,
    workspace: &Slug,
    book: &Book,
    event: &Event,
    done: &mut Vec<TriedFunction>,
    room: &mut Room,
    now: Timestamp,
) -> Vec<DocumentWrite> {
    let mut runs = Vec::new();
    if book.triggers.is_empty() {
        return runs;
    }
    let (key, first) = (key(&event.source, &event.id), done.len());
    let mut slice = SLICE;
    let mut turn = engine.rota.turn(workspace).await;
    for trigger in &book.triggers {
        let function = &trigger.function;
        if done[..first].iter().any(|tried| tried.function == **function) {
            continue;
        }
        if slice == 0 {
            slice = SLICE;
            drop(turn);
            turn = engine.rota.turn(workspace).await;
        }
        let cost = event.seen(|seen| trigger.matcher.cost(seen));
        room.spend(cost);
        slice = slice.saturating_sub(cost);
        if !event.seen(|seen| trigger.matcher.is_for(seen)) {
            continue;
        }
        if room.steps_left() == 0 {
            done.push(TriedFunction::failed(function, FULL));
            continue;
        }
        let held = event.seen(|seen| trigger.matcher.judge(seen));
        room.spend(held.steps);
        slice = slice.saturating_sub(held.steps);
        match held.holds {
            Ok(true) => {}
            Ok(false) => continue,
            Err(error) => {
                done.push(TriedFunction::failed(function, &error.to_string()));
                continue;
            }
        }
        let refused = if event.hops >= MAX_HOPS || event.hops > 0 && engine.runner.is_busy(workspace) {
            // Several that trigger several each would grow without bound within their hops.
            tracing::warn!(%workspace, %function, hops = event.hops, "functions trigger each other: stopped");
            Some("functions trigger each other: this one was stopped")
        } else if engine.runner.is_full(workspace, room.runs_taken()) {
            Some("too many runs wait: run the event again later")
        } else if !room.take_run() {
            Some(FULL)
        } else {
            None
        };
        done.push(match refused {
            Some(reason) => TriedFunction::failed(function, reason),
            None => {
                let (run, document) = run::triggered(engine, function, &key, event.hops + 1, now);
                runs.push(document);
                TriedFunction::runs(function, run)
            }
        });
    }
    drop(turn);
    runs
}
