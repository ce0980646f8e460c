//! A collection's records, all or those that a condition picks.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use campanile_model::Slug;
use campanile_rules::{Condition, RuleError};
use campanile_store::{DocumentKind, DocumentQuery, Order};

use super::{CollectionName, Record};
use crate::event::source;
use crate::page::{self, Page};
use crate::{Engine, EngineError};

/// Records in a page when nothing else is asked for.
pub const DEFAULT_PAGE: usize = 50;
/// Records in a page at most.
pub const MAX_PAGE: usize = 200;
/// Steps that the filter of one page may take, of all records looked at: half a second. A plain comparison takes
/// a few steps a record.
const MAX_STEPS: u64 = 5_000_000;

/// A page of records, by id.
pub type Listed = Page<Record, Arc<str>>;

/// Lists the records of `collection` after the id `after`, by the bytes of their ids: all, or those for which
/// `filter` holds. It is an expression as in a rule, in which `data` is what the record says, `subject` its id and
/// `time` when it was last changed. One that fails on a record, as for want of a member, does not hold for it.
///
/// # Errors
/// [`EngineError::Invalid`] for a limit out of range, and for a filter that is none (with the place in it) or
/// takes too long; those of the store.
pub async fn list(
    engine: &Engine,
    workspace: &Slug,
    collection: &CollectionName,
    filter: Option<&str>,
    after: Option<&str>,
    limit: usize,
) -> Result<Listed, EngineError> {
    if !(1..=MAX_PAGE).contains(&limit) {
        return Err(EngineError::invalid("limit", format!("the limit is 1 to {MAX_PAGE}")));
    }
    let filter = filter.map(Filter::new).transpose()?;
    let query = DocumentQuery {
        kind: DocumentKind::Record,
        group: Some(collection.text()),
        order: Order::Id(after.map(Into::into)),
        limit,
    };
    let Some(filter) = filter else {
        return page::by_id(engine, workspace, query, |document| Record::of(document).map(Some)).await;
    };
    page::by_id_in_turn(engine, workspace, query, |document| {
        let record = Record::of(document)?;
        Ok(filter.holds(&record)?.then_some(record))
    })
    .await
}

struct Filter {
    condition: Condition,
    left: AtomicU64,
}

impl Filter {
    fn new(text: &str) -> Result<Self, EngineError> {
        let condition = Condition::compile(text).map_err(|error| refused(&error))?;
        Ok(Self { condition, left: MAX_STEPS.into() })
    }

    fn holds(&self, record: &Record) -> Result<bool, EngineError> {
        let time = record.updated.to_string();
        let held = self.condition.judge(&campanile_rules::Event {
            id: &record.id,
            source: &source::collection(&record.collection),
            kind: "record",
            subject: Some(&record.id),
            time: &time,
            actor: None,
            data: record.data.value(),
        });
        let spend = |left: u64| left.checked_sub(held.steps);
        if self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, spend).is_err() {
            return Err(EngineError::invalid("where", "the filter is too costly for this collection"));
        }
        Ok(held.holds.unwrap_or(false))
    }
}

fn refused(error: &RuleError) -> EngineError {
    let place = error.position.map(|at| format!("line {}, column {}: ", at.line, at.column));
    EngineError::invalid("where", format!("{}{}", place.unwrap_or_default(), error.reason))
}
