//! How a request fails: the registry of codes, and the answer made of one (RFC 9457).
//!
//! A code is a promise: it never changes its meaning or status between versions. `docs/problems.md` is
//! written from here, and `type` links into it; the server itself serves it at that path.

use std::borrow::Cow;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use campanile_model::NotificationId;
use serde::Serialize;

/// Where the codes are explained: in the repository, and on every server.
pub const DOCS_PATH: &str = "/docs/problems.md";

/// One registered way to fail.
#[derive(Debug, PartialEq, Eq)]
pub struct Code {
    /// What a program switches on.
    pub name: &'static str,
    /// The status it always comes with.
    pub status: StatusCode,
    /// The same, for people.
    pub title: &'static str,
    /// What happened and what to do about it.
    pub help: &'static str,
}

macro_rules! registry {
    ($($name:ident = $code:literal, $status:ident, $title:literal, $help:literal;)*) => {
        $(
            #[doc = $title]
            pub const $name: Code =
                Code { name: $code, status: StatusCode::$status, title: $title, help: $help };
        )*
        /// Every registered code, by status.
        pub const ALL: &[&Code] = &[$(&$name),*];
    };
}

registry! {
    INVALID_JSON = "invalid_json", BAD_REQUEST, "The body is not JSON",
        "`detail` names the line and column. JSON is UTF-8 without a byte-order mark, and its escapes name \
         whole characters: a lone surrogate is refused.";
    INVALID_QUERY = "invalid_query", BAD_REQUEST, "The query string is not understood",
        "`detail` names the parameter. Unknown and repeated parameters are refused, so that a misspelt filter \
         is never ignored.";
    BAD_REQUEST = "bad_request", BAD_REQUEST, "This is not an HTTP request",
        "The request head can't be parsed as HTTP/1.1. The connection is closed.";
    BAD_HANDSHAKE = "bad_handshake", BAD_REQUEST, "The WebSocket handshake is malformed",
        "RFC 6455 §4.1 lists what it must hold: HTTP/1.1, `Connection: Upgrade`, one `Sec-WebSocket-Key` of 16 \
         bytes in base64, `Sec-WebSocket-Version: 13`, no body.";
    TLS_REQUIRED = "tls_required", BAD_REQUEST, "This port speaks TLS",
        "Use `https://` and `wss://` in place of `http://` and `ws://`. What was sent in the clear may have been read \
         by others: a token in it should be replaced.";
    TOKEN_MISSING = "token_missing", UNAUTHORIZED, "A token is required",
        "Send `Authorization: Bearer <JWT>`, once. A token in the query string is for sockets only.";
    TOKEN_INVALID = "token_invalid", UNAUTHORIZED, "The token is not accepted",
        "It is malformed, signed by a key this server does not know, not valid yet, or lacks `exp` or a usable \
         user. The answer does not say which; `campanile token verify` does.";
    TOKEN_EXPIRED = "token_expired", UNAUTHORIZED, "The token has expired",
        "Get a new one and repeat the request.";
    WORKSPACE_REFUSED = "workspace_refused", FORBIDDEN, "The token does not open this workspace",
        "The workspace's slug is not among the token's `workspaces`, or there is no such workspace. The two \
         answer alike, so that nobody learns which workspaces exist.";
    SCOPE_MISSING = "scope_missing", FORBIDDEN, "The token's scope does not allow this",
        "`detail` names the word that the token's `scope` must hold.";
    ORIGIN_REFUSED = "origin_refused", FORBIDDEN, "Pages of this origin may not connect",
        "The request's `Origin` is not in `[server] allowed_origins`. Scheme, host and port are compared whole, and \
         `null` is never allowed.";
    ROUTE_NOT_FOUND = "route_not_found", NOT_FOUND, "There is nothing at this path",
        "`/openapi.json` lists every route. Paths end without a slash.";
    NOT_FOUND = "not_found", NOT_FOUND, "There is no such thing",
        "Nothing of that id is visible to the caller; `detail` says what was looked for. One of somebody else \
         and one that never was answer alike.";
    METHOD_NOT_ALLOWED = "method_not_allowed", METHOD_NOT_ALLOWED, "This path does not take that method",
        "The `Allow` header lists those it takes.";
    HANDSHAKE_TIMEOUT = "handshake_timeout", REQUEST_TIMEOUT, "The request head did not arrive in time",
        "A connection has `[connection] handshake_timeout` (10 s) from its start to the end of its request head.";
    BODY_TIMEOUT = "body_timeout", REQUEST_TIMEOUT, "The body did not arrive in time",
        "A body has 20 seconds to arrive. Nothing was done: repeat the request.";
    CONNECTION_IN_USE = "connection_in_use", CONFLICT, "Another connection keeps the place",
        "Several clients of this user kept replacing each other in this workspace. The one that is connected is \
         alive and stays; come back after `Retry-After`, or close the other one first.";
    ALREADY_EXISTS = "already_exists", CONFLICT, "There is one already",
        "Something of that id is there. Update it, or choose another id.";
    CHANGED = "changed", PRECONDITION_FAILED, "It was changed meanwhile",
        "What `If-Match` names is not the present state, or others kept changing it. Read it again, and repeat the change on what you read.";
    BODY_TOO_LARGE = "body_too_large", PAYLOAD_TOO_LARGE, "The body is too large",
        "A request body has at most 4 MiB: send several batches. The form at `/oidc/token` has at most 8 KiB.";
    NOTIFICATION_TOO_LARGE = "notification_too_large", PAYLOAD_TOO_LARGE, "The notification is too large",
        "Documented clients take frames of at most 65,536 bytes, and `detail` says how many this one would \
         have. Nothing of the request was published. Send a link to what is large.";
    URI_TOO_LONG = "uri_too_long", URI_TOO_LONG, "The request target is too long",
        "Path and query together may have 8 KiB.";
    UNSUPPORTED_MEDIA_TYPE = "unsupported_media_type", UNSUPPORTED_MEDIA_TYPE, "The body is not declared as JSON",
        "Send `Content-Type: application/json`, and no `Content-Encoding`.";
    SERVED_ELSEWHERE = "served_elsewhere", MISDIRECTED_REQUEST, "This is served at another address",
        "The server has an address for the API alone, `[server.api] listen`. Sockets and inboxes are at the main one, \
         everything else at that.";
    INVALID_BODY = "invalid_body", UNPROCESSABLE_ENTITY, "The body is JSON of another shape",
        "A member is missing, unknown, given twice, or of another type; `detail` says what was expected and \
         where, `index` which entry of a batch.";
    INVALID_REQUEST = "invalid_request", UNPROCESSABLE_ENTITY, "The request breaks a rule",
        "`field` names the member, `index` the entry of a batch, `detail` the rule. Nothing of the request \
         was done.";
    INVALID_RULE = "invalid_rule", UNPROCESSABLE_ENTITY, "The rule can't be used",
        "`field` names the member of the rule, `detail` the line and column in its text and what is wrong there. \
         The rule was not put in place. `POST …/rules/try` judges a rule without keeping it.";
    INVALID_ROWS = "invalid_rows", UNPROCESSABLE_ENTITY, "Rows of the table are wrong",
        "`errors` lists the first 100 wrong rows with `row`, `field` (the column or member) and `detail`, and \
         `errorCount` counts them all. Rows of a CSV have the numbers that a spreadsheet shows: the header is row 1. \
         Nothing was imported; `partial=true` takes the good rows.";
    LIMIT_EXCEEDED = "limit_exceeded", UNPROCESSABLE_ENTITY, "A limit would be exceeded",
        "`detail` names the limit. Nothing of the request was done.";
    IDEMPOTENCY_KEY_REUSED = "idempotency_key_reused", UNPROCESSABLE_ENTITY,
        "The idempotency key was used for another body",
        "Within 24 hours, a key stands for one request. Use a new key for a new request, and send the very same \
         bytes to repeat one.";
    UPGRADE_REQUIRED = "upgrade_required", UPGRADE_REQUIRED, "This is a WebSocket",
        "Connect with a WebSocket client, such as `campanile listen`.";
    TOKEN_REFUSED_REPEATEDLY = "token_refused_repeatedly", TOO_MANY_REQUESTS,
        "This token was refused again and again",
        "A token that is refused stays refused: get a new one. The same token from the same address is looked at \
         again after `Retry-After`.";
    TOO_MANY_REFUSED_TOKENS = "too_many_refused_tokens", TOO_MANY_REQUESTS,
        "Too many tokens from this address were refused",
        "`[server] auth_failures_per_minute` tokens that nobody known here has made came from the client's address. \
         Until `Retry-After`, only those are looked at that were good here before. Behind a proxy, name it in \
         `[server] trusted_proxies`, or all clients share its address.";
    HEAD_TOO_LARGE = "head_too_large", REQUEST_HEADER_FIELDS_TOO_LARGE, "The request head is too large",
        "A request head may have 16 KiB and 64 headers.";
    INTERNAL = "internal", INTERNAL_SERVER_ERROR, "The server failed",
        "A defect: the server's log says more. What the request asked for may or may not have happened; a \
         publish can be repeated under the same `Idempotency-Key`.";
    ANNOUNCEMENT_UNFINISHED = "announcement_unfinished", SERVICE_UNAVAILABLE, "The announcement is not everywhere yet",
        "`id` is the announcement's. Repeat the request with it: workspaces that have the announcement are passed \
         over, and nobody is told twice.";
    NOT_READY = "not_ready", SERVICE_UNAVAILABLE, "The server is not ready",
        "It is starting, stopping, or its store takes no writes. Send traffic elsewhere or later.";
    NOT_REACHED = "not_reached", SERVICE_UNAVAILABLE, "The log has not got that far",
        "The workspace's log did not reach `minSeq` within 5 seconds. Repeat the request after `Retry-After` \
         seconds, or without `minSeq`.";
    OVERLOADED = "overloaded", SERVICE_UNAVAILABLE, "Too much is waiting",
        "The store's or the sockets' queue is full. Nothing of the request was done: repeat it after \
         `Retry-After` seconds.";
    STORAGE_FULL = "storage_full", SERVICE_UNAVAILABLE, "No space is left",
        "The log's device is full, so nothing was published; reading goes on. An operator must make room.";
    STORAGE_UNAVAILABLE = "storage_unavailable", SERVICE_UNAVAILABLE, "The store takes no writes now",
        "What the request asked for may or may not have been done. Repeat it after `Retry-After` seconds; a \
         publish under the same `Idempotency-Key` is never done twice.";
    TIMED_OUT = "timed_out", SERVICE_UNAVAILABLE, "The request took too long",
        "A request has 30 seconds. What it asked for may or may not have happened; a publish can be repeated \
         under the same `Idempotency-Key`.";
}

