//! The REST calls of an inbox.

use std::sync::Arc;

use reqwest::Url;
use serde::Deserialize;

use crate::environment::Clock;
use crate::error::{Error, Problem};
use crate::notification::Notification;

/// How many entries a page has, unless it is set otherwise.
pub const PAGE: u32 = 25;

/// Which entries a list holds. Default: those that are not archived.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Filter {
    /// Only unread ones.
    pub unread: bool,
    /// Only archived ones.
    pub archived: bool,
}

/// Some entries of the inbox.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Entries {
    /// Newest first, at most a page of them.
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

/// An inbox, and who reads it.
pub(crate) struct Reader {
    pub http: reqwest::Client,
    pub url: Url,
    pub token: Arc<str>,
    /// How many entries a page has, 1 to 100.
    pub page_size: u32,
    pub clock: Arc<dyn Clock>,
}

impl Reader {
    /// Fetches a page.
    pub async fn fetch(mut self, request: Request) -> Result<Page, Error> {
        {
            let mut query = self.url.query_pairs_mut();
            query.append_pair("limit", &self.page_size.to_string());
            let mut number = |name: &str, value: Option<u64>| {
                if let Some(value) = value {
                    query.append_pair(name, &value.to_string());
                }
            };
            number("before", request.before);
            number("minSeq", request.min_seq.filter(|seq| *seq > 0));
            let mut flag = |name: &str, value: bool| {
                if value {
                    query.append_pair(name, "true");
                }
            };
            flag("unread", request.filter.unread);
            flag("archived", request.filter.archived);
        }
        let asked = self.http.get(self.url).bearer_auth(&self.token).send().await;
        let answer = asked.map_err(|cause| Error::Network(cause.without_url()))?;
        if !answer.status().is_success() {
            return Err(Error::Problem(Box::new(Problem::read(answer, self.clock.now()).await)));
        }
        let body = answer.bytes().await.map_err(|cause| Error::Network(cause.without_url()))?;
        serde_json::from_slice(&body).map_err(Error::BadAnswer)
    }
}
