//! Who is told, as it is shown: written as in a publish request.

use std::borrow::Cow;

use campanile_model::{Audience, UserId};
use serde::Serialize;

/// Who is told, written as in a publish request.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum To<'a> {
    /// One user.
    #[schema(value_type = String)]
    User(Cow<'a, str>),
    /// Several users.
    #[schema(value_type = Vec<String>)]
    Users(Cow<'a, [UserId]>),
    /// A topic's subscribers.
    #[schema(value_type = String)]
    Topic(Cow<'a, str>),
    /// Everybody with access to the workspace.
    Workspace(bool),
}

impl<'a> From<&'a Audience> for To<'a> {
    fn from(audience: &'a Audience) -> Self {
        match audience {
            Audience::Users(users) => match users.as_slice() {
                [user] => Self::User(user.as_str().into()),
                users => Self::Users(users.into()),
            },
            Audience::Topic(topic) => Self::Topic(topic.as_str().into()),
            Audience::Workspace => Self::Workspace(true),
        }
    }
}

impl To<'_> {
    /// The same, on its own.
    pub fn into_owned(self) -> To<'static> {
        match self {
            Self::User(user) => To::User(user.into_owned().into()),
            Self::Users(users) => To::Users(users.into_owned().into()),
            Self::Topic(topic) => To::Topic(topic.into_owned().into()),
            Self::Workspace(all) => To::Workspace(all),
        }
    }
}
