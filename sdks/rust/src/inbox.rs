//! The REST calls of an inbox.

use reqwest::Url;
use serde::Deserialize;

use crate::error::{Error, Problem};
use crate::notification::Notification;

/// How many entries a page has.
pub const PAGE: u32 = 25;

/// Which entries to load.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Filter {
    /// `Some(true)`: only unread ones; `Some(false)`: only read ones.
    pub unread: Option<bool>,
    /// `Some(true)`: only archived ones; `Some(false)` and `None`: only those that are not.
    pub archived: Option<bool>,
}

/// Some entries of the inbox.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Entries {
    /// Newest first, at most 25.
    pub items: Vec<Notification>,
    /// The `before` of the next older ones; `None`: there are none.
    pub older: Option<u64>,
}

/// One page, newest first, with the counts of the whole.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
pub(crate) struct Page {
    pub items: Vec<Notification>,
    pub older: Option<u64>,
    pub unread: u64,
    pub unseen: u64,
    pub head: u64,
    pub epoch: Option<String>,
    pub rev: u64,
}

/// Which page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Request {
    pub filter: Filter,
    pub before: Option<u64>,
    pub min_seq: Option<u64>,
}

/// Fetches a page of the inbox of this address.
pub(crate) async fn fetch(
    http: &reqwest::Client,
    url: Url,
    token: &str,
    request: Request,
) -> Result<Page, Error> {
    let mut url = url;
    {
        let mut query = url.query_pairs_mut();
        query.append_pair("limit", &PAGE.to_string());
        let mut number = |name: &str, value: Option<u64>| {
            if let Some(value) = value {
                query.append_pair(name, &value.to_string());
            }
        };
        number("before", request.before);
        number("minSeq", request.min_seq.filter(|seq| *seq > 0));
        let mut flag = |name: &str, value: Option<bool>| {
            if let Some(value) = value {
                query.append_pair(name, if value { "true" } else { "false" });
            }
        };
        flag("unread", request.filter.unread);
        flag("archived", request.filter.archived);
    }
    let asked = http.get(url).bearer_auth(token).send().await;
    let answer = asked.map_err(|cause| Error::Network(cause.without_url()))?;
    if !answer.status().is_success() {
        return Err(Error::Problem(Box::new(Problem::read(answer).await)));
    }
    let body = answer.bytes().await.map_err(|cause| Error::Network(cause.without_url()))?;
    serde_json::from_slice(&body).map_err(Error::BadAnswer)
}
