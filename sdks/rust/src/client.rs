//! The public client: options, lifecycle, what a user does.

use std::sync::Arc;

use tokio::sync::{broadcast, mpsc, oneshot, watch};

use crate::address::Address;
use crate::driver::{Act, Command, Config, Driver, Order, Start, Told};
use crate::environment::Environment;
use crate::error::Error;
use crate::events::{EVENT_LIMIT, Events, Stamped, Turn};
use crate::inbox::{Entries, Filter, PAGE};
use crate::snapshot::{List, Snapshot};
use crate::state::State;
use crate::storage::Storage;
use crate::store::{ITEM_LIMIT, Position};
use crate::surface::Surface;
use crate::tls;
use crate::token::TokenSource;

/// How many calls wait for the client's task. A caller beyond it waits too.
const COMMAND_LIMIT: usize = 256;

/// Options of a client.
#[must_use]
pub struct CampanileBuilder {
    url: String,
    surface: Surface,
    workspace: Option<String>,
    token: Option<TokenSource>,
    user: Option<String>,
    position: Option<Position>,
    storage: Option<Arc<dyn Storage>>,
    environment: Environment,
    tls: Option<Arc<rustls::ClientConfig>>,
    allow_insecure: bool,
    auto_mark_read: bool,
    max_items: usize,
    page_size: u32,
}

impl CampanileBuilder {
    /// The workspace's slug. Default: none, and the client is idle. The product surface needs none.
    pub fn workspace(mut self, workspace: impl Into<String>) -> Self {
        self.workspace = Some(workspace.into());
        self
    }

    /// Where tokens come from. Default: none, and the client is idle.
    pub fn token(mut self, token: impl Into<TokenSource>) -> Self {
        self.token = Some(token.into());
        self
    }

    /// Who the tokens are of, if the program knows. It names what is kept, which is then shown before there is a token, unless
    /// the next one may be another user's: after an update took the token away or gave another callback, after a callback gave
    /// none, and after one gave another user's. A token that does not say whose it is counts as this user's. Where one says
    /// another user, neither is believed: nothing is shown until the server says whose it is. Default: what the token says,
    /// else what the server says.
    pub fn user(mut self, user: impl Into<String>) -> Self {
        self.user = Some(user.into());
        self
    }

    /// The wire protocol. Default: [`Surface::Native`].
    pub fn surface(mut self, surface: Surface) -> Self {
        self.surface = surface;
        self
    }

    /// Goes on from this place, whosever the first token is: everything after it comes as events. It wins over what is kept, and
    /// is forgotten with an update of workspace or user. Default: none.
    pub fn resume(mut self, position: Position) -> Self {
        self.position = Some(position);
        self
    }

    /// Keeps position, items and waiting actions here, across restarts. Default: nowhere.
    pub fn storage(mut self, storage: impl Storage) -> Self {
        self.storage = Some(Arc::new(storage));
        self
    }

    /// Keeps them in a storage that others use too.
    pub fn shared_storage(mut self, storage: Arc<dyn Storage>) -> Self {
        self.storage = Some(storage);
        self
    }

    /// Marks every notification as read as soon as it came as an event. Default: no.
    pub fn auto_mark_read(mut self, auto_mark_read: bool) -> Self {
        self.auto_mark_read = auto_mark_read;
        self
    }

    /// How many entries are in memory and are kept, at least 1, but for those that [`Campanile::load_more`] brought. Default:
    /// 1,000.
    pub fn max_items(mut self, max_items: usize) -> Self {
        self.max_items = max_items.max(1);
        self
    }

    /// How many entries a page of the inbox has, 1 to 100. Default: 25.
    pub fn page_size(mut self, page_size: u32) -> Self {
        self.page_size = page_size.clamp(1, 100);
        self
    }

    /// Allows `http://` and `ws://` to other machines: tokens travel in the clear. Default: no.
    pub fn allow_insecure(mut self, allow: bool) -> Self {
        self.allow_insecure = allow;
        self
    }

