//! When a product's expiry is told. Values only: no I/O, no clock, no store.
//!
//! Read in this order: `date` is when a product ends, `zone` whose calendar counts, `time_of_day` when in
//! a day one is told, `rung` and `ladder` how long before; `plan` turns these into instants, `progress` is
//! how far one product has come with its plan, and `wording` what a rung says when it is told.

mod date;
mod ladder;
mod plan;
mod progress;
mod rung;
mod text;
mod time_of_day;
mod wording;
mod zone;

pub use date::{ExpiryDate, ExpiryDateError};
pub use ladder::{Ladder, LadderError, MAX_RUNGS};
pub use plan::{Plan, Planned, plan};
pub use progress::{Due, Fired, MAX_PROGRESS_BYTES, Progress};
pub use rung::{MAX_DAYS, MAX_HOURS, Rung, RungError};
pub use time_of_day::{TimeOfDay, TimeOfDayError};
pub use wording::Wording;
pub use zone::{Zone, ZoneError};
