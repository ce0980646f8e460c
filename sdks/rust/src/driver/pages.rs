//! Pages of the inbox: the newest after a greeting or a resync, older ones when asked for. One at a time.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::{Driver, Outcome};
use crate::backoff::Backoff;
use crate::error::Error;
use crate::inbox::{Entries, Filter, Page, Reader, Request};

/// Who asked for older entries.
type Asker = oneshot::Sender<Result<bool, Error>>;
/// Who asked for entries of its own.
type Caller = oneshot::Sender<Result<Entries, Error>>;

/// Why nothing is read while nobody knows whose it would be.
const NOBODYS: Error = Error::Missing("a token or a workspace");

/// What is on its way, and what waits.
#[derive(Default)]
pub(super) struct Pages {
    under_way: Option<UnderWay>,
    waiting: Vec<(Filter, Asker)>,
    /// Whose entries are on their way to the caller alone.
    callers: Vec<(u64, Caller)>,
    backoff: Backoff,
    /// When the newest page is asked for again.
    pub retry_at: Option<u64>,
}

struct UnderWay {
    number: u64,
    filter: Filter,
    /// It is the newest of all, and nobody asked for it.
    fresh: bool,
    askers: Vec<Asker>,
}

impl Pages {
    /// Of which list a page is on its way.
    pub fn loading(&self) -> Option<Filter> {
        self.under_way.as_ref().map(|page| page.filter)
    }

    /// Another user's: whoever waits for them is refused.
    pub fn forget(&mut self) {
        for (_, asker) in self.waiting.drain(..) {
            let _ = asker.send(Err(NOBODYS));
        }
        self.refuse_callers();
        *self = Self::default();
    }

    /// What is on its way to its caller alone may be another user's.
    pub fn refuse_callers(&mut self) {
        for (_, caller) in self.callers.drain(..) {
            let _ = caller.send(Err(NOBODYS));
        }
    }

    /// Who does not wait any more is not counted, and its page not asked for.
    fn give_up_askers(&mut self) {
        self.waiting.retain(|(_, asker)| !asker.is_closed());
        if let Some(page) = &mut self.under_way {
            page.askers.retain(|asker| !asker.is_closed());
        }
    }

    /// Those who ask for this list now are answered together.
    fn take_askers(&mut self, filter: Filter) -> Vec<Asker> {
        self.waiting.extract_if(.., |(asked, _)| *asked == filter).map(|(_, asker)| asker).collect()
    }
}

impl Driver {
    pub(super) fn load_more(&mut self, filter: Filter, asker: Asker) {
        if !self.is_native() {
            let _ = asker.send(Err(Error::Unsupported("inbox")));
            return;
        }
        if self.is_nobodys() {
            let _ = asker.send(Err(NOBODYS));
            return;
        }
        self.pages.give_up_askers();
        match &mut self.pages.under_way {
            Some(page) if page.filter == filter && !page.fresh => page.askers.push(asker),
            _ => self.pages.waiting.push((filter, asker)),
        }
    }

    /// Reads entries for the caller alone.
    pub(super) fn entries(&mut self, filter: Filter, before: Option<u64>, caller: Caller) {
        let refusal = match self.reader() {
            _ if !self.is_native() => Error::Unsupported("inbox"),
            _ if self.is_nobodys() => NOBODYS,
            None => Error::Missing("a token"),
            Some(reader) => {
                let number = self.number();
                let request = Request { filter, before, min_seq: None };
                self.pages.callers.retain(|(_, caller)| !caller.is_closed());
                self.pages.callers.push((number, caller));
                self.tasks.spawn(async move { Outcome::Entries(number, reader.fetch(request).await) });
                return;
            }
        };
        let _ = caller.send(Err(refusal));
    }

