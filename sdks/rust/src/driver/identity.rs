//! Whose things these are: what the application says, what a token says, and what the server says.

use serde_json::json;

use super::Driver;
use crate::actions::Queue;
use crate::client::Change;
use crate::store::Store;
use crate::token::{Token, TokenSource};

/// Who is who.
#[derive(Default)]
pub(super) struct Identity {
    /// The application's word.
    pub named: Option<String>,
    /// Under which name things are kept: the application's word and the token's, else the server's.
    pub claimed: Option<String>,
    /// The server's word.
    pub greeted: Option<String>,
    /// The token's own word, where that is all there is.
    said: Option<String>,
    /// Whether these are the things of whom the token is is not known: nothing is shown.
    pub concealed: bool,
    /// The tokens come from elsewhere since the last connection: they may be another user's.
    pub unproven: bool,
}

impl Identity {
    /// Before there is a token.
    pub fn new(named: Option<String>) -> Self {
        Self { named, ..Self::default() }
    }

    /// Whose a token is: the application's word, else the token's. Where they differ, something that is neither's.
    pub fn whose(&self, said: Option<&str>) -> Option<String> {
        match (self.named.as_deref(), said) {
            (Some(named), Some(said)) if named != said => Some(json!([named, said]).to_string()),
            (named, said) => named.or(said).map(str::to_owned),
        }
    }

    /// Whether a token is of another user than what is here.
    pub fn is_of_another(&self, token: &Token) -> bool {
        match (self.whose(token.user.as_deref()), &self.claimed) {
            (_, None) => false,
            (None, Some(_)) => self.unproven,
            (claim, claimed) => claim != *claimed,
        }
    }

    /// Whether the server speaks of another user than before.
    pub fn is_stranger(&self, user: &str) -> bool {
        !user.is_empty() && self.greeted.as_deref().is_some_and(|known| known != user)
    }

    /// Who is shown, as far as is known.
    pub fn user(&self) -> Option<String> {
        let shown = self.greeted.as_ref().or(self.said.as_ref());
        shown.filter(|_| !self.concealed).cloned()
    }

    /// The server took the token: these are the things of whom it is.
    pub fn confirm(&mut self) {
        (self.concealed, self.unproven) = (false, false);
        self.said = self.said.take().or(self.named.clone());
    }

    /// Takes over what a token of the same user says.
    pub fn take(&mut self, token: &Token) {
        let claim = self.whose(token.user.as_deref());
        let says_so = token.user.is_some() && claim == token.user;
        if says_so {
            self.concealed = false;
        } else if token.user.is_some() && claim != self.claimed {
            // Two names: only the server can tell.
            self.concealed = true;
        }
        self.said = token.user.clone().filter(|_| says_so).or(self.said.take());
        self.claimed = claim.or(self.claimed.take());
    }
}

impl Driver {
    /// The client is of this token's user from now on. If that is another than before, everything begins anew.
    pub(super) fn take_on(&mut self, token: &Token) {
        if self.identity.is_of_another(token) {
            self.start_anew();
        }
        self.identity.take(token);
        self.dirty = true;
        // What a token says is more than a name alone.
        if token.user.is_some() || self.keeper.user.is_none() {
            self.attend();
        }
    }

    /// Whose an action is has to be known as early as it can be, so that it is kept.
    pub(super) fn expect_user(&mut self) {
        if self.identity.claimed.is_some() || self.identity.concealed {
            return;
        }
        match self.tokens.as_ref().and_then(TokenSource::fixed) {
            Some(token) => {
                self.take_on(&token);
                self.load_kept();
            }
            None => self.expect_named(),
        }
    }

    /// Whom the application names is shown before there is a token, unless there is reason to doubt it.
    pub(super) fn expect_named(&mut self) {
        if self.identity.claimed.is_none() && !self.identity.concealed && self.identity.named.is_some() {
            self.identity.claimed = self.identity.named.clone();
            if self.keeper.user.is_none() {
                self.attend();
            }
            self.load_kept();
        }
    }

