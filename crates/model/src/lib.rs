//! The nouns of Campanile: values only, no I/O, no clock, no randomness.
//!
//! Read in this order: `id` names things, `time` dates them, `notification` says what a producer
//! sends and what a log entry holds, `audience` who sees it, `position` where in the log it stands,
//! `visibility` is the one predicate that decides who sees an entry, `receipt` what a user did with
//! it, and `limits` bounds it all.

mod audience;
mod id;
pub mod limits;
mod notification;
mod position;
mod receipt;
mod time;
mod visibility;

pub use audience::{Audience, Topic};
pub use id::{IdError, NotificationId, Slug, UserId};
pub use notification::{Cause, Entry, EntryKind, Level, Notification};
pub use position::{Epoch, Rev, Seq};
pub use receipt::Receipt;
pub use time::Timestamp;
pub use visibility::{Interval, Intervals, Visibility};
