//! The keys that sign tokens of service accounts: `/.well-known/jwks.json`, `/v1/keys/rotate`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use campanile_engine::revocation;
use campanile_model::Timestamp;
use campanile_store::StoreError;
use serde::{Deserialize, Serialize};

use super::Api;
use super::body::JsonBody;
use super::caller::Operator;
use super::problem::{self, Problem};
use crate::signing_keys::{MAX_KEYS, RotateError};

/// A set of public keys (RFC 7517).
#[derive(Serialize, utoipa::ToSchema)]
pub struct Jwks {
    /// The key that signs first, then those whose tokens may still live.
    keys: Vec<serde_json::Value>,
}

/// How the signing key is replaced.
#[derive(Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct RotateKeysBody {
    /// Refuse every token that was given so far, because a key was stolen, and close the sockets that were opened with one.
    /// Default: they are good until they expire.
    #[serde(default)]
    #[schema(required = false)]
    forget_former: bool,
}

/// A key that verifies.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct FormerKey {
    /// Its `kid`.
    key_id: String,
    /// Until when: its last token has expired by then.
    #[schema(value_type = String, format = DateTime)]
    until: Timestamp,
}

/// Which key signs.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct KeysRotated {
    /// Its `kid`.
    key_id: String,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// Those before it that still verify.
    former: Vec<FormerKey>,
}

/// Read the public keys
///
/// Those that tokens of service accounts are signed with. They need no token.
#[utoipa::path(
    get,
    path = "/.well-known/jwks.json",
    operation_id = "read_public_keys",
    tag = "tokens",
    responses((status = 200, body = Jwks, description = "The key set")),
)]
pub async fn jwks(State(api): State<Arc<Api>>) -> Json<serde_json::Value> {
    Json(api.keys.jwks())
}

/// Rotate the signing key
///
/// Another key signs the tokens of service accounts from here on.
#[utoipa::path(
    post,
    path = "/v1/keys/rotate",
    operation_id = "rotate_keys",
    tag = "tokens",
    request_body(content = Option<RotateKeysBody>),
    responses((status = 200, body = KeysRotated, description = "Another key signs")),
    security(("bearer" = ["operator"])),
)]
pub async fn rotate(
    State(api): State<Arc<Api>>,
    _operator: Operator,
    body: JsonBody,
) -> Result<Json<KeysRotated>, Problem> {
    let RotateKeysBody { forget_former } = body.parse_or_default()?;
    let (keys, now) = (Arc::clone(&api.keys), api.clock.now());
    let rotated = tokio::task::spawn_blocking(move || keys.rotate(forget_former, now)).await;
    let rotated = rotated.map_err(|_| Problem::new(&problem::INTERNAL))?.map_err(|error| match error {
        RotateError::TooMany => StoreError::Limit { what: "signing keys", limit: MAX_KEYS }.into(),
        RotateError::Io(error) => {
            tracing::error!(%error, "the signing keys can't be written");
            Problem::new(&problem::STORAGE_UNAVAILABLE).retry_after(5)
        }
    })?;
    if forget_former {
        revocation::make_known(&api.engine);
    }
    let former = rotated.former.into_iter().map(|(key_id, until)| FormerKey { key_id, until }).collect();
    Ok(Json(KeysRotated { key_id: rotated.key_id, created_at: rotated.created, former }))
}
