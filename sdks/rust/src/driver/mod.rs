//! The task behind a client: it owns everything, and does one thing after the other.

mod acts;
mod attempt;
mod command;
mod ending;
mod frames;
mod identity;
mod keeping;
mod link;
mod pages;
mod renewal;
mod task;

use std::io;
use std::sync::Arc;

use futures_util::FutureExt;
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tokio::task::JoinSet;

use self::attempt::Attempt;
pub(crate) use self::command::{Act, Command, Order};
use self::identity::Identity;
use self::keeping::Keeper;
use self::link::Link;
use self::pages::Pages;
use self::renewal::Renewal;
use crate::actions::Queue;
use crate::address::Address;
use crate::connection::{Connection, DialFault, Signal};
use crate::environment::Environment;
use crate::error::{Cause, Error};
use crate::events::{Event, Stamped, Turn};
use crate::inbox::{Filter, Page};
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

impl Told {
    /// Where nobody looks and listens.
    fn nobody() -> Self {
        Self {
            events: broadcast::Sender::new(1),
            turn: watch::Sender::default(),
            shown: watch::Sender::default(),
        }
    }
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
    /// Where to go on from, told by the program: of whoever the first token is.
    resume: Option<Position>,
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
    /// What happened, and is told once it shows.
    untold: Vec<Stamped>,
    dirty: bool,
}

impl Driver {
    pub fn new(config: Config, start: Start, told: Told) -> Self {
        let store = Store::new(config.max_items, start.position.clone());
        Self {
            config,
            workspace: start.workspace,
            tokens: start.token,
            machine: Machine::default(),
            started: true,
            store,
            queue: Queue::default(),
            identity: Identity::new(start.user),
            resume: start.position,
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
            untold: Vec::new(),
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
                        // Nobody who calls from now on waits.
                        drop(commands);
                        return self.close(reply).await;
                    }
                    Some(Command::Leave(reply)) => {
                        drop(commands);
                        return self.leave(reply).await;
                    }
                    Some(command) => self.handle_command(command),
                    None => return self.leave(oneshot::channel().0).await,
                },
                Some(ended) = self.tasks.join_next(), if !self.tasks.is_empty() => match ended {
                    Ok(outcome) => self.handle_outcome(outcome).await,
                    Err(ended) if ended.is_cancelled() => {}
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
            self.keeper.patience(self.now()),
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
        self.tick_attempt(now);
        self.tick_link(now).await;
        self.tick_renewal(now).await;
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

    fn emit(&mut self, event: Event) {
        let turn = self.told.turn.borrow().number;
        self.untold.push(Stamped { turn, event });
    }

    fn report(&mut self, error: Error) {
        tracing::debug!(%error, "the client goes on");
        self.emit(Event::Error(Arc::new(error)));
    }

    /// Shows what changed, and then tells what happened: whoever hears of it sees it.
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
        if std::mem::take(&mut self.dirty) {
            self.told.shown.send_replace(Arc::new(self.snapshot(state)));
        }
        for stamped in self.untold.drain(..) {
            // Nobody may listen.
            let _ = self.told.events.send(stamped);
        }
    }

    fn snapshot(&self, state: State) -> Snapshot {
        let concealed = self.identity.concealed;
        let native = self.is_native();
        let view =
            if concealed { View::default() } else { View::of(&self.store, self.queue.actions(), !native) };
        let lists = Lists {
            // As soon as it is known whose list it is, though nothing of it may be here yet.
            paged: native && !concealed && self.identity.claimed.is_some(),
            loading: [self.pages.loading(), self.store.reload.map(|_| Filter::default())],
            depths: view.depths,
            items: Arc::new(view.items),
        };
        let shown = lists.list(Filter::default());
        Snapshot {
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
        }
    }
}
