//! Products and the expiry that is told of them.
//!
//! A product is one document; how far it has come with its plan is part of it. So a rung is told in the very
//! transaction that records that it was: exactly once, whatever happens in between. What is due is found by the
//! documents' index, whatever the number of products.

mod draft;
mod fire;
mod import;
mod kept;
mod read;
mod replan;
mod write;

use std::fmt;
use std::sync::Arc;

use campanile_expiry::{ExpiryDate, Ladder, Rung};
use campanile_model::{NotificationId, Timestamp, Topic, UserId};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Number;

pub use draft::{Draft, Patch, StatusPatch};
pub(crate) use fire::{fire_due, tell_again};
pub use import::{Imported, MAX_LISTED_ERRORS, Options, Row, RowError, import};
pub use read::{Filter, list, read};
pub(crate) use replan::{replan_due, replan_job};
pub use write::{create, patch, put, remove};

/// Products of one request.
pub const MAX_PRODUCTS: usize = 10_000;
/// Characters of a product's notes.
pub const MAX_NOTES_CHARS: usize = 2_000;
/// How long a product is listed after it was removed: 90 days, as long as a notification is kept by default.
pub const REMOVED_KEPT_MS: i64 = 90 * 24 * 60 * 60 * 1_000;

/// The name of a product within its workspace: 1 to 128 bytes of UTF-8 without control characters, given by the
/// producer or made by the server. `import` is the name of a route, and `.` and `..` mean something else in a path: they name no
/// product.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct ProductId(Arc<str>);

/// The text is no product's name. Carries no part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a product id is 1 to 128 bytes of UTF-8 without control characters, and not \"import\", \".\" or \"..\""
)]
pub struct ProductIdError;

impl ProductId {
    /// Checks the bounds.
    ///
    /// # Errors
    /// [`ProductIdError`] if `text` breaks them.
    pub fn new(text: &str) -> Result<Self, ProductIdError> {
        let plain = (1..=128).contains(&text.len()) && !text.chars().any(char::is_control);
        if plain && !["import", ".", ".."].contains(&text) {
            Ok(Self(text.into()))
        } else {
            Err(ProductIdError)
        }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ProductId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for ProductId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::new(&text).map_err(serde::de::Error::custom)
    }
}

/// What a product has come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = ProductStatus)]
pub enum Status {
    /// It is still good.
    Active,
    /// Its end has come.
    Expired,
    /// It is gone: sold, thrown away. Nothing more is told of it, and it is listed for 90 days.
    Removed,
}

impl Status {
    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Expired => "expired",
            Self::Removed => "removed",
        }
    }
}

/// A product as it is shown.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Product {
    /// Its name within the workspace.
    #[schema(value_type = String)]
    pub id: ProductId,
    /// What people call it.
    pub name: String,
    /// Who is told; or `topic`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Vec<String>, required = false)]
    pub owners: Option<Vec<UserId>>,
    /// Whose subscribers are told; or `owners`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required = false)]
    pub topic: Option<Topic>,
    /// When it expires, as it was written.
    #[schema(value_type = String)]
    pub expiry_date: ExpiryDate,
    /// How much there is of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = f64, required = false)]
    pub quantity: Option<Number>,
    /// For those who look after it: in no notification.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub notes: Option<String>,
    /// When it is told, if not as the workspace's settings say.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    pub ladder: Option<Ladder>,
    /// What it has come to.
    pub status: Status,
    /// The first instant at which it is over.
    #[schema(value_type = String, format = DateTime)]
    pub ends_at: Timestamp,
    /// What is told of it when, ascending.
    pub rungs: Vec<Step>,
    /// Which plan that is, from 1: each change of date or ladder makes the next.
    pub plan_version: u32,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it was last changed, by whomever: telling of it is a change too.
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Timestamp,
    /// Its state: what its `ETag` says.
    pub version: u64,
}

/// One rung of a product's ladder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[schema(as = ProductRung)]
pub struct Step {
    /// How long before the end; or the end.
    pub rung: Rung,
    /// When it is, or was, due.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// What became of it.
    pub state: State,
    /// What told it: one notification for each rule that made one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<String>, required = false)]
    pub notifications: Vec<NotificationId>,
}

/// What became of a rung.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = RungState)]
pub enum State {
    /// It is still to be told.
    Pending,
    /// It was told.
    Fired,
    /// Its time had passed when the plan was made.
    Skipped,
    /// Nobody looked in time, and a later one was told in its place.
    Collapsed,
    /// The product was removed before.
    Cancelled,
}