/// One failure, as it is answered.
#[derive(Debug)]
pub struct Problem {
    code: &'static Code,
    detail: Cow<'static, str>,
    index: Option<usize>,
    field: Option<Cow<'static, str>>,
    id: Option<NotificationId>,
    rows: Option<Box<(usize, Vec<RowProblem>)>>,
    retry_after: Option<u32>,
    challenge: Option<Box<HeaderValue>>,
}

/// What is wrong with one row of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct RowProblem {
    /// Its number: in a CSV as a spreadsheet shows it, in an array from 1.
    row: usize,
    /// The column or member concerned.
    #[serde(skip_serializing_if = "str::is_empty")]
    #[schema(value_type = String, required = false)]
    field: Cow<'static, str>,
    /// What is wrong.
    detail: String,
}

impl From<campanile_engine::product::RowError> for RowProblem {
    fn from(error: campanile_engine::product::RowError) -> Self {
        Self { row: error.row, field: error.field, detail: error.detail }
    }
}

impl Problem {
    /// A failure of the registry, with its help for a detail.
    pub fn new(code: &'static Code) -> Self {
        Self {
            code,
            detail: code.help.into(),
            index: None,
            field: None,
            id: None,
            rows: None,
            retry_after: None,
            challenge: None,
        }
    }

