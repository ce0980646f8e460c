//! The task behind a client: it owns everything, and does one thing after the other.

mod acts;
mod attempt;
mod frames;
mod identity;
mod keeping;
mod link;
mod pages;
mod renewal;

use std::io;
use std::sync::Arc;

use futures_util::FutureExt;
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tokio::task::JoinSet;

use self::attempt::Attempt;
use self::identity::Identity;
use self::keeping::Keeper;
use self::link::Link;
use self::pages::Pages;
use self::renewal::Renewal;
use crate::actions::Queue;
use crate::address::Address;
use crate::client::Change;
use crate::connection::{Connection, DialFault, Signal};
use crate::environment::Environment;
use crate::error::{Cause, Error};
use crate::events::{Event, Stamped, Turn};
use crate::inbox::{Entries, Filter, Page};
use crate::kept::Owner;
use crate::snapshot::{Lists, Snapshot};
use crate::state::{Machine, State};
use crate::storage::Storage;
use crate::store::{Position, Store};
use crate::surface::Surface;
use crate::token::{Token, TokenSource};
use crate::view::View;

/// How many frames are taken in at most before the snapshot is shown anew.
const BATCH: usize = 256;
/// An instant that never comes.
const NEVER: u64 = u64::MAX;

/// What does not change while a client lives.
pub(crate) struct Config {
    pub address: Address,
    pub surface: Surface,
    pub environment: Environment,
    pub storage: Option<Arc<dyn Storage>>,
    pub tls: Option<Arc<rustls::ClientConfig>>,
    pub http: reqwest::Client,
    pub auto_mark_read: bool,
    pub max_items: usize,
    pub page_size: u32,
}

/// Whose notifications of which workspace a client begins with.
pub(crate) struct Start {
    pub workspace: Option<String>,
    pub token: Option<TokenSource>,
    pub user: Option<String>,
    pub position: Option<Position>,
}

/// Where a client tells what happens, and what it shows.
pub(crate) struct Told {
    pub events: broadcast::Sender<Stamped>,
    pub turn: watch::Sender<Turn>,
    pub shown: watch::Sender<Arc<Snapshot>>,
}

/// What a user does. Places are added here.
#[derive(Debug)]
pub(crate) enum Act {
    Read(String),
    Unread(String),
    Archive(String),
    ReadAll,
    Seen,
}

/// A call of the client.
#[derive(Debug)]
pub(crate) enum Command {
    Act(Act, oneshot::Sender<Result<(), Error>>),
    LoadMore(Filter, oneshot::Sender<Result<bool, Error>>),
    Entries(Filter, Option<u64>, oneshot::Sender<Result<Entries, Error>>),
    Connect,
    Disconnect,
    Retry,
    Offline,
    Online,
    Update(Change),
    Close(oneshot::Sender<Result<(), Error>>),
    Leave(oneshot::Sender<Result<Option<Position>, Error>>),
}

/// What came of work beside the loop. The number tells whether it is still wanted.
enum Outcome {
    Token(u64, Result<Option<Token>, Cause>),
    Dialled(u64, Result<Connection, DialFault>),
    Page(u64, Result<Page, Error>),
    Entries(u64, Result<Page, Error>),
    Loaded(Owner, io::Result<Option<String>>),
    Saved(io::Result<()>),
}

pub(crate) struct Driver {
    config: Config,
    workspace: Option<String>,
    tokens: Option<TokenSource>,
    machine: Machine,
    /// It was not told to rest.
    started: bool,
    store: Store,
    queue: Queue,
    identity: Identity,
    /// The token in use: of the user whose things are here.
    token: Option<Token>,
    /// The token of which the server said that it has expired.
    expired: Option<Token>,
    attempt: Option<Attempt>,
    link: Option<Link>,
    renewal: Option<Renewal>,
    refresh_at: Option<u64>,
    pages: Pages,
    keeper: Keeper,
    tasks: JoinSet<Outcome>,
    numbers: u64,
    told: Told,
    dirty: bool,
}

impl Driver {
    pub fn new(config: Config, start: Start, told: Told) -> Self {
        let store = Store::new(config.max_items, start.position);
        Self {
            config,
            workspace: start.workspace,
            tokens: start.token,
            machine: Machine::default(),
            started: true,
            store,
            queue: Queue::default(),
            identity: Identity::new(start.user),
            token: None,
            expired: None,
            attempt: None,
            link: None,
            renewal: None,
            refresh_at: None,
            pages: Pages::default(),
            keeper: Keeper::default(),
            tasks: JoinSet::new(),
            numbers: 0,
            told,
            dirty: true,
        }
    }

