//! The nouns of Campanile: values only, no I/O, no clock, no randomness.
//!
//! Read in this order: `id` names things, `time` dates them, `notification` says what a producer
//! sends and what a log entry holds, `audience` who sees it, `position` where in the log it stands,
//! `visibility` is the one predicate that decides who sees an entry, `receipt` what a user did with
//! it, and `limits` bounds it all.

mod audience;
mod change;
mod id;
pub mod limits;
mod notification;
mod position;
mod receipt;
mod time;
mod visibility;

pub use audience::{Audience, Topic};
pub use change::{Change, Withdrawal};
pub use id::{IdError, NotificationId, Slug, UserId};
pub use notification::{Cause, Entry, EntryKind, Level, Notification};
pub use position::{Epoch, Position, Rev, Seq};
pub use receipt::{Counts, Mark, Receipt};
pub use time::Timestamp;
pub use visibility::{Interval, Intervals, Visibility};