    /// Entries of its own came for a caller, unless it was refused meanwhile.
    pub(super) fn handle_entries(&mut self, number: u64, result: Result<Page, Error>) {
        let Some(at) = self.pages.callers.iter().position(|(asked, _)| *asked == number) else { return };
        let (_, caller) = self.pages.callers.swap_remove(at);
        let _ = caller.send(result.map(|page| Entries { items: page.items, older: page.older }));
    }

    /// Asks for a page, if one is wanted and can be had.
    pub(super) fn drive_pages(&mut self) {
        if !self.is_live() || self.pages.under_way.is_some() || !self.is_native() {
            return;
        }
        if self.store.reload.is_some() {
            let now = self.now();
            if self.pages.retry_at.is_none_or(|at| at <= now) {
                self.pages.retry_at = None;
                self.request(Request { min_seq: self.store.reload, ..Request::default() }, true, Vec::new());
            }
            return;
        }
        self.pages.give_up_askers();
        while self.pages.under_way.is_none()
            && let Some((filter, _)) = self.pages.waiting.first()
        {
            let filter = *filter;
            let askers = self.pages.take_askers(filter);
            match self.store.depths.bottom(filter) {
                Some(0) => askers.into_iter().for_each(|asker| {
                    let _ = asker.send(Ok(false));
                }),
                before => {
                    let min_seq = Some(self.store.horizon());
                    self.request(Request { filter, before, min_seq }, false, askers);
                }
            }
        }
    }

    fn request(&mut self, request: Request, fresh: bool, askers: Vec<Asker>) {
        let Some(reader) = self.reader() else { return };
        let number = self.number();
        self.store.expect_page();
        self.pages.under_way = Some(UnderWay { number, filter: request.filter, fresh, askers });
        self.tasks.spawn(async move { Outcome::Page(number, reader.fetch(request).await) });
        self.dirty = true;
    }

    /// Reads the inbox, with the token in use. `None`: there was none yet.
    fn reader(&self) -> Option<Reader> {
        let workspace = self.workspace.as_deref().unwrap_or_default();
        Some(Reader {
            http: self.config.http.clone(),
            url: self.config.address.api(&["v1", "workspaces", workspace, "inbox"]),
            token: self.token.as_ref()?.text.clone(),
            page_size: self.config.page_size,
            clock: Arc::clone(&self.config.environment.clock),
        })
    }

    pub(super) fn handle_page(&mut self, number: u64, result: Result<Page, Error>) {
        let Some(under_way) = self.pages.under_way.take_if(|page| page.number == number) else { return };
        let UnderWay { filter, fresh, askers, .. } = under_way;
        self.dirty = true;
        match result {
            Ok(page) => {
                self.store.merge(&page, filter, fresh);
                if fresh {
                    self.pages.backoff.reset();
                    self.store.settle(&mut self.queue);
                }
                for asker in askers {
                    let _ = asker.send(Ok(!page.items.is_empty()));
                }
            }
            Err(error) => {
                self.store.give_up_page();
                if fresh {
                    self.retry_page(error);
                } else {
                    // One of them is told; the others ask once more.
                    let mut askers = askers.into_iter();
                    let told = askers.next();
                    self.pages.waiting.extend(askers.map(|asker| (filter, asker)));
                    let _ = told.map(|asker| asker.send(Err(error)));
                }
            }
        }
        self.keep_soon();
    }

    fn retry_page(&mut self, error: Error) {
        let random = self.random();
        let jittered = self.pages.backoff.pause_ms(random);
        let pause = match &error {
            Error::Problem(problem) => problem.retry_after_ms.unwrap_or(jittered),
            _ => jittered,
        };
        self.pages.retry_at = Some(self.now().saturating_add(pause));
        self.report(error);
    }

    /// The page on its way is not wanted any more; whoever asked for it asks again.
    pub(super) fn drop_page(&mut self) {
        if let Some(UnderWay { filter, askers, .. }) = self.pages.under_way.take() {
            self.store.give_up_page();
            self.pages.waiting.extend(askers.into_iter().map(|asker| (filter, asker)));
        }
        self.pages.retry_at = None;
    }
}
