//! What a user does: shown at once, and sent when there is a connection.

use super::{Act, Driver};
use crate::actions::{Action, QUEUE_LIMIT};
use crate::error::Error;

impl Driver {
    /// Takes an action: it shows at once, and is sent when there is a connection.
    pub(super) fn act(&mut self, act: Act) -> Result<(), Error> {
        if self.is_ready() {
            self.expect_user();
        }
        // Kept under no name, it would be lost with the client, or be of whoever the token turns out to be of.
        let is_known = self.identity.claimed.is_some() || self.token.is_some();
        if self.is_nobodys() || !is_known {
            return Err(Error::Missing("a token or a workspace"));
        }
        let horizon = self.store.horizon();
        let action = match act {
            Act::Read(id) => Action::Read { id },
            Act::Unread(id) => Action::Unread { id },
            Act::Archive(id) => Action::Archive { id },
            Act::ReadAll if !self.is_native() => return self.read_each(),
            Act::ReadAll => Action::ReadAll { up_to: horizon },
            Act::Seen => Action::Seen { up_to: horizon },
        };
        let item = action.id().and_then(|id| self.store.item(id));
        let archived = item.is_some_and(|item| item.archived);
        let nowhere = self.is_native() && item.is_some_and(|item| item.seq.is_none());
        let key = uuid::Uuid::new_v4().to_string();
        self.dirty = true;
        match self.config.surface.encode(&action, &key) {
            // What no log holds is read here only, and so is what the surface has no words for.
            Some(_) if nowhere => self.fold(&action),
            None => self.fold(&action),
            Some(_) if matches!(&action, Action::ReadAll { up_to: 0 } | Action::Seen { up_to: 0 }) => {}
            Some((_, answered)) => {
                let full = |_| Error::QueueFull { limit: QUEUE_LIMIT };
                let epoch = self.store.position.as_ref().and_then(|position| position.epoch.clone());
                self.queue.push(action.clone(), key, archived, epoch).map_err(full)?;
                if !answered {
                    self.fold(&action);
                }
                self.keeper.note(action);
                self.keep_now();
            }
        }
        Ok(())
    }

    /// Reads everything in memory, on a surface that can only read one entry at a time.
    fn read_each(&mut self) -> Result<(), Error> {
        let unread: Vec<String> =
            self.store.items().filter(|item| !item.read).map(|item| item.id.clone()).collect();
        unread.into_iter().try_for_each(|id| self.act(Act::Read(id)))
    }

    /// Makes an action part of what the server said; counts stay as they are.
    pub(super) fn fold(&mut self, action: &Action) {
        match action {
            Action::Seen { .. } if !self.is_native() => self.store.mark_all_seen(),
            _ => self.store.fold(action),
        }
    }
}
