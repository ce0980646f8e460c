//! Tokens for service accounts by their credentials: `/oidc/token` (RFC 6749 §4.4).

use std::io::ErrorKind;
use std::net::IpAddr;
use std::sync::{Arc, PoisonError};

use axum::Json;
use axum::extract::{Extension, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use campanile_auth::Words;
use campanile_engine::revocation;
use campanile_engine::service_account::{self, SecretHash, ServiceAccount};
use campanile_model::Timestamp;
use serde::{Deserialize, Serialize};

use super::Api;
use super::body::{is_plain, media_type, whole_up_to};
use super::problem::{self, Problem};

/// Bytes of a form: its four parameters are short, and nobody knows yet who sends it.
const MAX_FORM_BYTES: usize = 8 * 1024;

/// Whence a request came.
#[derive(Debug, Clone, Copy)]
pub struct Peer(pub IpAddr);

/// The parameters of a request, as a form.
#[derive(Deserialize, utoipa::ToSchema)]
#[allow(dead_code, reason = "it documents what `Form` reads")]
pub struct TokenForm {
    /// `client_credentials`.
    grant_type: String,
    /// The words that the token is to hold, with spaces between; each is one of the account's. Default: all of them.
    scope: Option<String>,
    /// The client id, where it is not in the `Authorization` header.
    client_id: Option<String>,
    /// The secret, likewise.
    client_secret: Option<String>,
}

/// A token (RFC 6749 §5.1).
#[derive(Serialize, utoipa::ToSchema)]
pub struct TokenAnswer {
    /// A JWT, for `Authorization: Bearer` and for sockets.
    access_token: String,
    /// `Bearer`.
    token_type: &'static str,
    /// Seconds until it expires.
    expires_in: u64,
    /// What it may do: words with spaces between.
    scope: String,
}

/// A refusal (RFC 6749 §5.2).
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct TokenRefused {
    /// `invalid_request`, `invalid_client`, `unsupported_grant_type` or `invalid_scope`.
    error: &'static str,
    /// What is wrong, for people.
    error_description: &'static str,
}

/// Why there is no token.
enum Refused {
    /// As the grant's own errors.
    Grant(StatusCode, TokenRefused),
    /// As every other route's.
    Problem(Problem),
}

impl From<Problem> for Refused {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let (status, refused) = match self {
            Self::Problem(problem) => return problem.into_response(),
            Self::Grant(status, refused) => (status, refused),
        };
        let mut response = (status, Json(refused)).into_response();
        if status == StatusCode::UNAUTHORIZED {
            let challenge = HeaderValue::from_static("Basic realm=\"campanile\", charset=\"UTF-8\"");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        }
        response
    }
}

fn refuse(error: &'static str, error_description: &'static str) -> Refused {
    let status = if error == "invalid_client" { StatusCode::UNAUTHORIZED } else { StatusCode::BAD_REQUEST };
    Refused::Grant(status, TokenRefused { error, error_description })
}

/// Get a token for a service account
///
/// The client credentials grant of OAuth 2.0 (RFC 6749 §4.4): credentials by HTTP Basic or in the form, not both. Errors
/// are those of RFC 6749 §5.2. After five wrong secrets within a minute the client is not looked at for a minute from
/// that address: 429.
#[utoipa::path(
    post,
    path = "/oidc/token",
    operation_id = "get_token",
    tag = "tokens",
    request_body(content = TokenForm, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, body = TokenAnswer, description = "The token"),
        (status = 400, body = TokenRefused, description = "The request is wrong"),
        (status = 401, body = TokenRefused, description = "There is no such account with this secret"),
    ),
)]
pub async fn token(State(api): State<Arc<Api>>, peer: Option<Extension<Peer>>, request: Request) -> Response {
    match answer(&api, peer.map(|Extension(Peer(ip))| ip), request).await {
        Ok(answer) => {
            let mut response = Json(answer).into_response();
            response.headers_mut().insert(header::PRAGMA, HeaderValue::from_static("no-cache"));
            response
        }
        Err(refused) => refused.into_response(),
    }
}

