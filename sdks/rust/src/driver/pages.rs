//! Pages of the inbox: the newest after a greeting or a resync, older ones when asked for. One at a time.

use tokio::sync::oneshot;

use super::{Driver, Outcome};
use crate::backoff::Backoff;
use crate::error::Error;
use crate::inbox::{self, Filter, Page, Request};

/// Who asked for older entries.
type Asker = oneshot::Sender<Result<bool, Error>>;

/// What is on its way, and what waits.
#[derive(Default)]
pub(super) struct Pages {
    under_way: Option<UnderWay>,
    waiting: Vec<(Filter, Asker)>,
    /// The filter of the last call but the default one, and where it goes on. `Some(None)`: there is nothing older.
    filtered: Option<(Filter, Option<u64>)>,
    backoff: Backoff,
    /// When the newest page is asked for again.
    pub retry_at: Option<u64>,
}

struct UnderWay {
    number: u64,
    request: Request,
    asker: Option<Asker>,
}

impl Pages {
    pub fn is_loading(&self) -> bool {
        self.under_way.is_some()
    }

    /// Another user's: nobody waits for them any more.
    pub fn forget(&mut self) {
        for (_, asker) in self.waiting.drain(..) {
            let _ = asker.send(Ok(false));
        }
        *self = Self::default();
    }
}

impl Driver {
    pub(super) fn load_more(&mut self, filter: Filter, asker: Asker) {
        if self.is_native() {
            self.pages.waiting.push((filter, asker));
        } else {
            let _ = asker.send(Err(Error::NoInbox));
        }
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
                let request = self.newest();
                self.request(request, None);
            }
            return;
        }
        while !self.pages.waiting.is_empty() && !self.pages.is_loading() {
            let (filter, asker) = self.pages.waiting.remove(0);
            match self.cursor(filter) {
                Some(before) => self.request(Request { filter, before, min_seq: None }, Some(asker)),
                None => {
                    let _ = asker.send(Ok(false));
                }
            }
        }
    }

    /// Where the next page of a filter begins; `None`: there is none.
    fn cursor(&mut self, filter: Filter) -> Option<Option<u64>> {
        if filter == Filter::default() {
            return self.store.older.map(Some);
        }
        match self.pages.filtered {
            Some((last, older)) if last == filter => older.map(Some),
            _ => Some(None),
        }
    }

    fn request(&mut self, request: Request, asker: Option<Asker>) {
        let Some(token) = self.token.clone() else { return };
        let number = self.number();
        self.store.expect_page();
        self.pages.under_way = Some(UnderWay { number, request, asker });
        let (http, url) = (self.config.http.clone(), self.inbox());
        self.tasks.spawn(async move {
            Outcome::Page(number, inbox::fetch(&http, url, &token.text, request).await)
        });
        self.dirty = true;
    }

    pub(super) fn handle_page(&mut self, number: u64, result: Result<Page, Error>) {
        let Some(UnderWay { request, asker, .. }) = self.pages.under_way.take_if(|page| page.number == number)
        else {
            return;
        };
        self.dirty = true;
        match (result, asker) {
            (Ok(page), None) => {
                self.pages.backoff.reset();
                self.store.merge(&page, true);
                self.settle_told();
            }
            (Ok(page), Some(asker)) => {
                self.store.merge(&page, false);
                let default = request.filter == Filter::default();
                if default {
                    self.store.older = page.older;
                } else {
                    self.pages.filtered = Some((request.filter, page.older));
                }
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
        if let Some(UnderWay { request, asker, .. }) = self.pages.under_way.take() {
            self.store.give_up_page();
            if let Some(asker) = asker {
                self.pages.waiting.insert(0, (request.filter, asker));
            }
        }
        self.pages.retry_at = None;
    }
}
