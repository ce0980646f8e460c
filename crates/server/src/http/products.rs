//! Products whose expiry is told: `/v1/workspaces/{workspace}/products`. The routes of the product documents are
//! in [`product`](super::product).

mod table;
mod upload;

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use campanile_engine::product::{self, Draft, Filter, MAX_PRODUCTS, Patch, Product, ProductId, Status};
use serde::{Deserialize, Serialize};

use super::Api;
use super::batch::Batch;
use super::body::JsonBody;
use super::caller::{Allowed, ProductsWrite};
use super::etag::{Expected, tagged};
use super::merge_patch::MergePatch;
use super::params::{InPath, InQuery, Named, limit};
use super::problem::{self, Problem};
use super::records::in_path;

pub use upload::{__path_import, import};

impl Named for ProductId {
    const NAME: &'static str = "id";
    fn read(text: &str) -> Result<Self, Problem> {
        let wrong = |error: product::ProductIdError| {
            Problem::new(&problem::INVALID_REQUEST).detail(error.to_string()).field(Self::NAME)
        };
        Self::new(text).map_err(wrong)
    }
}

/// Which page of the products.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ProductsQuery {
    /// Only those that have come to this. Default: all, those that were removed too.
    status: Option<Status>,
    /// Products in the page. Default: 50.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
    /// Products whose ids come after this one: the `next` of another page.
    #[param(value_type = Option<String>)]
    after: Option<ProductId>,
}

/// Some of a workspace's products.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Products {
    /// By id, ascending.
    products: Vec<Product>,
    /// Give this as `after` for the next page; `null`: there is none.
    #[schema(value_type = Option<String>, required)]
    next: Option<Arc<str>>,
}

/// One product, or many.
#[derive(utoipa::ToSchema)]
#[serde(untagged)]
#[allow(dead_code, reason = "the schema of Batch, which knows where it is wrong")]
pub enum NewProducts {
    /// One product.
    One(Box<Draft>),
    /// 1 to 10,000 products: all of them or none.
    Many(Vec<Draft>),
}

/// Products that were made.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(untagged)]
pub enum MadeProducts {
    /// The one.
    One(Box<Product>),
    /// The names of many, in their order.
    Many(Vec<MadeProduct>),
}

/// One of many products that were made.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct MadeProduct {
    /// Its name within the workspace.
    #[schema(value_type = String)]
    id: ProductId,
    /// Its state: what its `ETag` would say.
    version: u64,
}

/// Make products
///
/// Makes one product, or up to 10,000 at once, all of them or none. Its rungs are planned from now on: those
/// whose time has passed are skipped, but the end is told even then.
#[utoipa::path(
    post,
    path = "/v1/workspaces/{workspace}/products",
    operation_id = "create_products",
    tag = "products",
    params(("workspace" = String, Path, description = "The workspace's slug")),
    request_body = NewProducts,
    responses((
        status = 201, body = MadeProducts, description = "They are there",
        headers(("ETag", description = "The state of the one"), ("Location", description = "Where the one is")),
    )),
    security(("bearer" = ["products:write"])),
)]
pub async fn create(
    State(api): State<Arc<Api>>,
    producer: Allowed<ProductsWrite>,
    body: JsonBody,
) -> Result<Response, Problem> {
    let Batch { drafts, is_array } = Batch::parse_up_to(&body, MAX_PRODUCTS, "products")?;
    let workspace = &producer.workspace;
    let mut made = product::create(&api.engine, workspace, drafts, is_array, api.clock.now()).await?;
    match made.pop() {
        Some(only) if !is_array => Ok(created(workspace.as_str(), only)),
        last => {
            let all = made.into_iter().chain(last);
            let all = all.map(|product| MadeProduct { id: product.id, version: product.version }).collect();
            Ok((StatusCode::CREATED, Json(MadeProducts::Many(all))).into_response())
        }
    }
}

/// List products
#[utoipa::path(
    get,
    path = "/v1/workspaces/{workspace}/products",
    operation_id = "list_products",
    tag = "products",
    params(("workspace" = String, Path, description = "The workspace's slug"), ProductsQuery),
    responses((status = 200, body = Products, description = "The page")),
    security(("bearer" = ["products:write"])),
)]
pub async fn list(
    State(api): State<Arc<Api>>,
    producer: Allowed<ProductsWrite>,
    InQuery(query): InQuery<ProductsQuery>,
) -> Result<Json<Products>, Problem> {
    let filter = Filter { status: query.status };
    let limit = limit(query.limit)?;
    let page = product::list(&api.engine, &producer.workspace, filter, query.after.as_ref(), limit).await?;
    Ok(Json(Products { products: page.items, next: page.next }))
}

