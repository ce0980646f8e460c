//! A body that says what is to be different: JSON merge patch (RFC 7396).

use axum::extract::{FromRequest, Request};

use super::body::{self, JsonBody};
use super::problem::Problem;

/// As it is registered; plain JSON is taken for one too.
pub const MEDIA_TYPE: &str = "application/merge-patch+json";

/// A body that is declared as a merge patch, or as JSON.
pub struct MergePatch(pub JsonBody);

impl<S: Send + Sync> FromRequest<S> for MergePatch {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let headers = request.headers();
        let declared =
            body::media_type(headers).is_some_and(|essence| essence.eq_ignore_ascii_case(MEDIA_TYPE));
        if declared && body::is_plain(headers) {
            return body::whole(request).await.map(JsonBody).map(Self);
        }
        JsonBody::from_request(request, state).await.map(Self)
    }
}