    /// The server said whose things these are. False: what is here is another's, and gone.
    pub(super) fn take_word(&mut self, user: &str, token: Option<&Token>) -> bool {
        let known = self.identity.greeted.replace(user.to_owned());
        let is_stranger = known.is_some_and(|known| known != user);
        let claims = token.is_some_and(|token| self.identity.whose(token.user.as_deref()).is_some());
        if is_stranger && claims {
            self.forget();
        } else if is_stranger {
            self.start_anew();
        }
        if !claims {
            self.identity.claimed = Some(user.to_owned());
        }
        if is_stranger {
            (self.identity.greeted, self.identity.unproven) = (Some(user.to_owned()), false);
        }
        self.attend();
        !is_stranger
    }

    /// `close` erases the things of whom these are now.
    pub(super) fn attend(&mut self) {
        self.keeper.user = self.identity.claimed.clone().or(self.keeper.user.take());
    }

    pub(super) fn update(&mut self, Change { token, workspace, user }: Change) {
        let moves = workspace.as_ref().is_some_and(|workspace| *workspace != self.workspace)
            || user.as_ref().is_some_and(|user| *user != self.identity.named);
        let renews = token.as_ref().is_some_and(|token| *token != self.tokens);
        if !moves && !renews {
            return;
        }
        let names = user.as_ref().is_some_and(Option::is_some);
        let had_token = self.tokens.is_some();
        self.workspace = workspace.unwrap_or(self.workspace.take());
        self.identity.named = user.unwrap_or(self.identity.named.take());
        self.tokens = token.unwrap_or(self.tokens.take());
        self.identity.unproven |= renews;
        self.expired = None;
        let said = self.tokens.as_ref().and_then(TokenSource::user);
        let whose = self.identity.whose(said.as_deref());
        if names || renews && said.is_some() {
            self.keeper.user = whose.clone().or(self.keeper.user.take());
        }
        if moves || self.tokens.is_none() {
            // It is no place of another workspace, or of whoever else is named.
            self.resume = self.resume.take().filter(|_| !moves);
            self.start_anew();
            // The next token may be of another user than the one that is still named.
            self.identity.concealed |= had_token && self.tokens.is_none();
        } else if renews && had_token && self.identity.claimed.is_none() {
            // Nobody said whose these things are, so nobody can say that they are the next one's.
            self.start_anew();
        } else {
            // The same user goes on; whether it is the same, a callback has to say first.
            let is_doubtful = self.is_renewable() || whose != self.identity.claimed;
            self.identity.concealed |= is_doubtful && self.identity.claimed.is_some();
            if self.identity.concealed {
                self.pages.refuse_callers();
            }
            if self.is_live() && !is_doubtful {
                self.start_renewal();
                return;
            }
        }
        self.disconnect();
        if self.started && self.is_ready() {
            self.machine.begin();
        } else {
            self.machine.stop();
        }
    }

    /// There is no token any more: nothing is shown until there is one.
    pub(super) fn sign_out(&mut self) {
        self.start_anew();
        self.identity.concealed = true;
        self.machine.stop();
    }

    /// Another user or workspace: nothing of the former is left in memory. What was kept of it stays kept.
    pub(super) fn start_anew(&mut self) {
        self.keep_if_due();
        let done = std::mem::take(&mut self.queue);
        self.keeper.let_go(done);
        (self.identity.claimed, self.identity.greeted, self.identity.said) = (None, None, None);
        self.forget();
    }

    /// Nothing of what is shown is left in memory.
    fn forget(&mut self) {
        self.disconnect();
        self.store = self.fresh_store();
        self.queue = Queue::default();
        self.token = None;
        self.told.turn.send_modify(|turn| turn.number += 1);
        self.pages.forget();
        self.dirty = true;
    }

    pub(super) fn fresh_store(&self) -> Store {
        Store::new(self.config.max_items, self.resume.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_two_names_differ_it_is_neither() {
        let mut identity = Identity::default();
        assert_eq!((identity.whose(None), identity.whose(Some("alice"))), (None, Some("alice".into())));
        identity.named = Some("alice".into());
        assert_eq!(identity.whose(None), identity.whose(Some("alice")));
        let both = identity.whose(Some("bob")).unwrap();
        assert!(both != "alice" && both != "bob" && both.contains("alice") && both.contains("bob"));
    }
}