async fn answer(api: &Api, peer: Option<IpAddr>, request: Request) -> Result<TokenAnswer, Refused> {
    let headers = request.headers().clone();
    let is_form = media_type(&headers)
        .is_some_and(|essence| essence.eq_ignore_ascii_case("application/x-www-form-urlencoded"));
    if !(is_form && is_plain(&headers)) {
        return Err(refuse("invalid_request", "send Content-Type: application/x-www-form-urlencoded"));
    }
    let form = Form::read(&whole_up_to(request, MAX_FORM_BYTES).await?)?;
    let Credentials { id, secret } = Credentials::read(&headers, &form)?;
    match form.grant_type.as_deref() {
        Some("client_credentials") => {}
        Some(_) => return Err(refuse("unsupported_grant_type", "only client_credentials is known here")),
        None => return Err(refuse("invalid_request", "grant_type is missing")),
    }
    // From the clock to the signature nobody deletes the account: what the token says of its second is no later than
    // what a deletion refuses.
    let _makes = api.issuing.makes(&id).await;
    let now = api.clock.now();
    let account = authenticated(api, peer, &id, &secret, now).await?;
    let scopes = granted(&account, form.scope.as_deref())?;
    let scope = scopes.iter().collect::<Vec<_>>().join(" ");
    let revoked = revocation::up_to(&api.engine, &account.user, api.keys.issuer(), now);
    let issued = api.keys.issue(&account, scopes, revoked, now).map_err(|error| match error.kind() {
        // Soon there is a second that no token was taken back in.
        ErrorKind::WouldBlock => Problem::new(&problem::OVERLOADED).retry_after(1),
        _ => {
            tracing::error!(%error, "no token can be made");
            Problem::new(&problem::INTERNAL)
        }
    })?;
    Ok(TokenAnswer { access_token: issued.token, token_type: "Bearer", expires_in: issued.life_secs, scope })
}

/// The account, unless the credentials are wrong, or were too often.
async fn authenticated(
    api: &Api,
    peer: Option<IpAddr>,
    id: &str,
    secret: &str,
    now: Timestamp,
) -> Result<ServiceAccount, Refused> {
    let moment = api.clock.monotonic();
    let peer = peer.unwrap_or(IpAddr::from([0, 0, 0, 0]));
    let (caller, blocked) = {
        let mut guesses = api.guesses.lock().unwrap_or_else(PoisonError::into_inner);
        let caller = guesses.caller(peer, id);
        (caller, guesses.blocked(caller, moment))
    };
    if let Some(seconds) = blocked {
        let seconds = u32::try_from(seconds).unwrap_or(u32::MAX);
        return Err(Problem::new(&problem::TOKEN_REFUSED_REPEATEDLY).retry_after(seconds).into());
    }
    let found = service_account::authenticate(&api.engine, id, SecretHash::of(secret), now).await;
    match found.map_err(Problem::from)? {
        Some(account) => Ok(account),
        None => {
            api.guesses.lock().unwrap_or_else(PoisonError::into_inner).strike(caller, moment);
            // Not the id: it may be the secret, in the wrong place.
            tracing::info!(%peer, "a service account's credentials were refused");
            Err(refuse("invalid_client", "there is no such client with this secret"))
        }
    }
}

/// What the token may do.
fn granted(account: &ServiceAccount, asked: Option<&str>) -> Result<Words, Refused> {
    let own: Words = account.scopes.iter().map(String::as_str).collect();
    let Some(asked) = asked.map(|asked| Words::from_iter([asked])).filter(|asked| !asked.is_empty()) else {
        return Ok(own);
    };
    if asked.iter().all(|word| own.contains(word)) {
        return Ok(asked);
    }
    Err(refuse("invalid_scope", "the account may not do all that the scope asks for"))
}

/// The parameters that are read. Others are ignored (RFC 6749 §3.2).
#[derive(Default)]
struct Form {
    grant_type: Option<String>,
    scope: Option<String>,
    client_id: Option<String>,
    client_secret: Option<String>,
}