    /// Says what exactly is wrong. Holds nothing that a log may not see.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<Cow<'static, str>>) -> Self {
        self.detail = detail.into();
        self
    }

    /// Names the entry of a batch.
    #[must_use]
    pub fn index(mut self, index: Option<usize>) -> Self {
        self.index = index;
        self
    }

    /// Names the member; an empty name says nothing.
    #[must_use]
    pub fn field(mut self, field: impl Into<Cow<'static, str>>) -> Self {
        self.field = Some(field.into()).filter(|field| !field.is_empty());
        self
    }

    /// Names what the request was making.
    #[must_use]
    pub fn id(mut self, id: NotificationId) -> Self {
        self.id = Some(id);
        self
    }

    /// Says how many rows of a table are wrong, and which.
    #[must_use]
    pub fn rows(mut self, count: usize, listed: Vec<RowProblem>) -> Self {
        self.rows = Some(Box::new((count, listed)));
        self
    }

    /// When to come back, in seconds.
    #[must_use]
    pub fn retry_after(mut self, seconds: u32) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// What a better token would have to be (RFC 6750 §3).
    #[must_use]
    pub fn challenge(mut self, challenge: HeaderValue) -> Self {
        self.challenge = Some(Box::new(challenge));
        self
    }

    /// Which one it is.
    pub fn code(&self) -> &'static Code {
        self.code
    }
}