    /// TLS by this configuration. Default: whom the operating system trusts.
    pub fn tls(mut self, tls: Arc<rustls::ClientConfig>) -> Self {
        self.tls = Some(tls);
        self
    }

    /// Takes time and randomness from here. Default: from the system.
    pub fn environment(mut self, environment: Environment) -> Self {
        self.environment = environment;
        self
    }

    /// Starts the client, which connects as soon as token and workspace are there. Events begin with the first.
    ///
    /// # Errors
    /// The address can't be used, or would carry tokens in the clear; TLS can't be set up.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn connect(self) -> Result<(Campanile, Events), Error> {
        let address = Address::parse(&self.url, self.allow_insecure)?;
        let tls = match self.tls {
            _ if !address.is_encrypted() => None,
            Some(tls) => Some(tls),
            None => Some(tls::platform()?),
        };
        let http = tls::http(tls.as_ref())?;
        let (commands, taken) = mpsc::channel(COMMAND_LIMIT);
        let (events, first) = broadcast::channel(EVENT_LIMIT);
        let (shown, snapshots) = watch::channel(Arc::new(Snapshot::default()));
        let (turn, turns) = watch::channel(Turn::default());
        let first = Events::new(first, turns.clone());
        let client = Campanile { commands, snapshots, events: events.downgrade(), turns };
        let config = Config {
            address,
            surface: self.surface,
            environment: self.environment,
            storage: self.storage,
            tls,
            http,
            auto_mark_read: self.auto_mark_read,
            max_items: self.max_items,
            page_size: self.page_size,
        };
        let start = Start {
            workspace: some(self.workspace),
            token: self.token.filter(|token| !token.is_empty()),
            user: some(self.user),
            position: self.position,
        };
        let driver = Driver::new(config, start, Told { events, turn, shown });
        tokio::spawn(driver.run(taken));
        Ok((client, first))
    }
}

/// An empty text stands for none.
fn some(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.is_empty())
}

/// What [`Campanile::update`] exchanges. What is not set stays as it is.
#[derive(Debug, Clone, Default)]
#[must_use]
pub struct Change {
    pub(crate) token: Option<Option<TokenSource>>,
    pub(crate) workspace: Option<Option<String>>,
    pub(crate) user: Option<Option<String>>,
}

impl Change {
    /// Tokens come from here from now on.
    pub fn token(mut self, token: impl Into<TokenSource>) -> Self {
        self.token = Some(Some(token.into()).filter(|token| !token.is_empty()));
        self
    }

    /// There is no token any more: the client is idle, and shows nothing.
    pub fn without_token(mut self) -> Self {
        self.token = Some(None);
        self
    }

    /// The slug of the workspace to go to.
    pub fn workspace(mut self, workspace: impl Into<String>) -> Self {
        self.workspace = Some(some(Some(workspace.into())));
        self
    }

    /// There is no workspace any more: the client is idle, and shows nothing.
    pub fn without_workspace(mut self) -> Self {
        self.workspace = Some(None);
        self
    }

    /// Who the tokens are of: see [`CampanileBuilder::user`].
    pub fn user(mut self, user: impl Into<String>) -> Self {
        self.user = Some(some(Some(user.into())));
        self
    }

    /// Nobody is named any more.
    pub fn without_user(mut self) -> Self {
        self.user = Some(None);
        self
    }
}

/// A client of one user's notifications in one workspace. Clones are the same client.
///
/// When the last clone is dropped, the connection ends and what is kept stays. [`Campanile::close`] erases it.
#[derive(Debug, Clone)]
pub struct Campanile {
    commands: mpsc::Sender<Command>,
    snapshots: watch::Receiver<Arc<Snapshot>>,
    events: broadcast::WeakSender<Stamped>,
    turns: watch::Receiver<Turn>,
}

impl Campanile {
    /// A client of the server at this address, such as `https://example.com`.
    pub fn builder(url: impl Into<String>) -> CampanileBuilder {
        CampanileBuilder {
            url: url.into(),
            surface: Surface::Native,
            workspace: None,
            token: None,
            user: None,
            position: None,
            storage: None,
            environment: Environment::default(),
            tls: None,
            allow_insecure: false,
            auto_mark_read: false,
            max_items: ITEM_LIMIT,
            page_size: PAGE,
        }
    }

