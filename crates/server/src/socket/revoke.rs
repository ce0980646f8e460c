//! Connections whose token was taken back.

use super::shard::Shard;

/// Places of the table looked at before sockets get their turn again: some 0.2 ms.
const PLACES: usize = 2_048;

impl Shard {
    /// Goes on judging every connection again, if other tokens are revoked than when that was last done. A revocation
    /// that comes meanwhile is left for the next round: it may mean connections that were passed already. Whoever comes
    /// meanwhile is judged on the way in.
    pub(super) fn judge_on(&mut self) {
        let Some(from) = self.judging.take().or_else(|| self.waking.judge_anew().then_some(0)) else {
            return;
        };
        let places = self.sockets.conns.capacity();
        let to = (from + PLACES).min(places);
        for index in from..to {
            let Some(conn) = self.sockets.conns.get(index) else { continue };
            // Who has left the registry is being closed already.
            let Some(seat) = conn.seat else { continue };
            if self.revoked.covers(&conn.mark, self.registry.name(seat.user)) {
                let (slot, refusal) = (conn.slot(index), conn.session.surface().refusals.token_invalid);
                self.guarded(slot, |shard| shard.close(slot, refusal));
            }
        }
        self.judging = (to < places).then_some(to);
    }
}
