//! A user's inbox: `/v1/workspaces/{workspace}/inbox`. The user's own token is all it takes.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use campanile_engine::inbox::{self, Cursor, Page};
use campanile_engine::mark;
use campanile_model::{Epoch, NotificationId, Rev, Seq};
use campanile_store::Mark;
use campanile_wire::Item;
use serde::{Deserialize, Serialize};

use super::Api;
use super::body::JsonBody;
use super::caller::Member;
use super::params::{InPath, InQuery};
use super::problem::{self, Problem};

/// Which page of the inbox.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub struct ListQuery {
    /// Entries in the page. Default: 25.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<usize>,
    /// Older entries than this place: the `older` of another page.
    before: Option<u64>,
    /// Newer entries than this place: the `newer` of another page. Not together with `before`.
    after: Option<u64>,
    /// `true`: only unread entries; `false`: only read ones. Default: both.
    unread: Option<bool>,
    /// `true`: only archived entries; `any`: them too. Default: `false`.
    #[serde(default)]
    #[param(inline)]
    archived: Archived,
    /// Answer only once the workspace's log has got to this place, such as the `seq` a publish answered;
    /// 503 `not_reached` if that takes longer than 5 seconds. Default: 0.
    #[serde(default)]
    min_seq: u64,
}

/// Whether archived entries are listed.
#[derive(Debug, Clone, Copy, Default, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
enum Archived {
    #[default]
    False,
    True,
    Any,
}

impl ListQuery {
    fn page(&self) -> Result<Page, Problem> {
        let from = match (self.before, self.after) {
            (None, None) => Cursor::Newest,
            (Some(seq), None) => Cursor::Before(Seq(seq)),
            (None, Some(seq)) => Cursor::After(Seq(seq)),
            (Some(_), Some(_)) => {
                let detail = "a page lies before a place or after one: give before or after, not both";
                return Err(Problem::new(&problem::INVALID_QUERY).detail(detail));
            }
        };
        let limit = self.limit.unwrap_or(inbox::DEFAULT_PAGE);
        if !(1..=inbox::MAX_PAGE).contains(&limit) {
            let detail = format!("limit is 1 to {}", inbox::MAX_PAGE);
            return Err(Problem::new(&problem::INVALID_QUERY).detail(detail));
        }
        let archived = match self.archived {
            Archived::False => Some(false),
            Archived::True => Some(true),
            Archived::Any => None,
        };
        Ok(Page { from, limit, unread: self.unread, archived })
    }
}

/// One page of the inbox, with the counts of the whole.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct InboxPage<'a> {
    /// Newest first.
    items: Vec<Item<'a>>,
    /// Give this as `before` for the next older page; `null`: there is nothing older.
    #[schema(value_type = Option<u64>, required)]
    older: Option<Seq>,
    /// Give this as `after` for whatever is newer, now or later.
    #[schema(value_type = u64)]
    newer: Seq,
    /// How many entries of the whole inbox are unread.
    unread: u64,
    /// How many of them are above what was seen.
    unseen: u64,
    /// The newest place in the workspace's log.
    #[schema(value_type = u64)]
    head: Seq,
    /// The lineage that places count in; `null`: nothing was ever stored here.
    #[schema(value_type = Option<String>, required)]
    epoch: Option<Epoch>,
    /// The revision of the user's read state.
    #[schema(value_type = u64)]
    rev: Rev,
}

/// List
///
/// One page of the caller's inbox, newest first, whichever way one walks. Counts and places are those of one
/// moment; a page walked to later shows the read state of then.
#[utoipa::path(
    get,
    path = "/v1/workspaces/{workspace}/inbox",
    operation_id = "list_inbox",
    tag = "inbox",
    params(("workspace" = String, Path, description = "The workspace's slug"), ListQuery),
    responses((status = 200, body = InboxPage, description = "The page")),
    security(("bearer" = [])),
)]
pub async fn list(
    State(api): State<Arc<Api>>,
    member: Member,
    InQuery(query): InQuery<ListQuery>,
) -> Result<Response, Problem> {
    let page = query.page()?;
    let min_seq = Seq(query.min_seq);
    let listed =
        inbox::list(&api.engine, &member.workspace, member.user(), page, min_seq, inbox::MAX_WAIT).await?;
    let snapshot = &listed.snapshot;
    let page = InboxPage {
        items: listed.items.iter().map(shown).collect(),
        older: listed.older,
        newer: listed.newer,
        unread: snapshot.counts.unread,
        unseen: snapshot.counts.unseen,
        head: snapshot.counts.head,
        epoch: snapshot.counts.epoch,
        rev: snapshot.counts.rev,
    };
    Ok(Json(page).into_response())
}

fn shown(item: &campanile_store::Item) -> Item<'_> {
    Item::new(Some(item.seq), item.receipt, item.superseded, &item.notification)
}

