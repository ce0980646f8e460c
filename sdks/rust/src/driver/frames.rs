//! What frames do, and actions on their way out.

use super::{Act, Driver};
use crate::actions::Action;
use crate::error::Error;
use crate::events::Event;
use crate::store::Change;
use crate::surface::{Done, Frame, Surface};

impl Driver {
    pub(super) fn handle_frame(&mut self, frame: Frame) {
        self.dirty = true;
        match frame {
            Frame::Hello(hello) => self.greet(&hello),
            Frame::Drain { retry_after_ms } => {
                let now = self.now();
                self.machine.handle_drain(now, retry_after_ms);
            }
            Frame::Pong {} => self.link.iter_mut().for_each(super::Link::hear_answer),
            Frame::Ok(done) => self.handle_done(&done),
            Frame::Error { code, reference, .. } => self.handle_error(code, reference.as_deref()),
            // Nothing counts before the greeting.
            _ if self.attempt.is_some() => {}
            frame => {
                if matches!(frame, Frame::Resync { .. }) {
                    self.drop_page();
                }
                if let Frame::Resync { epoch, .. } = &frame {
                    self.queue.keep_places_of(epoch.as_deref());
                }
                let change = self.store.apply(&frame);
                self.store.settle(&mut self.queue);
                self.tell(change);
                self.keep_soon();
            }
        }
    }

    fn tell(&mut self, change: Option<Change>) {
        match change {
            None => {}
            Some(Change::Notification(item)) => {
                let position = self.store.position.clone().filter(|_| self.is_native());
                let (id, read) = (item.id.clone(), item.read);
                self.emit(Event::Notification { item, position });
                if self.config.auto_mark_read
                    && !read
                    && let Err(error) = self.act(Act::Read(id))
                {
                    self.report(error);
                }
            }
            Some(Change::Update(item)) => self.emit(Event::Update(item)),
            Some(Change::Retract { id, cause, by }) => self.emit(Event::Retract { id, cause, by }),
            Some(Change::Receipts) => self.emit(Event::Receipts),
            Some(Change::Resync { reason }) => self.emit(Event::Resync { reason }),
        }
    }

    fn handle_done(&mut self, done: &Done) {
        if self.handle_refreshed(done) {
            return;
        }
        let Some(reference) = &done.reference else { return };
        if self.config.surface == Surface::Product {
            if let Some(key) = self.queue.key_in_flight(reference) {
                self.queue.handle_done(&key, None);
            }
            self.fold(&Action::Read { id: reference.clone() });
        } else {
            // What changed nothing was done before, and another client may have undone it since: it is not folded in.
            let action = self.queue.handle_done(reference, done.rev.filter(|_| done.changed));
            if let Some(action) = action.filter(|_| done.changed) {
                self.store.answer(&action, done);
            }
            self.store.settle(&mut self.queue);
        }
        self.keep_now();
    }

    fn handle_error(&mut self, code: String, reference: Option<&str>) {
        if self.handle_refresh_refused(&code, reference) {
            return;
        }
        let key = match (self.config.surface, reference) {
            (Surface::Product, Some(id)) => self.queue.key_in_flight(id),
            (_, reference) => reference.map(str::to_owned),
        };
        let undone = key.and_then(|key| self.queue.handle_refused(&key));
        let action = undone.as_ref().map_or("a frame", Action::name);
        self.report(Error::ActionRefused { action, code });
        self.keep_now();
    }

    /// Sends what waits.
    pub(super) async fn send_actions(&mut self) {
        // What was done before this client was there goes first.
        if self.keeper.is_awaited(self.now()) {
            return;
        }
        let mut unanswered = false;
        while self.is_live()
            && let Some(link) = self.link.as_mut().filter(|link| link.live)
            && let Some(entry) = self.queue.poll_send()
        {
            let Some((frame, answered)) = self.config.surface.encode(&entry.action, &entry.key) else {
                self.queue.handle_done(&entry.key, None);
                continue;
            };
            if let Err(text) = link.connection.send(frame).await {
                self.fall(&text, None);
                return;
            }
            if !answered {
                self.queue.handle_done(&entry.key, None);
                unanswered = true;
            }
            self.dirty = true;
        }
        if unanswered {
            self.keep_now();
        }
    }
}
