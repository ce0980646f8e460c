//! What a handshake asks for: by which token, and what of the past.

use campanile_model::{Epoch, NotificationId, Rev, Seq};
use campanile_wire::{Replay, Resumption, Surface};

use super::query::{Parameter, parameter};

/// The parameter of a one-time ticket, in place of the token's on every surface.
const TICKET: &str = "ticket";

/// One handshake's question.
#[derive(Clone, Copy)]
pub struct Ask<'a> {
    /// Where it is asked.
    pub surface: &'static Surface,
    /// What follows the `?`.
    pub query: &'a str,
    /// The `Authorization` header, where the surface reads it.
    bearer: Option<&'a str>,
    /// It stands there twice, or is none of ours.
    bearer_is_odd: bool,
    /// The workspace, where the path names it.
    workspace: Option<&'a str>,
    /// `Last-Event-ID`, where it is an event stream.
    last_event: Option<&'a str>,
}

/// By what a client says who it is.
#[derive(Clone, PartialEq, Eq)]
pub enum Credential {
    /// By nothing.
    Missing,
    /// By a token.
    Token(String),
    /// By a ticket that stands for one.
    Ticket(String),
    /// By more than one thing.
    Ambiguous,
}

impl<'a> Ask<'a> {
    /// Reads the headers that the surface looks at.
    pub fn new(
        surface: &'static Surface,
        query: &'a str,
        headers: impl Iterator<Item = (&'a str, &'a [u8])>,
    ) -> Self {
        let mut ask =
            Self { surface, query, bearer: None, bearer_is_odd: false, workspace: None, last_event: None };
        for (name, value) in headers {
            if surface.takes_bearer && name.eq_ignore_ascii_case("authorization") {
                let token = std::str::from_utf8(value).ok().and_then(|value| value.trim().split_once(' '));
                let token = token.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
                ask.bearer_is_odd |= token.is_none() || ask.bearer.is_some();
                ask.bearer = token.map(|(_, token)| token.trim());
            } else if name.eq_ignore_ascii_case("last-event-id") {
                ask.last_event = std::str::from_utf8(value).ok();
            }
        }
        ask
    }

    /// As one that names its workspace in the path.
    #[must_use]
    pub fn within(self, workspace: &'a str) -> Self {
        Self { workspace: Some(workspace), ..self }
    }

    /// By what it says who asks.
    pub fn credential(&self) -> Credential {
        use Parameter::{Missing, Once};
        let token = parameter(self.query, self.surface.token_parameter);
        match (self.bearer, token, parameter(self.query, TICKET)) {
            _ if self.bearer_is_odd => Credential::Ambiguous,
            (Some(token), Missing, Missing) => Credential::Token(token.to_owned()),
            (None, Once(token), Missing) if !token.trim().is_empty() => Credential::Token(token),
            (None, Missing, Once(ticket)) if !ticket.is_empty() => Credential::Ticket(ticket),
            (None, Missing, Missing) => Credential::Missing,
            (None, Once(blank), Missing) | (None, Missing, Once(blank)) if blank.trim().is_empty() => {
                Credential::Missing
            }
            _ => Credential::Ambiguous,
        }
    }

    /// The token or the ticket as it stands there, for whoever has to recognise its repetition.
    pub fn token(&self) -> String {
        match self.credential() {
            Credential::Token(text) | Credential::Ticket(text) => text,
            Credential::Missing => String::new(),
            Credential::Ambiguous => self.query.to_owned(),
        }
    }

    /// The workspace it names; `None`: the surface has one of its own.
    pub fn workspace(&self) -> Option<Parameter> {
        match self.workspace {
            Some(slug) => Some(Parameter::Once(slug.to_owned())),
            None => self.surface.workspace_parameter.map(|name| parameter(self.query, name)),
        }
    }

    /// What it asks of the past. `since` wins over `replay`; what can't be understood is answered by a resync where
    /// the surface has one.
    pub fn replay(&self) -> Replay {
        let since = parameter(self.query, "since");
        match (self.surface.resumption, since) {
            (Resumption::ByPosition, since) => self.position(since),
            (Resumption::ById, Parameter::Once(id)) => {
                NotificationId::parse(&id).map_or(Replay::Unknown, Replay::Since)
            }
            (Resumption::ById, Parameter::Ambiguous) => Replay::Unknown,
            _ => match parameter(self.query, "replay") {
                Parameter::Once(word) if word == "unread" => Replay::Unread,
                Parameter::Once(word) if word == "none" => Replay::None,
                _ => self.surface.replay,
            },
        }
    }