    /// What it shows now.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.snapshots.borrow().clone()
    }

    /// What it shows, and every change of that. Changes that come close together may be one.
    pub fn snapshots(&self) -> watch::Receiver<Arc<Snapshot>> {
        self.snapshots.clone()
    }

    /// The entries of a filter, as they are shown now.
    pub fn list(&self, filter: Filter) -> List {
        self.snapshot().list(filter)
    }

    /// Waits until it shows something.
    ///
    /// # Errors
    /// [`Error::Closed`]: it ended before.
    pub async fn until(&self, shows: impl Fn(&Snapshot) -> bool) -> Result<Arc<Snapshot>, Error> {
        let mut snapshots = self.snapshots();
        loop {
            // Its own: whoever looks at it holds up nobody.
            let shown = snapshots.borrow_and_update().clone();
            if shows(&shown) {
                return Ok(shown);
            }
            snapshots.changed().await.map_err(|_| Error::Closed)?;
        }
    }

    /// Events from now on.
    ///
    /// # Errors
    /// [`Error::Closed`]: there will be none.
    pub fn events(&self) -> Result<Events, Error> {
        let events = self.events.upgrade().ok_or(Error::Closed)?;
        Ok(Events::new(events.subscribe(), self.turns.clone()))
    }

    /// Marks an entry as read, at once. [`Event::Error`](crate::Event::Error) tells if the server can't, and that is undone.
    ///
    /// # Errors
    /// [`Error::QueueFull`]: 1,000 actions wait already. [`Error::Missing`]: there is no token or workspace, or it is not
    /// known yet whose tokens they are, and so nobody whose entry it would be: before a token or the server
    /// says it, unless [`CampanileBuilder::user`] does. [`Error::Closed`]. So for all actions below.
    pub async fn read(&self, id: impl Into<String>) -> Result<(), Error> {
        self.act(Act::Read(id.into())).await
    }

    /// Counts an entry as unread again.
    ///
    /// # Errors
    /// As [`Campanile::read`].
    pub async fn unread(&self, id: impl Into<String>) -> Result<(), Error> {
        self.act(Act::Unread(id.into())).await
    }

    /// Puts an entry away: it is read, and out of the default list.
    ///
    /// # Errors
    /// As [`Campanile::read`].
    pub async fn archive(&self, id: impl Into<String>) -> Result<(), Error> {
        self.act(Act::Archive(id.into())).await
    }

    /// Marks everything as read that this client was told of.
    ///
    /// # Errors
    /// As [`Campanile::read`].
    pub async fn read_all(&self) -> Result<(), Error> {
        self.act(Act::ReadAll).await
    }

    /// Says that everything was shown that this client was told of.
    ///
    /// # Errors
    /// As [`Campanile::read`].
    pub async fn seen(&self) -> Result<(), Error> {
        self.act(Act::Seen).await
    }

    /// Loads the next older page of a filter's list into the snapshot, as soon as there is a connection. False: there are no
    /// older ones. Who asks for a page that is on its way is answered with it.
    ///
    /// # Cancel safety
    /// It waits as long as there is no connection. Once it is dropped, the page is not asked for.
    ///
    /// # Errors
    /// The server can't be reached or refuses; [`Error::Missing`]: there is no token or workspace, it is not known yet whose
    /// tokens they are, or they became another user's before it was answered; [`Error::Unsupported`] on the documented
    /// surfaces.
    pub async fn load_more(&self, filter: Filter) -> Result<bool, Error> {
        self.ask(|reply| Command::LoadMore(filter, reply)).await?
    }

    /// Reads a page of those entries that a filter names, older than the place `before` or the newest. The snapshot stays as it
    /// is.
    ///
    /// # Errors
    /// As [`Campanile::load_more`], and [`Error::Missing`] before the first connection of this user in this workspace.
    pub async fn entries(&self, filter: Filter, before: Option<u64>) -> Result<Entries, Error> {
        self.ask(|reply| Command::Entries(filter, before, reply)).await?
    }

    /// Connects again after [`Campanile::disconnect`]. A client connects by itself when it starts.
    ///
    /// # Errors
    /// [`Error::Closed`].
    pub async fn connect(&self) -> Result<(), Error> {
        self.order(Order::Connect).await
    }

    /// Rests, until [`Campanile::connect`]. Everything stays as it is.
    ///
    /// # Errors
    /// [`Error::Closed`].
    pub async fn disconnect(&self) -> Result<(), Error> {
        self.order(Order::Disconnect).await
    }

    /// Connects now: out of waiting, suspended and refused.
    ///
    /// # Errors
    /// [`Error::Closed`]. So for all calls below.
    pub async fn retry(&self) -> Result<(), Error> {
        self.order(Order::Retry).await
    }

    /// Says that there is no network: the client rests. After 5 minutes it looks for itself.
    ///
    /// # Errors
    /// [`Error::Closed`].
    pub async fn offline(&self) -> Result<(), Error> {
        self.order(Order::Offline).await
    }

    /// Says that there is a network again: the client comes back within a second, or when the server said.
    ///
    /// # Errors
    /// [`Error::Closed`].
    pub async fn online(&self) -> Result<(), Error> {
        self.order(Order::Online).await
    }

    /// Exchanges tokens, workspace or user; the snapshot shows that by the time that this answers. On the native surface a live connection takes another token of the same user over.
    /// Another user or workspace starts anew: nothing of the former is shown. Without a token or a workspace it is idle.
    ///
    /// # Errors
    /// [`Error::Closed`].
    pub async fn update(&self, change: Change) -> Result<(), Error> {
        self.order(Order::Update(change)).await
    }

    /// Ends for good, and erases whatever is kept of this user on this server, of every workspace and surface, connected or
    /// not: for logging out. The user is who it was when this client last had a token, else who a fixed token or the option
    /// `user` says; where these name two users, only what was kept under both names. Where it was told neither, nothing is erased.
    /// Other clients on the same storage go on, and keep what is theirs: close them too, before this one. A storage is all that
    /// they share, they may be of other processes, and it has no way to call any of them.
    ///
    /// # Errors
    /// [`Error::StorageFailed`]: something may still be there, or the storage does not answer within 5 s. It is erased all
    /// the same once it does, as long as the runtime is there. [`Error::Closed`]: it was closed before.
    pub async fn close(&self) -> Result<(), Error> {
        self.ask(Command::Close).await?
    }

    /// Ends, and keeps what is kept. The answer is where another client can go on; `None` on the documented surfaces.
    ///
    /// # Errors
    /// [`Error::StorageFailed`]: it could not be kept, or the storage does not answer within 5 s; it is kept all the same once
    /// it does, as long as the runtime is there. [`Error::Closed`]: it was closed before.
    pub async fn leave(&self) -> Result<Option<Position>, Error> {
        self.ask(Command::Leave).await?
    }

    /// True once it is live; false if it was refused or closed before.
    pub async fn until_live(&self) -> bool {
        let settled =
            |snapshot: &Snapshot| matches!(snapshot.state, State::Live | State::Refused | State::Closed);
        self.until(settled).await.is_ok_and(|snapshot| snapshot.state == State::Live)
    }

    async fn act(&self, act: Act) -> Result<(), Error> {
        self.ask(|reply| Command::Act(act, reply)).await?
    }

    async fn order(&self, order: Order) -> Result<(), Error> {
        self.ask(|reply| Command::Order(order, reply)).await
    }

    async fn ask<T>(&self, command: impl FnOnce(oneshot::Sender<T>) -> Command) -> Result<T, Error> {
        let (reply, answer) = oneshot::channel();
        self.commands.send(command(reply)).await.map_err(|_| Error::Closed)?;
        answer.await.map_err(|_| Error::Closed)
    }
}
