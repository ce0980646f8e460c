//! Many products from a table: `/v1/workspaces/{workspace}/products/import`.

use std::sync::Arc;

use axum::Json;
use axum::extract::{FromRequest, Request, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use campanile_engine::product::{self, Imported, Options, Patch};
use serde::{Deserialize, Serialize};

use super::super::Api;
use super::super::body;
use super::super::caller::{Allowed, ProductsWrite};
use super::super::params::InQuery;
use super::super::problem::{self, Problem, RowProblem};
use super::table;

/// The media type of a table.
const CSV: &str = "text/csv";

/// How to import.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub struct ImportQuery {
    /// `true`: takes the good rows where others are bad. Default: all of them or none.
    #[serde(default)]
    #[param(required = false)]
    partial: bool,
    /// `true`: judges every row and changes nothing. Default: `false`.
    #[serde(default)]
    #[param(required = false)]
    dry_run: bool,
}

/// What became of a table; in a dry run, what would have.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct ImportAnswer {
    /// Products that were not there before.
    created: usize,
    /// Products that are different now; also those that came back after they were removed.
    updated: usize,
    /// Products that were as the table says already.
    unchanged: usize,
    /// Rows that are wrong.
    refused: usize,
    /// The first 100 of them.
    errors: Vec<RowProblem>,
}

/// A table: its bytes, and how to read them.
pub enum Table {
    /// As spreadsheets write it.
    Csv(Bytes),
    /// An array of objects.
    Json(Bytes),
}

impl<S: Send + Sync> FromRequest<S> for Table {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let headers = request.headers();
        let is = |name: &str| {
            body::is_plain(headers)
                && body::media_type(headers).is_some_and(|declared| declared.eq_ignore_ascii_case(name))
        };
        let (csv, json) = (is(CSV), is("application/json"));
        let bytes = body::whole(request).await?;
        match (csv, json) {
            (true, _) => Ok(Self::Csv(bytes)),
            (_, true) => Ok(Self::Json(bytes)),
            _ => Err(Problem::new(&problem::UNSUPPORTED_MEDIA_TYPE)
                .detail("send Content-Type: text/csv or application/json, and no Content-Encoding")),
        }
    }
}

/// Import products
///
/// Makes or changes up to 10,000 products. A row says what is to be different of the product of its `id`: a
/// column or member that is not there stays as it is, an empty cell or `null` removes it; so importing a table
/// again changes nothing. A product that was removed comes back. CSV has a header with some of `id`, `name`, `owners`
/// (divided by `;`), `topic`, `expiryDate`, `quantity`, `notes`; JSON is an array of merge patches with an `id`.
#[utoipa::path(
    post,
    path = "/v1/workspaces/{workspace}/products/import",
    operation_id = "import_products",
    tag = "products",
    params(("workspace" = String, Path, description = "The workspace's slug"), ImportQuery),
    request_body(content((Vec<Patch> = "application/json"), (String = "text/csv"))),
    responses((status = 200, body = ImportAnswer, description = "They are there")),
    security(("bearer" = ["products:write"])),
)]
pub async fn import(
    State(api): State<Arc<Api>>,
    producer: Allowed<ProductsWrite>,
    InQuery(query): InQuery<ImportQuery>,
    table: Table,
) -> Result<Response, Problem> {
    let rows = match &table {
        Table::Csv(bytes) => table::csv(bytes)?,
        Table::Json(bytes) => table::json(bytes)?,
    };
    let options = Options { partial: query.partial, dry_run: query.dry_run };
    let imported = product::import(&api.engine, &producer.workspace, rows, options, api.clock.now()).await?;
    let Imported { created, updated, unchanged, refused, errors } = imported;
    let errors: Vec<RowProblem> = errors.into_iter().map(RowProblem::from).collect();
    if refused > 0 && !query.partial {
        let rows = if refused == 1 { "1 row is".to_owned() } else { format!("{refused} rows are") };
        let detail = format!("{rows} wrong, and nothing was imported");
        return Err(Problem::new(&problem::INVALID_ROWS).detail(detail).rows(refused, errors));
    }
    let answer = ImportAnswer { created, updated, unchanged, refused, errors };
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(answer)).into_response())
}
