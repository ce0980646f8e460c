#![doc = include_str!("../README.md")]

pub mod close_codes;

pub mod backoff;
mod come_back;
pub mod state;

mod notification;
mod surface;

mod actions;
mod inbox;
mod known;
mod position;
mod store;
mod view;

mod address;
mod connection;
mod environment;
mod error;
mod instant;
mod kept;
mod retry_after;
mod storage;
mod tls;
mod token;

mod client;
mod driver;
mod events;
mod snapshot;

mod draft;
mod outbox;
mod publisher;

pub use actions::{Action, QUEUE_LIMIT};
pub use client::{Campanile, CampanileBuilder, Change};
pub use draft::{Audience, Draft, Published};
pub use environment::{Clock, Environment, Pending};
pub use error::{Cause, Error, Problem};
pub use events::{EVENT_LIMIT, Event, Events};
pub use inbox::{Entries, Filter, PAGE};
pub use notification::Notification;
pub use outbox::{Outbox, OutboxRow};
pub use publisher::{LARGEST_BATCH, Publisher, PublisherBuilder};
pub use snapshot::{List, Snapshot};
pub use state::{Reason, ReasonKind, State, TokenReason};
pub use storage::{FileStorage, MemoryStorage, Storage};
pub use store::{ITEM_LIMIT, Position};
pub use surface::Surface;
pub use token::TokenSource;
