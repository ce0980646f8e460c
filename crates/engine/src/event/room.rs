//! What one transaction may hold, and what making it may cost.

use campanile_model::{Audience, Notification};

use super::made::Ready;
use crate::EngineError;

/// Notifications made in one transaction: ten for each event of the largest batch.
const MAX_MADE: usize = 10_000;
/// Users named by them: ten times what one publish request may name.
const MAX_MADE_USERS: usize = 100_000;
/// Bytes of their messages and metadata: as much as the longest thousand.
const MAX_MADE_BYTES: usize = 64 * 1024 * 1024;
/// Runs of functions: five for each event of the largest batch.
const MAX_RUNS: usize = 5_000;
/// Steps of all rules and conditions, a second or two of a processor: fifty thousand for each event of the largest
/// batch, where an ordinary rule takes some hundred.
pub(crate) const MAX_STEPS: u64 = 50_000_000;

/// What one transaction may still hold. Rules and functions multiply what an outsider sends, so their product is
/// bounded too; one that finds no room has failed, and the event can be run again on its own.
pub(crate) struct Room {
    notifications: usize,
    users: usize,
    bytes: usize,
    runs: usize,
    /// In the units of [`campanile_rules::limits::MAX_STEPS`].
    steps: u64,
    /// As many as one event may take.
    steps_of_one: u64,
    /// What this event has left of them.
    steps_of_this: u64,
    /// Whether something other than steps was wanted and not there.
    pub(super) is_short: bool,
}

impl Default for Room {
    fn default() -> Self {
        Self {
            notifications: MAX_MADE,
            users: MAX_MADE_USERS,
            bytes: MAX_MADE_BYTES,
            runs: MAX_RUNS,
            steps: MAX_STEPS,
            steps_of_one: MAX_STEPS,
            steps_of_this: 0,
            is_short: false,
        }
    }
}

/// There is no room.
pub(super) const FULL: &str = "too much was made at once: run the event again on its own";

impl Room {
    /// In which no event takes more than `steps`, whatever the others left.
    pub(crate) fn with_steps_of_one(steps: u64) -> Self {
        Self { steps_of_one: steps, ..Self::default() }
    }

    /// It is the next event's turn.
    pub(super) fn begin_event(&mut self) {
        self.steps_of_this = self.steps.min(self.steps_of_one);
    }

    /// Steps that this event may still take.
    pub(super) fn steps_left(&self) -> u64 {
        self.steps_of_this
    }

    /// This event has taken so many.
    pub(super) fn spend(&mut self, steps: u64) {
        self.steps = self.steps.saturating_sub(steps);
        self.steps_of_this = self.steps_of_this.saturating_sub(steps);
    }

    /// Runs so far.
    pub(super) fn runs_taken(&self) -> usize {
        MAX_RUNS - self.runs
    }

    /// Takes room for a notification.
    pub(super) fn take(&mut self, ready: Ready) -> Result<Ready, EngineError> {
        let Notification { audience, message, metadata, .. } = &ready.notification;
        let users = if let Audience::Users(users) = audience { users.len() } else { 0 };
        let bytes = message.len() + metadata.as_ref().map_or(0, |metadata| metadata.get().len());
        let left =
            (self.notifications.checked_sub(1), self.users.checked_sub(users), self.bytes.checked_sub(bytes));
        let (Some(notifications), Some(users), Some(bytes)) = left else {
            self.is_short = true;
            return Err(EngineError::invalid("", FULL));
        };
        (self.notifications, self.users, self.bytes) = (notifications, users, bytes);
        Ok(ready)
    }

    /// Takes room for a run of a function, if there is any.
    pub(super) fn take_run(&mut self) -> bool {
        let left = self.runs.checked_sub(1);
        self.runs = left.unwrap_or(0);
        self.is_short |= left.is_none();
        left.is_some()
    }
}

#[cfg(test)]
mod tests {
    use campanile_model::{Level, NotificationId, Timestamp, UserId};

    use super::*;

    fn made(users: usize, message: usize) -> Ready {
        let users = (0..users).map(|n| UserId::new(&format!("u{n}")).unwrap()).collect();
        let notification = Notification {
            id: NotificationId::parse("01890a5d-ac96-774b-bcce-b302099a8057").unwrap(),
            audience: Audience::Users(users),
            except: vec![],
            title: "T".into(),
            message: "m".repeat(message),
            kind: "info".into(),
            level: Level::Info,
            timestamp: Timestamp::from_millis(0),
            metadata: None,
            event: None,
            product_name: None,
            expiry_date: None,
            expires_at: None,
            collapse_key: None,
            updated_at: None,
        };
        Ready { notification, durable: true }
    }

    /// How many of these find room.
    fn fit(users: usize, message: usize) -> usize {
        let mut room = Room::default();
        (0..).take_while(|_| room.take(made(users, message)).is_ok()).count()
    }

    #[test]
    fn what_rules_make_of_one_request_is_bounded_in_number_users_and_bytes() {
        assert_eq!(fit(1, 0), MAX_MADE);
        assert_eq!(fit(1_000, 0), MAX_MADE_USERS / 1_000);
        assert_eq!(fit(1, 16 * 1024), MAX_MADE_BYTES / (16 * 1024));
    }

    #[test]
    fn runs_of_one_request_are_bounded() {
        let mut room = Room::default();
        assert_eq!((0..).take_while(|_| room.take_run()).count(), MAX_RUNS);
        assert!(!room.take_run());
    }
}