impl Form {
    fn read(body: &[u8]) -> Result<Self, Refused> {
        let mut form = Self::default();
        for (name, value) in form_urlencoded::parse(body) {
            let place = match &*name {
                "grant_type" => &mut form.grant_type,
                "scope" => &mut form.scope,
                "client_id" => &mut form.client_id,
                "client_secret" => &mut form.client_secret,
                _ => continue,
            };
            if place.replace(value.into_owned()).is_some() {
                return Err(refuse("invalid_request", "a parameter is there twice"));
            }
        }
        Ok(form)
    }
}

/// Who a client says it is.
struct Credentials {
    id: String,
    secret: String,
}

impl Credentials {
    /// From the header (RFC 6749 §2.3.1, RFC 7617) or from the form, one of the two.
    fn read(headers: &HeaderMap, form: &Form) -> Result<Self, Refused> {
        let mut given = headers.get_all(header::AUTHORIZATION).iter();
        match (given.next(), given.next(), &form.client_secret) {
            (None, None, Some(secret)) => match &form.client_id {
                Some(id) => Ok(Self { id: id.clone(), secret: secret.clone() }),
                None => Err(refuse("invalid_request", "client_id is missing")),
            },
            (None, None, None) => Err(refuse("invalid_client", "there are no client credentials")),
            (Some(value), None, None) => {
                let read = value.to_str().ok().and_then(Self::basic);
                let read =
                    read.ok_or_else(|| refuse("invalid_client", "the Authorization is not HTTP Basic"))?;
                match &form.client_id {
                    Some(id) if *id != read.id => Err(refuse("invalid_request", "there are two client ids")),
                    _ => Ok(read),
                }
            }
            _ => Err(refuse("invalid_request", "there are credentials twice")),
        }
    }

    /// Both halves are form-encoded before they are joined, which changes nothing about ours.
    fn basic(value: &str) -> Option<Self> {
        let (scheme, rest) = value.split_once(' ')?;
        let bytes = scheme.eq_ignore_ascii_case("basic").then(|| STANDARD.decode(rest.trim()).ok())??;
        let (id, secret) = std::str::from_utf8(&bytes).ok()?.split_once(':')?;
        let decoded = |text: &str| {
            form_urlencoded::parse(text.as_bytes())
                .next()
                .map_or_else(String::new, |(name, _)| name.into_owned())
        };
        Some(Self { id: decoded(id), secret: decoded(secret) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn credentials(authorization: Option<&str>, body: &str) -> Result<(String, String), &'static str> {
        let mut headers = HeaderMap::new();
        if let Some(value) = authorization {
            headers.insert(header::AUTHORIZATION, value.parse().unwrap());
        }
        let read = Form::read(body.as_bytes()).and_then(|form| Credentials::read(&headers, &form));
        match read {
            Ok(read) => Ok((read.id, read.secret)),
            Err(Refused::Grant(_, refused)) => Err(refused.error),
            Err(Refused::Problem(_)) => Err("problem"),
        }
    }

    #[test]
    fn credentials_come_one_way() {
        let good = || Ok(("acme.bot".to_owned(), "s-_".to_owned()));
        let basic = |text: &str| format!("Basic {}", STANDARD.encode(text));
        assert_eq!(credentials(Some(&basic("acme.bot:s-_")), ""), good());
        assert_eq!(credentials(Some(&basic("acme%2Ebot:s%2D_")), "client_id=acme.bot"), good());
        assert_eq!(credentials(None, "client_id=acme.bot&client_secret=s-_"), good());
        for (authorization, body, error) in [
            (None, "", "invalid_client"),
            (None, "client_id=a", "invalid_client"),
            (None, "client_secret=a", "invalid_request"),
            (None, "client_id=a&client_id=a&client_secret=b", "invalid_request"),
            (Some(basic("a:b")), "client_secret=b", "invalid_request"),
            (Some(basic("a:b")), "client_id=c", "invalid_request"),
            (Some(basic("ab")), "", "invalid_client"),
            (Some("Bearer x".to_owned()), "", "invalid_client"),
            (Some("Basic !".to_owned()), "", "invalid_client"),
        ] {
            assert_eq!(credentials(authorization.as_deref(), body), Err(error), "{authorization:?} {body}");
        }
    }
}