/// Read a product
///
/// The product with what is and was told of it. One that was removed is there for 90 days.
#[utoipa::path(
    get,
    path = "/v1/workspaces/{workspace}/products/{id}",
    operation_id = "read_product",
    tag = "products",
    params(
        ("workspace" = String, Path, description = "The workspace's slug"),
        ("id" = String, Path, description = "The product's id"),
    ),
    responses((
        status = 200, body = Product, description = "The product",
        headers(("ETag", description = "Its state")),
    )),
    security(("bearer" = ["products:write"])),
)]
pub async fn read(
    State(api): State<Arc<Api>>,
    producer: Allowed<ProductsWrite>,
    InPath(id): InPath<ProductId>,
) -> Result<Response, Problem> {
    Ok(shown(product::read(&api.engine, &producer.workspace, &id).await?))
}

/// Put a product
///
/// Makes the product, or puts it in the place of the one of its id; one that was removed comes back. Another date
/// or ladder plans every rung anew, and what was told by the old plan and is unread is taken back.
#[utoipa::path(
    put,
    path = "/v1/workspaces/{workspace}/products/{id}",
    operation_id = "put_product",
    tag = "products",
    params(
        ("workspace" = String, Path, description = "The workspace's slug"),
        ("id" = String, Path, description = "The product's id"),
        ("If-Match" = Option<String>, Header, description = "The state it is to be in"),
        ("If-None-Match" = Option<String>, Header, description = "`*`: there is no such product yet"),
    ),
    request_body = Draft,
    responses(
        (status = 200, body = Product, description = "It is as it was put", headers(("ETag", description = "Its state"))),
        (status = 201, body = Product, description = "It was made", headers(("ETag", description = "Its state"))),
    ),
    security(("bearer" = ["products:write"])),
)]
pub async fn put(
    State(api): State<Arc<Api>>,
    producer: Allowed<ProductsWrite>,
    InPath(id): InPath<ProductId>,
    Expected(expected): Expected,
    body: JsonBody,
) -> Result<Response, Problem> {
    let (workspace, draft) = (&producer.workspace, body.parse()?);
    let put = product::put(&api.engine, workspace, &id, draft, expected, api.clock.now()).await?;
    Ok(match put {
        (product, true) => created(workspace.as_str(), product),
        (product, false) => shown(product),
    })
}

/// Change a product
///
/// A merge patch: a member that is absent stays as it is, `null` removes it. `{"status": "removed"}` does what
/// `DELETE` does. Another date or ladder plans every rung anew; another name, owners or notes do not.
#[utoipa::path(
    patch,
    path = "/v1/workspaces/{workspace}/products/{id}",
    operation_id = "change_product",
    tag = "products",
    params(
        ("workspace" = String, Path, description = "The workspace's slug"),
        ("id" = String, Path, description = "The product's id"),
        ("If-Match" = Option<String>, Header, description = "The state it is to be in"),
    ),
    request_body(content = Patch, content_type = "application/merge-patch+json"),
    responses((status = 200, body = Product, description = "It is changed", headers(("ETag", description = "Its state")))),
    security(("bearer" = ["products:write"])),
)]
pub async fn change(
    State(api): State<Arc<Api>>,
    producer: Allowed<ProductsWrite>,
    InPath(id): InPath<ProductId>,
    Expected(expected): Expected,
    MergePatch(body): MergePatch,
) -> Result<Response, Problem> {
    let patch = body.parse()?;
    let now = api.clock.now();
    Ok(shown(product::patch(&api.engine, &producer.workspace, &id, patch, expected, now).await?))
}

/// Remove a product
///
/// It was sold, or thrown away: nothing more is told of it, and what was told and is unread is taken back. It is
/// listed with status `removed` for 90 days.
#[utoipa::path(
    delete,
    path = "/v1/workspaces/{workspace}/products/{id}",
    operation_id = "remove_product",
    tag = "products",
    params(
        ("workspace" = String, Path, description = "The workspace's slug"),
        ("id" = String, Path, description = "The product's id"),
        ("If-Match" = Option<String>, Header, description = "The state it is to be in"),
    ),
    responses((status = 204, description = "It is gone")),
    security(("bearer" = ["products:write"])),
)]
pub async fn remove(
    State(api): State<Arc<Api>>,
    producer: Allowed<ProductsWrite>,
    InPath(id): InPath<ProductId>,
    Expected(expected): Expected,
) -> Result<StatusCode, Problem> {
    product::remove(&api.engine, &producer.workspace, &id, expected, api.clock.now()).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn shown(product: Product) -> Response {
    tagged(product.version, Json(product))
}

fn created(workspace: &str, product: Product) -> Response {
    let path = format!("/v1/workspaces/{workspace}/products/{}", in_path(product.id.as_str()));
    let mut response = (StatusCode::CREATED, shown(product)).into_response();
    // Visible ASCII is a valid header.
    if let Ok(location) = HeaderValue::try_from(path) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    response
}