/// What a change of read state did.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Marked {
    /// Whether anything is different now.
    changed: bool,
    /// The revision of the user's read state after it.
    #[schema(value_type = u64)]
    rev: Rev,
    /// The unread count after it.
    unread: u64,
}

impl From<campanile_store::Marked> for Marked {
    fn from(marked: campanile_store::Marked) -> Self {
        Self { changed: marked.changed, rev: marked.rev, unread: marked.unread }
    }
}

/// Mark read
///
/// Marks one entry read, and so seen. Doing it again changes nothing.
#[utoipa::path(
    post,
    path = "/v1/workspaces/{workspace}/inbox/{id}/read",
    operation_id = "mark_read",
    tag = "inbox",
    params(
        ("workspace" = String, Path, description = "The workspace's slug"),
        ("id" = String, Path, description = "The notification's id"),
    ),
    responses((status = 200, body = Marked, description = "It is read")),
    security(("bearer" = [])),
)]
pub async fn read(
    State(api): State<Arc<Api>>,
    member: Member,
    InPath(id): InPath<NotificationId>,
) -> Result<Json<Marked>, Problem> {
    mark(&api, &member, Mark::Read(id)).await
}

/// Mark unread
///
/// Counts one entry as unread again; it is then no longer archived.
#[utoipa::path(
    post,
    path = "/v1/workspaces/{workspace}/inbox/{id}/unread",
    operation_id = "mark_unread",
    tag = "inbox",
    params(
        ("workspace" = String, Path, description = "The workspace's slug"),
        ("id" = String, Path, description = "The notification's id"),
    ),
    responses((status = 200, body = Marked, description = "It is unread")),
    security(("bearer" = [])),
)]
pub async fn unread(
    State(api): State<Arc<Api>>,
    member: Member,
    InPath(id): InPath<NotificationId>,
) -> Result<Json<Marked>, Problem> {
    mark(&api, &member, Mark::Unread(id)).await
}

/// Archive
///
/// Puts one entry away: it is then read, seen and out of the default list.
#[utoipa::path(
    post,
    path = "/v1/workspaces/{workspace}/inbox/{id}/archive",
    operation_id = "archive",
    tag = "inbox",
    params(
        ("workspace" = String, Path, description = "The workspace's slug"),
        ("id" = String, Path, description = "The notification's id"),
    ),
    responses((status = 200, body = Marked, description = "It is archived")),
    security(("bearer" = [])),
)]
pub async fn archive(
    State(api): State<Arc<Api>>,
    member: Member,
    InPath(id): InPath<NotificationId>,
) -> Result<Json<Marked>, Problem> {
    mark(&api, &member, Mark::Archive(id)).await
}

/// How far.
#[derive(Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct UpTo {
    /// Up to and including this place, such as the `head` of the list shown. Default: whatever is newest when
    /// the request arrives.
    up_to: Option<u64>,
}

/// Mark all read
///
/// Marks everything up to a place read, and so seen.
#[utoipa::path(
    post,
    path = "/v1/workspaces/{workspace}/inbox/read-all",
    operation_id = "read_all",
    tag = "inbox",
    params(("workspace" = String, Path, description = "The workspace's slug")),
    request_body = Option<UpTo>,
    responses((status = 200, body = Marked, description = "All is read")),
    security(("bearer" = [])),
)]
pub async fn read_all(
    State(api): State<Arc<Api>>,
    member: Member,
    body: JsonBody,
) -> Result<Json<Marked>, Problem> {
    let UpTo { up_to } = body.parse_or_default()?;
    mark(&api, &member, Mark::ReadAll(up_to.map(Seq))).await
}

/// Mark seen
///
/// Says that everything up to a place was shown: the badge of what is new goes to zero, unread stays.
#[utoipa::path(
    post,
    path = "/v1/workspaces/{workspace}/inbox/seen",
    operation_id = "seen",
    tag = "inbox",
    params(("workspace" = String, Path, description = "The workspace's slug")),
    request_body = Option<UpTo>,
    responses((status = 200, body = Marked, description = "All is seen")),
    security(("bearer" = [])),
)]
pub async fn seen(
    State(api): State<Arc<Api>>,
    member: Member,
    body: JsonBody,
) -> Result<Json<Marked>, Problem> {
    let UpTo { up_to } = body.parse_or_default()?;
    mark(&api, &member, Mark::Seen(up_to.map(Seq))).await
}

async fn mark(api: &Api, member: &Member, mark: Mark) -> Result<Json<Marked>, Problem> {
    let (workspace, user) = (&member.workspace, member.user());
    let marked = mark::mark(&api.engine, workspace, user, mark, None, api.clock.now()).await?;
    Ok(Json(marked.into()))
}
