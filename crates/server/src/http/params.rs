//! What stands in the path and in the query string.

use axum::extract::{FromRequestParts, Query, RawPathParams};
use axum::http::request::Parts;
use campanile_model::{IdError, NotificationId, Topic, UserId};
use serde::de::DeserializeOwned;

use super::problem::{self, Problem};

/// The query string as a `T`. Unknown and repeated parameters are refused where `T` refuses them.
pub struct InQuery<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for InQuery<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        Query::try_from_uri(&parts.uri).map(|Query(query)| Self(query)).map_err(|rejection| {
            // The source names the parameter and what it should be; the text around it says nothing more.
            let source = std::error::Error::source(&rejection);
            let detail = source.map_or_else(|| rejection.to_string(), ToString::to_string);
            Problem::new(&problem::INVALID_QUERY).detail(detail)
        })
    }
}

/// A name that stands in a route's path.
pub trait Named: Sized + Send {
    /// The parameter, as the route writes it.
    const NAME: &'static str;
    /// Reads it.
    ///
    /// # Errors
    /// Where the text can't be such a name.
    fn read(text: &str) -> Result<Self, Problem>;
}

impl Named for NotificationId {
    const NAME: &'static str = "id";
    /// What can't be an id names no notification: it answers as one that is not there.
    fn read(text: &str) -> Result<Self, Problem> {
        Self::parse(text).map_err(|_| Problem::new(&problem::NOT_FOUND))
    }
}

impl Named for Topic {
    const NAME: &'static str = "topic";
    fn read(text: &str) -> Result<Self, Problem> {
        Self::new(text).map_err(|error| misnamed(error, Self::NAME))
    }
}

impl Named for UserId {
    const NAME: &'static str = "user";
    fn read(text: &str) -> Result<Self, Problem> {
        Self::new(text).map_err(|error| misnamed(error, Self::NAME))
    }
}

fn misnamed(error: IdError, field: &'static str) -> Problem {
    Problem::new(&problem::INVALID_REQUEST).detail(error.to_string()).field(field)
}

/// The name in the path, percent-decoded.
pub struct InPath<T>(pub T);

impl<T: Named, S: Send + Sync> FromRequestParts<S> for InPath<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let params = RawPathParams::from_request_parts(parts, state).await;
        // Bytes that are no text match no name, like the empty text.
        let params = params.ok();
        let text = params.as_ref().and_then(|params| params.iter().find(|(name, _)| *name == T::NAME));
        T::read(text.map_or("", |(_, text)| text)).map(Self)
    }
}