    /// Runs until the client is closed, left or dropped.
    pub async fn run(mut self, mut commands: mpsc::Receiver<Command>) {
        if self.is_ready() {
            self.machine.connect();
        }
        loop {
            self.drive();
            self.show();
            let wake = self.config.environment.clock.sleep_until(self.deadline());
            tokio::select! {
                command = commands.recv() => match command {
                    Some(Command::Close(reply)) => {
                        let _ = reply.send(self.close().await);
                        return;
                    }
                    Some(Command::Leave(reply)) => {
                        let _ = reply.send(self.leave().await);
                        return;
                    }
                    Some(command) => self.handle_command(command),
                    None => {
                        let _ = self.leave().await;
                        return;
                    }
                },
                Some(ended) = self.tasks.join_next(), if !self.tasks.is_empty() => match ended {
                    Ok(outcome) => self.handle_outcome(outcome).await,
                    Err(panic) => tracing::error!(%panic, "a task of the client ended badly"),
                },
                signal = link::next(self.link.as_mut()) => self.handle_signals(signal),
                signal = renewal::next(self.renewal.as_mut()) => self.handle_renewal_signal(signal),
                () = wake => {}
            }
            self.tick().await;
            self.send_actions().await;
        }
    }

    fn now(&self) -> u64 {
        self.config.environment.clock.now()
    }

    fn random(&self) -> f64 {
        (self.config.environment.random)()
    }

