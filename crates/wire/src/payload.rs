//! One message to a client, before it is framed.

use campanile_model::{Position, Receipt};

/// The text of a message, with what some framings say beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payload {
    /// What kind of message it is: the event of a stream.
    pub event: &'static str,
    /// Up to where the client has everything once it has this; `None`: the message does not say.
    pub horizon: Option<Position>,
    /// One JSON value.
    pub text: String,
}

impl Payload {
    /// A message that moves no horizon.
    pub fn new(event: &'static str, text: String) -> Self {
        Self { event, horizon: None, text }
    }

    /// After it the client has everything up to `position`.
    #[must_use]
    pub fn up_to(mut self, position: Option<Position>) -> Self {
        self.horizon = position;
        self
    }
}

/// A notification on its way to a client.
#[derive(Debug, Clone, Copy)]
pub struct Shown<'a> {
    /// What it says.
    pub notification: &'a campanile_model::Notification,
    /// Its place; `None`: it is in no log.
    pub position: Option<Position>,
    /// What the user did with it. Live delivery shows nothing done yet.
    pub receipt: Receipt,
    /// It was superseded, and this user had read it before.
    pub superseded: bool,
}

impl<'a> Shown<'a> {
    /// As it is delivered live, to everybody alike.
    pub fn live(notification: &'a campanile_model::Notification, position: Option<Position>) -> Self {
        Self { notification, position, receipt: Receipt::default(), superseded: false }
    }
}