/// A failure. `code` is stable; the texts are for people and may change.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Problem)]
pub struct ProblemBody<'a> {
    /// A link to what it means.
    #[schema(format = "uri-reference", example = "/docs/problems.md#invalid_request")]
    r#type: String,
    /// The code in words.
    title: &'static str,
    /// The HTTP status again.
    #[schema(example = 422)]
    status: u16,
    /// What a program switches on.
    #[schema(value_type = ProblemCode)]
    code: &'static str,
    /// What exactly is wrong.
    detail: &'a str,
    /// The entry of a batch, from 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    index: Option<usize>,
    /// The member or header concerned.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    field: Option<&'a str>,
    /// What the request was making, where a repetition has to name it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = Uuid, nullable = false)]
    id: Option<NotificationId>,
    /// The first 100 wrong rows of a table.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    errors: Option<&'a [RowProblem]>,
    /// How many rows of a table are wrong.
    #[serde(rename = "errorCount", skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    error_count: Option<usize>,
}

/// The names of the registry, for the OpenAPI document.
pub struct ProblemCode;

impl utoipa::PartialSchema for ProblemCode {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
        utoipa::openapi::Object::builder()
            .schema_type(utoipa::openapi::Type::String)
            .enum_values(Some(ALL.iter().map(|code| code.name)))
            .into()
    }
}

impl utoipa::ToSchema for ProblemCode {}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = ProblemBody {
            r#type: format!("{DOCS_PATH}#{}", self.code.name),
            title: self.code.title,
            status: self.code.status.as_u16(),
            code: self.code.name,
            detail: &self.detail,
            index: self.index,
            field: self.field.as_deref(),
            id: self.id,
            errors: self.rows.as_ref().map(|rows| rows.1.as_slice()),
            error_count: self.rows.as_ref().map(|rows| rows.0),
        };
        // Strings and numbers can't fail to serialize.
        let body = serde_json::to_vec(&body).unwrap_or_default();
        let mut response = (self.code.status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if let Some(challenge) = self.challenge {
            headers.insert(header::WWW_AUTHENTICATE, *challenge);
        }
        response
    }
}

/// `docs/problems.md`, as it follows from the registry.
pub fn document() -> String {
    let mut text = String::from(
        "# Problems\n\n\
         <!-- Written from crates/server/src/http/problem.rs; UPDATE_DOCS=1 cargo test -p campanile-server -->\n\n\
         Every error of the HTTP API is an `application/problem+json` object (RFC 9457) with `type`, `title`,\n\
         `status`, `code` and `detail`, and with `index` (the entry of a batch) and `field` (the member) where\n\
         they say something. Switch on `code`: it never changes its meaning. A 401 carries\n\
         `WWW-Authenticate`, a 429 or 503 `Retry-After` in seconds. The two routes under `/api/notification` keep\n\
         the 401 and 404 bodies of the documents they come from: `{\"detail\": …}`.\n",
    );
    for code in ALL {
        text += &format!("\n## {}\n\n{} {}.\n\n{}\n", code.name, code.status.as_u16(), code.title, code.help);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_sorted_by_status() {
        assert!(ALL.windows(2).all(|w| w[0].status <= w[1].status));
        let mut names: Vec<_> = ALL.iter().map(|code| code.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), ALL.len());
        for code in ALL {
            assert!(code.name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{}", code.name);
        }
    }

    #[test]
    fn whoever_may_come_back_is_told_when() {
        let response = Problem::new(&OVERLOADED).retry_after(1).into_response();
        assert_eq!(response.headers()[header::RETRY_AFTER], "1");
    }
}