    fn number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }

    fn is_native(&self) -> bool {
        self.config.surface == Surface::Native
    }

    /// Another token can be had by asking.
    fn is_renewable(&self) -> bool {
        self.tokens.as_ref().is_some_and(|tokens| !tokens.is_fixed())
    }

    fn is_live(&self) -> bool {
        self.machine.state() == State::Live
    }

    /// Token and workspace are there.
    fn is_ready(&self) -> bool {
        self.tokens.is_some() && (self.workspace.is_some() || self.config.surface == Surface::Product)
    }

    /// Nobody knows whose an action, or what is asked for, would be.
    fn is_nobodys(&self) -> bool {
        !self.is_ready() || self.identity.concealed
    }

    /// Starts what the state asks for.
    fn drive(&mut self) {
        if self.machine.state() == State::Connecting && self.attempt.is_none() {
            self.start_attempt();
        }
        self.drive_pages();
    }

    /// When something is due at the latest.
    fn deadline(&self) -> u64 {
        let due = [
            self.machine.due(),
            self.attempt.as_ref().map(|attempt| attempt.deadline),
            self.link.as_ref().filter(|link| link.live).map(Link::deadline),
            self.renewal.as_ref().map(|renewal| renewal.deadline),
            self.refresh_at.filter(|_| self.is_live()),
            self.pages.retry_at.filter(|_| self.is_live()),
            self.keeper.save_at,
        ];
        due.into_iter().flatten().min().unwrap_or(NEVER)
    }

    /// Does what is due.
    async fn tick(&mut self) {
        let now = self.now();
        self.dirty |= self.machine.poll(now);
        if self.attempt.as_ref().is_some_and(|attempt| attempt.deadline <= now) {
            self.fall("no answer in time", None);
        }
        self.tick_link(now).await;
        self.tick_renewal(now);
        self.tick_keeper(now);
    }

    /// Takes in what is there already, so that a burst is shown once.
    fn handle_signals(&mut self, first: Signal) {
        let mut signal = Some(first);
        for _ in 0..BATCH {
            let Some(one) = signal else { break };
            self.handle_signal(one);
            signal = self.link.as_mut().and_then(|link| link.connection.next().now_or_never());
        }
        if let Some(left) = signal {
            self.handle_signal(left);
        }
    }

    async fn handle_outcome(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Token(number, result) => {
                if self.attempt.as_ref().is_some_and(|attempt| attempt.number == number) {
                    self.handle_token(result);
                } else if self.renewal.as_ref().is_some_and(|renewal| renewal.number == number) {
                    self.handle_renewal_token(result).await;
                }
            }
            Outcome::Dialled(number, result) => {
                if self.attempt.as_ref().is_some_and(|attempt| attempt.number == number) {
                    self.handle_dialled(result).await;
                } else if self.renewal.as_ref().is_some_and(|renewal| renewal.number == number) {
                    self.handle_renewal_dialled(result).await;
                } else if let Ok(connection) = result {
                    connection.finish();
                }
            }
            Outcome::Page(number, result) => self.handle_page(number, result),
            Outcome::Entries(number, result) => self.handle_entries(number, result),
            Outcome::Loaded(owner, result) => self.handle_loaded(&owner, result),
            Outcome::Saved(result) => self.handle_saved(result),
        }
    }

    fn handle_command(&mut self, command: Command) {
        let now = self.now();
        match command {
            Command::Act(act, reply) => {
                let _ = reply.send(self.act(act));
            }
            Command::LoadMore(filter, reply) => self.load_more(filter, reply),
            Command::Entries(filter, before, reply) => self.entries(filter, before, reply),
            Command::Connect => {
                self.started = true;
                if self.is_ready() {
                    self.machine.connect();
                }
            }
            Command::Disconnect => {
                self.started = false;
                self.disconnect();
                self.machine.stop();
            }
            Command::Retry => {
                self.expired = None;
                if self.is_ready() {
                    self.machine.retry();
                }
            }
            Command::Offline => {
                self.disconnect();
                self.machine.handle_offline(now);
            }
            Command::Online => {
                let random = self.random();
                self.machine.handle_online(now, random);
            }
            Command::Update(change) => self.update(change),
            // Both end the loop, and are taken there.
            Command::Close(_) | Command::Leave(_) => {}
        }
        self.dirty = true;
    }

    /// Lets go of the connection, and of what was under way to get one.
    fn disconnect(&mut self) {
        self.attempt = None;
        self.refresh_at = None;
        if let Some(link) = self.link.take() {
            link.connection.finish();
        }
        if let Some(link) = self.renewal.take().and_then(|renewal| renewal.link) {
            link.connection.finish();
        }
        self.queue.handle_disconnect();
        self.drop_page();
        self.dirty = true;
    }

    /// The connection broke, or did not come to be.
    fn fall(&mut self, text: &str, retry_after_ms: Option<u64>) {
        tracing::debug!(reason = text, "the connection ended");
        self.disconnect();
        let (now, random) = (self.now(), self.random());
        self.machine.handle_failure(now, text, retry_after_ms, random);
    }

    fn emit(&self, event: Event) {
        // Nobody may listen.
        let turn = self.told.turn.borrow().number;
        let _ = self.told.events.send(Stamped { turn, event });
    }

    fn report(&self, error: Error) {
        tracing::debug!(%error, "the client goes on");
        self.emit(Event::Error(Arc::new(error)));
    }

    /// Shows what changed.
    fn show(&mut self) {
        let concealed = self.identity.concealed;
        self.told
            .turn
            .send_if_modified(|turn| std::mem::replace(&mut turn.concealed, concealed) != concealed);
        let state = self.machine.state();
        if self.told.shown.borrow().state != state {
            self.dirty = true;
            self.emit(Event::State(state));
        }
        if !std::mem::take(&mut self.dirty) {
            return;
        }
        let native = self.is_native();
        let view =
            if concealed { View::default() } else { View::of(&self.store, self.queue.actions(), !native) };
        let lists = Lists {
            paged: native && !concealed && self.store.position.is_some(),
            loading: [self.pages.loading(), self.store.reload.map(|_| Filter::default())],
            depths: view.depths,
            items: Arc::new(view.items),
        };
        let shown = lists.list(Filter::default());
        self.told.shown.send_replace(Arc::new(Snapshot {
            state,
            reason: self.machine.reason().cloned(),
            retry_at: self.machine.retry_at(),
            user: self.identity.user(),
            items: Arc::new(shown.items),
            unread: view.unread,
            unseen: view.unseen,
            has_more: shown.has_more,
            loading: shown.loading,
            position: self.store.reached().filter(|_| native && !concealed),
            pending: if concealed { 0 } else { self.queue.len() },
            lists,
        }));
    }

    /// Ends, and erases what is kept of this user.
    async fn close(mut self) -> Result<(), Error> {
        let said = self.tokens.as_ref().and_then(TokenSource::user);
        let user = self.keeper.user.take().or(self.identity.whose(said.as_deref()));
        self.disconnect();
        self.machine.close();
        (self.store, self.queue) = (self.fresh_store(), Queue::default());
        self.told.turn.send_modify(|turn| turn.number += 1);
        self.identity = Identity::default();
        self.show();
        self.erase(user.as_deref()).await
    }

    /// Ends, and keeps what is kept.
    async fn leave(mut self) -> Result<Option<Position>, Error> {
        self.disconnect();
        self.finish_loading().await;
        self.keep_now();
        let position = self.store.reached().filter(|_| self.is_native());
        let saved = self.finish_saving().await;
        self.machine.close();
        self.show();
        saved.map(|()| position)
    }
}