    /// Where a client of a surface with positions was. The header of a stream is newer than its address, which stays the
    /// same over all its reconnects.
    fn position(&self, since: Parameter) -> Replay {
        let rev = match parameter(self.query, "rev") {
            Parameter::Once(rev) => rev.parse().ok().map(Rev),
            _ => None,
        };
        let from = |epoch: Option<Epoch>, seq: &str| match seq.parse() {
            Ok(seq) => Replay::From { epoch, seq: Seq(seq), rev },
            Err(_) => Replay::Unknown,
        };
        if let Some(id) = self.last_event.filter(|id| !id.is_empty()) {
            return match id.split_once(':') {
                Some((epoch, seq)) if Epoch::parse(epoch).is_some() => from(Epoch::parse(epoch), seq),
                _ => Replay::Unknown,
            };
        }
        match (since, parameter(self.query, "epoch")) {
            (Parameter::Missing, _) => Replay::None,
            (Parameter::Once(seq), Parameter::Missing) => from(None, &seq),
            (Parameter::Once(seq), Parameter::Once(epoch)) if Epoch::parse(&epoch).is_some() => {
                from(Epoch::parse(&epoch), &seq)
            }
            _ => Replay::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use campanile_wire::{NATIVE, PRODUCT, STREAM, WORKSPACE};

    use super::*;

    fn none<'a>() -> std::iter::Empty<(&'a str, &'a [u8])> {
        std::iter::empty()
    }

    #[test]
    fn one_credential_is_enough_and_two_are_none() {
        let said = |surface, query, headers: &[(&'static str, &'static [u8])]| match Ask::new(
            surface,
            query,
            headers.iter().copied(),
        )
        .credential()
        {
            Credential::Missing => "missing".to_owned(),
            Credential::Token(token) => format!("token {token}"),
            Credential::Ticket(ticket) => format!("ticket {ticket}"),
            Credential::Ambiguous => "ambiguous".to_owned(),
        };
        let bearer: (&str, &[u8]) = ("authorization", b"bearer  a.b.c ");
        assert_eq!(said(&NATIVE, "", &[bearer]), "token a.b.c");
        assert_eq!(said(&NATIVE, "token=x", &[]), "token x");
        assert_eq!(said(&NATIVE, "ticket=x", &[]), "ticket x");
        for (query, headers) in [
            ("token=x", &[bearer][..]),
            ("ticket=x", &[bearer]),
            ("ticket=x&token=y", &[]),
            ("token=x&token=x", &[]),
            ("", &[bearer, bearer]),
            ("", &[("Authorization", b"Basic YTpi")]),
        ] {
            assert_eq!(said(&NATIVE, query, headers), "ambiguous", "{query}");
        }
        for query in ["", "token=", "token=%20", "ticket="] {
            assert_eq!(said(&NATIVE, query, &[]), "missing", "{query}");
        }
        // The documented surfaces know no header.
        assert_eq!(said(&WORKSPACE, "token=x", &[bearer]), "token x");
        assert_eq!(said(&PRODUCT, "", &[bearer]), "missing");
    }

    #[test]
    fn positions_in_their_forms() {
        let epoch = Some(Epoch(0x1f));
        let replay = |surface, query| Ask::new(surface, query, none()).replay();
        let from = |epoch, seq, rev: Option<u64>| Replay::From { epoch, seq: Seq(seq), rev: rev.map(Rev) };
        let here = |rest| format!("epoch=000000000000001f&since=7&rev={rest}");
        let (known, odd_rev) = (here("3"), here("x"));
        assert_eq!(replay(&NATIVE, ""), Replay::None);
        assert_eq!(replay(&NATIVE, &known), from(epoch, 7, Some(3)));
        assert_eq!(replay(&NATIVE, &odd_rev), from(epoch, 7, None));
        assert_eq!(replay(&NATIVE, "since=0"), from(None, 0, None));
        for odd in ["since=7&since=7", "since=x", "since=-1", "since=7&epoch=1f", "since=7&epoch="] {
            assert_eq!(replay(&NATIVE, odd), Replay::Unknown, "{odd}");
        }
        let header: (&str, &[u8]) = ("Last-Event-ID", b"000000000000001f:9");
        let stream = Ask::new(&STREAM, "since=7&epoch=000000000000001f&rev=3", [header].into_iter());
        assert_eq!(stream.replay(), from(epoch, 9, Some(3)), "the header is newer");
        let odd: (&str, &[u8]) = ("Last-Event-ID", b"9");
        assert_eq!(Ask::new(&STREAM, "", [odd].into_iter()).replay(), Replay::Unknown);
    }
}
