//! How visitors are sent away: the last words, and how long their answer is waited for.

use std::io::Write as _;
use std::time::Duration;

use super::Door;
use crate::http::problem::{self, Code};
use crate::socket::refuse;
use crate::socket::visitor::Stage;

/// Refused visitors that may linger while there is no room: with a door for the API beside this one, half the
/// descriptors kept in reserve.
const LINGERING: usize = 32;
/// How long the answer to a refusing close is waited for.
const LINGER: Duration = Duration::from_secs(2);

impl Door {
    /// Says 503. The first few linger within the descriptors kept in reserve, or their requests would reset
    /// our answer; the others get it as well as it may be.
    pub(super) fn refuse_for_room(&mut self, index: usize) {
        tracing::warn!(limit = self.config.max_connections, "a connection was refused: no room");
        if self.visitors.len() <= LINGERING {
            return self.refuse(index, &problem::OVERLOADED, &[], Some(5));
        }
        if let Some(visitor) = self.visitors.get_mut(index).filter(|visitor| visitor.stage == Stage::Head) {
            let _written = visitor.stream.write(&refuse::response(&problem::OVERLOADED, &[], Some(5)));
        }
        self.remove(index);
    }

    pub(super) fn refuse(
        &mut self,
        index: usize,
        refused: &Code,
        headers: &[(&str, &str)],
        retry_after: Option<u64>,
    ) {
        if let Some(visitor) = self.visitors.get(index) {
            tracing::info!(status = refused.status.as_u16(), cause = refused.name, peer = %visitor.client, "connection refused");
        }
        self.say_goodbye(index, &refuse::response(refused, headers, retry_after));
    }

    /// Sends the last words and waits a little for the peer to hear them: closing at once while its bytes
    /// are still coming in would destroy them on the way.
    pub(super) fn say_goodbye(&mut self, index: usize, words: &[u8]) {
        let Some(visitor) = self.visitors.get_mut(index) else { return };
        if visitor.stage != Stage::Head && self.config.tls.is_some() {
            // Whoever waits for TLS would not understand.
            return self.remove(index);
        }
        visitor.closing = true;
        visitor.read = vec![];
        let order = visitor.order;
        // Half-closed, so that the peer knows that this is the end whatever it was about to say.
        let is_said = match visitor.stream.write(words) {
            Ok(sent) if sent == words.len() => visitor.stream.half_close(),
            _ => Ok(false),
        };
        match is_said {
            Ok(true) => {
                self.closing.push_back((self.clock.monotonic() + LINGER, index, order));
            }
            // A fresh socket takes so little at once; if not, its client is gone.
            _ => self.remove(index),
        }
    }

    pub(super) fn expire(&mut self) {
        let now = self.clock.monotonic();
        while let Some((_, index, order)) = self.reading.pop_front_if(|(due, ..)| *due <= now) {
            if self.visitors.get(index).is_some_and(|v| v.order == order && !v.closing) {
                self.refuse(index, &problem::HANDSHAKE_TIMEOUT, &[], None);
            }
        }
        while let Some((_, index, order)) = self.closing.pop_front_if(|(due, ..)| *due <= now) {
            if self.visitors.get(index).is_some_and(|v| v.order == order) {
                self.remove(index);
            }
        }
    }

    pub(super) fn send_readers_away(&mut self) {
        let readers: Vec<usize> =
            self.visitors.iter().filter(|(_, visitor)| !visitor.closing).map(|(index, _)| index).collect();
        for index in readers {
            self.refuse(index, &problem::OVERLOADED, &[], Some(5));
        }
    }
}
