//! The OpenAPI 3.1 document: made from the handlers, served by the server it describes.

use axum::http::header;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::{Content, Ref, ResponseBuilder};
use utoipa::{Modify, OpenApi};

use super::problem::{self, ProblemBody, ProblemCode};

/// The document before the routes are entered.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Campanile",
        description = "Publish notifications, read inboxes, arrange topics. Sockets are described in docs/protocol.md.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0"),
    ),
    components(schemas(ProblemBody, ProblemCode)),
    tags(
        (name = "notifications", description = "What producers do"),
        (name = "events", description = "What happened, reported from outside"),
        (name = "rules", description = "What turns events into notifications"),
        (name = "announcements", description = "Maintenance, announced to everybody"),
        (name = "settings", description = "What a workspace is set to"),
        (name = "access", description = "Who has access to a workspace"),
        (name = "tokens", description = "Tokens that are given and taken back"),
        (name = "service accounts", description = "Machine clients of a workspace"),
        (name = "inbox", description = "What users do"),
        (name = "topics", description = "Who listens to what"),
        (name = "records", description = "Data whose changes are told"),
        (name = "products", description = "What expires, and when it is told"),
        (name = "product", description = "The product documents' routes, with their own bodies"),
        (name = "operations", description = "What operators and load balancers ask"),
    ),
)]
pub struct Document;

/// Enters what holds for every route: how a token comes, and how it fails.
pub struct Everywhere;

impl Modify for Everywhere {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let bearer = Http::builder().scheme(HttpAuthScheme::Bearer).bearer_format("JWT").build();
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("bearer", SecurityScheme::Http(bearer));
        let problem = ResponseBuilder::new()
            .description("Why not: switch on `code`")
            .content("application/problem+json", Content::new(Some(Ref::from_schema_name("Problem"))))
            .build();
        for item in document.paths.paths.values_mut() {
            let operations =
                [&mut item.get, &mut item.put, &mut item.post, &mut item.patch, &mut item.delete];
            for operation in operations.into_iter().flatten() {
                operation.responses.responses.insert("default".to_owned(), problem.clone().into());
            }
        }
    }
}

/// Serves `text`, the document, which all answers share.
pub fn serve(text: Bytes) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], text).into_response()
}

/// The explanation of every code a problem may have, as text.
pub async fn problems() -> Response {
    ([(header::CONTENT_TYPE, "text/markdown; charset=utf-8")], problem::document()).into_response()
}
