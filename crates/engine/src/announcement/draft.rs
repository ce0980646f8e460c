//! An announcement as its author writes it.

use campanile_model::limits::DELAY_MS;
use campanile_model::{NotificationId, Timestamp};
use serde::Deserialize;

use super::{Announcement, State};
use crate::EngineError;
use crate::publish::name;

/// Characters of the text for people.
const MAX_MESSAGE_CHARS: usize = 2_000;

/// An announcement that is to be made.
#[derive(Debug, Clone, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schema(as = AnnouncementDraft)]
pub struct Draft {
    /// A UUID that makes repeating the request safe. Default: the server makes one.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = Uuid)]
    pub id: Option<NotificationId>,
    /// The text for people, at most 2,000 characters, not blank.
    #[schema(min_length = 1, max_length = 2000, example = "We move to faster disks; the shop is read-only.")]
    pub message: String,
    /// When maintenance starts: an instant with its zone (RFC 3339). May be past.
    #[schema(value_type = String, format = DateTime)]
    pub starts_at: Timestamp,
    /// When it ends: after its start, 1 second to 365 days from now.
    #[schema(value_type = String, format = DateTime)]
    pub ends_at: Timestamp,
}

/// What is to be different of an announcement. What is left out stays.
#[derive(Debug, Clone, Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
#[schema(as = AnnouncementPatch)]
pub struct Patch {
    /// As of an announcement.
    #[schema(min_length = 1, max_length = 2000)]
    pub message: Option<String>,
    /// As of an announcement.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub starts_at: Option<Timestamp>,
    /// As of an announcement.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub ends_at: Option<Timestamp>,
}

impl Draft {
    /// As it is made, under `id`.
    pub(super) fn announcement(self, id: NotificationId) -> Announcement {
        let Self { message, starts_at, ends_at, .. } = self;
        Announcement { id, message, starts_at, ends_at, state: State::Scheduled, told: Vec::new() }
    }
}

impl Patch {
    pub(super) fn applied(&self, before: &Announcement) -> Announcement {
        Announcement {
            message: self.message.clone().unwrap_or_else(|| before.message.clone()),
            starts_at: self.starts_at.unwrap_or(before.starts_at),
            ends_at: self.ends_at.unwrap_or(before.ends_at),
            ..before.clone()
        }
    }
}

/// Checks a text for people.
///
/// # Errors
/// [`EngineError::Invalid`].
pub(crate) fn check_message(message: &str) -> Result<(), EngineError> {
    name("message", message, MAX_MESSAGE_CHARS)?;
    if message.chars().any(|c| c.is_control() && c != '\n') {
        return Err(EngineError::invalid("message", "message has no control characters but line feeds"));
    }
    Ok(())
}

pub(super) fn check(announcement: &Announcement, now: Timestamp) -> Result<(), EngineError> {
    let Announcement { message, starts_at, ends_at, .. } = announcement;
    check_message(message)?;
    if ends_at <= starts_at {
        return Err(EngineError::invalid("endsAt", "maintenance ends after it starts"));
    }
    if !DELAY_MS.contains(&ends_at.as_millis().saturating_sub(now.as_millis())) {
        return Err(EngineError::invalid("endsAt", "maintenance ends 1 second to 365 days from now"));
    }
    Ok(())
}
