//! Pages of the inbox: the newest after a greeting or a resync, older ones when asked for. One at a time.

use tokio::sync::oneshot;

use super::{Driver, Outcome};
use crate::backoff::Backoff;
use crate::error::Error;
use crate::inbox::{self, Entries, Filter, Page, Request};

/// Who asked for older entries.
type Asker = oneshot::Sender<Result<bool, Error>>;

/// What is on its way, and what waits.
#[derive(Default)]
pub(super) struct Pages {
    under_way: Option<UnderWay>,
    waiting: Vec<Asker>,
    backoff: Backoff,
    /// When the newest page is asked for again.
    pub retry_at: Option<u64>,
}

struct UnderWay {
    number: u64,
    asker: Option<Asker>,
}

impl Pages {
    pub fn is_loading(&self) -> bool {
        self.under_way.is_some()
    }

    /// Another user's: nobody waits for them any more.
    pub fn forget(&mut self) {
        for asker in self.waiting.drain(..) {
            let _ = asker.send(Ok(false));
        }
        *self = Self::default();
    }
}

impl Driver {
    pub(super) fn load_more(&mut self, asker: Asker) {
        if self.is_native() {
            self.pages.waiting.push(asker);
        } else {
            let _ = asker.send(Err(Error::Unsupported("inbox")));
        }
    }

    /// Reads entries for the caller alone.
    pub(super) fn entries(
        &mut self,
        filter: Filter,
        before: Option<u64>,
        reply: oneshot::Sender<Result<Entries, Error>>,
    ) {
        let refusal = match &self.token {
            _ if !self.is_native() => Error::Unsupported("inbox"),
            None => Error::Missing("a token"),
            Some(token) => {
                let (http, url, token) = (self.config.http.clone(), self.inbox(), token.text.clone());
                let request = Request { filter, before, min_seq: None };
                tokio::spawn(async move {
                    let page = inbox::fetch(&http, url, &token, request).await;
                    let _ = reply.send(page.map(|page| Entries { items: page.items, older: page.older }));
                });
                return;
            }
        };
        let _ = reply.send(Err(refusal));
    }

    /// Asks for a page, if one is wanted and can be had.
    pub(super) fn drive_pages(&mut self) {
        if !self.is_live() || self.pages.is_loading() || !self.is_native() {
            return;
        }
        if self.store.reload.is_some() {
            let now = self.now();
            if self.pages.retry_at.is_none_or(|at| at <= now) {
                self.pages.retry_at = None;
                self.request(Request { min_seq: self.store.reload, ..Request::default() }, None);
            }
            return;
        }
        while !self.pages.waiting.is_empty() && !self.pages.is_loading() {
            let asker = self.pages.waiting.remove(0);
            match self.store.older {
                Some(_) => {
                    self.request(Request { before: self.store.older, ..Request::default() }, Some(asker))
                }
                None => {
                    let _ = asker.send(Ok(false));
                }
            }
        }
    }

    fn request(&mut self, request: Request, asker: Option<Asker>) {
        let Some(token) = self.token.clone() else { return };
        let number = self.number();
        self.store.expect_page();
        self.pages.under_way = Some(UnderWay { number, asker });
        let (http, url) = (self.config.http.clone(), self.inbox());
        self.tasks.spawn(async move {
            Outcome::Page(number, inbox::fetch(&http, url, &token.text, request).await)
        });
        self.dirty = true;
    }

    pub(super) fn handle_page(&mut self, number: u64, result: Result<Page, Error>) {
        let Some(UnderWay { asker, .. }) = self.pages.under_way.take_if(|page| page.number == number) else {
            return;
        };
        self.dirty = true;
        match (result, asker) {
            (Ok(page), None) => {
                self.pages.backoff.reset();
                self.store.merge(&page, true);
                self.store.settle(&mut self.queue);
            }
            (Ok(page), Some(asker)) => {
                self.store.merge(&page, false);
                let _ = asker.send(Ok(!page.items.is_empty()));
            }
            (Err(error), Some(asker)) => {
                self.store.give_up_page();
                let _ = asker.send(Err(error));
            }
            (Err(error), None) => {
                self.store.give_up_page();
                let random = self.random();
                let jittered = self.pages.backoff.pause_ms(random);
                let pause = match &error {
                    Error::Problem(problem) => problem.retry_after_ms.unwrap_or(jittered),
                    _ => jittered,
                };
                self.pages.retry_at = Some(self.now() + pause);
                self.report(error);
            }
        }
        self.keep_soon();
    }

    /// The page on its way is not wanted any more; whoever asked for it asks again.
    pub(super) fn drop_page(&mut self) {
        if let Some(UnderWay { asker, .. }) = self.pages.under_way.take() {
            self.store.give_up_page();
            if let Some(asker) = asker {
                self.pages.waiting.insert(0, asker);
            }
        }
        self.pages.retry_at = None;
    }
}
