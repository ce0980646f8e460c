//! What a client is called for. Whoever is answered sees what came of it.

use tokio::sync::oneshot;

use super::Driver;
use crate::client::Change;
use crate::error::Error;
use crate::inbox::{Entries, Filter};
use crate::store::Position;

/// What a user does. Places are added here.
#[derive(Debug)]
pub(crate) enum Act {
    Read(String),
    Unread(String),
    Archive(String),
    ReadAll,
    Seen,
}

/// What can't be refused.
#[derive(Debug)]
pub(crate) enum Order {
    Connect,
    Disconnect,
    Retry,
    Offline,
    Online,
    Update(Change),
}

/// A call of the client.
#[derive(Debug)]
pub(crate) enum Command {
    Act(Act, oneshot::Sender<Result<(), Error>>),
    LoadMore(Filter, oneshot::Sender<Result<bool, Error>>),
    Entries(Filter, Option<u64>, oneshot::Sender<Result<Entries, Error>>),
    Order(Order, oneshot::Sender<()>),
    Close(oneshot::Sender<Result<(), Error>>),
    Leave(oneshot::Sender<Result<Option<Position>, Error>>),
}

impl Driver {
    pub(super) fn handle_command(&mut self, command: Command) {
        self.dirty = true;
        match command {
            Command::Act(act, reply) => {
                let taken = self.act(act);
                self.show();
                let _ = reply.send(taken);
            }
            Command::Order(order, reply) => {
                self.handle_order(order);
                self.show();
                let _ = reply.send(());
            }
            Command::LoadMore(filter, reply) => self.load_more(filter, reply),
            Command::Entries(filter, before, reply) => self.entries(filter, before, reply),
            // Both end the loop, and are taken there.
            Command::Close(_) | Command::Leave(_) => {}
        }
    }

    fn handle_order(&mut self, order: Order) {
        match order {
            Order::Connect => {
                self.started = true;
                if self.is_ready() {
                    self.machine.connect();
                }
            }
            Order::Disconnect => {
                self.started = false;
                self.disconnect();
                self.machine.stop();
            }
            Order::Retry => {
                self.expired = None;
                if self.is_ready() {
                    self.machine.retry();
                }
            }
            Order::Offline => {
                self.disconnect();
                self.machine.handle_offline(self.now());
            }
            Order::Online => self.machine.handle_online(self.now(), self.random()),
            Order::Update(change) => self.update(change),
        }
        self.dirty = true;
    }
}
