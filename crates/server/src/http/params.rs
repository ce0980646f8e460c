//! What stands in the path and in the query string.

use std::error::Error;

use axum::extract::{FromRequestParts, Query, RawPathParams};
use axum::http::request::Parts;
use campanile_engine::page;
use campanile_model::{IdError, NotificationId, Topic, UserId};
use serde::de::DeserializeOwned;

use super::body;
use super::problem::{self, Problem};

/// The query string as a `T`. Unknown and repeated parameters are refused where `T` refuses them.
pub struct InQuery<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for InQuery<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        Query::try_from_uri(&parts.uri).map(|Query(query)| Self(query)).map_err(|rejection| {
            let problem = Problem::new(&problem::INVALID_QUERY);
            // Within the rejection, axum's error; within that, the one that tells.
            let cause = rejection.source().and_then(Error::source);
            match cause.and_then(|cause| cause.downcast_ref()) {
                Some(error) => problem.detail(refusal(error)),
                None => problem,
            }
        })
    }
}

/// The parameter, and what would be right. Nothing of what it was set to.
fn refusal(error: &serde_path_to_error::Error<serde::de::value::Error>) -> String {
    let expectation = body::expectation(&error.inner().to_string(), "parameter");
    // A parameter that is unknown or given twice is named already.
    let is_named = ["unknown ", "duplicate "].iter().any(|start| expectation.starts_with(start));
    if is_named { expectation } else { format!("{}: {expectation}", error.path()) }
}

/// How many things a page has, 1 to [`page::MAX`]; [`page::DEFAULT`] if nothing is asked for.
///
/// # Errors
/// Another number.
pub fn limit(asked: Option<usize>) -> Result<usize, Problem> {
    let limit = asked.unwrap_or(page::DEFAULT);
    if (1..=page::MAX).contains(&limit) {
        Ok(limit)
    } else {
        Err(Problem::new(&problem::INVALID_QUERY).detail(format!("limit is 1 to {}", page::MAX)))
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
