//! A genuine payload read into what it states.

use std::borrow::Cow;
use std::sync::Arc;

use campanile_model::{Slug, Timestamp, UserId};

use crate::issuer::Rules;
use crate::members::{Members, string, strings};
use crate::{Identity, Refusal, Words, Workspaces};

/// What a genuine token states, whatever the time.
#[derive(Clone)]
pub(crate) struct Statement {
    pub(crate) identity: Arc<Identity>,
    not_before: Option<Timestamp>,
}

impl Statement {
    /// Reads the payload of a token whose signature holds, by the rules of who made it. Every claim we use must be
    /// well shaped, or the token is refused whether or not it has expired.
    pub(crate) fn read(payload: &[u8], rules: &Rules) -> Result<Self, Refusal> {
        let members = Members::parse(payload).ok_or(Refusal::Malformed)?;
        let claims = Claims { members, rules };
        claims.audience()?;
        let expires_at = claims.date("exp")?.ok_or(Refusal::NoExpiry)?;
        let not_before = claims.date("nbf")?;
        let identity = Identity {
            user: claims.user()?,
            workspaces: claims.workspaces()?,
            scopes: claims.scopes()?,
            issuer: rules.issuer.clone(),
            // Never a reason to refuse: a token from the future is one whose issuer has another clock; the way to say
            // "not yet" is `nbf` (RFC 7519 §4.1.5, §4.1.6).
            issued_at: claims.date("iat")?,
            expires_at,
            token_id: claims.text("jti")?.map(Into::into),
        };
        Ok(Self { identity: Arc::new(identity), not_before })
    }

    /// Judges how long it lives in all, which no time changes: what is refused now is never good later.
    pub(crate) fn check_life(&self, longest_millis: Option<i64>) -> Result<(), Refusal> {
        let Some(longest) = longest_millis else { return Ok(()) };
        let issued_at = self.identity.issued_at.ok_or(Refusal::NoIssueTime)?;
        let life = self.identity.expires_at.as_millis() - issued_at.as_millis();
        if life > longest { Err(Refusal::LivesTooLong) } else { Ok(()) }
    }

    /// Judges the time. Asked on every use, also of a remembered token.
    pub(crate) fn check_time(&self, now: Timestamp, leeway_millis: i64) -> Result<(), Refusal> {
        if self.not_before.is_some_and(|nbf| now.as_millis() + leeway_millis < nbf.as_millis()) {
            return Err(Refusal::NotYetValid);
        }
        if self.identity.has_expired(now, leeway_millis) { Err(Refusal::Expired) } else { Ok(()) }
    }
}

struct Claims<'a> {
    members: Members<'a>,
    rules: &'a Rules,
}

impl Claims<'_> {
    /// An issuer of whom audiences are configured signs for others too: what it signed for them is not for us.
    fn audience(&self) -> Result<(), Refusal> {
        let wanted = &self.rules.audience;
        if wanted.is_empty() {
            return Ok(());
        }
        let value = self.members.get("aud").ok_or(Refusal::WrongAudience)?;
        let texts = one_or_several(value).ok_or(Refusal::BadClaim("aud"))?;
        let is_ours = texts.iter().any(|text| wanted.iter().any(|ours| ours == text));
        if is_ours { Ok(()) } else { Err(Refusal::WrongAudience) }
    }

    /// The first of the configured claims that is there decides: falling through to the next would let a
    /// token with `"userId": null` act as whoever its `sub` is.
    fn user(&self) -> Result<UserId, Refusal> {
        let mut values = self.rules.claims.user.iter().filter_map(|name| self.members.at(name).transpose());
        let value = values.next().and_then(Result::ok);
        let text = value.and_then(string).ok_or(Refusal::NoUser)?;
        UserId::new(&text).map_err(|_| Refusal::NoUser)
    }

    fn workspaces(&self) -> Result<Workspaces, Refusal> {
        let bad = Refusal::BadClaim("workspaces");
        let Some(value) = self.members.at(&self.rules.claims.workspaces).map_err(|_| bad)? else {
            return Ok(self.rules.workspaces.clone());
        };
        // An issuer that knows one organisation for each user names it as a text. That text is never "every".
        if self.rules.issuer.is_some()
            && let Some(text) = string(value)
        {
            return Ok(Workspaces::Named(Slug::new(&text).iter().map(Slug::as_str).collect()));
        }
        let texts = strings(value).ok_or(bad)?;
        let named = texts.iter().map(|text| &**text).filter(|text| Slug::new(text).is_ok()).collect();
        Ok(if texts.iter().any(|text| text == "*") {
            Workspaces::All { named }
        } else {
            Workspaces::Named(named)
        })
    }

    /// Words parted by spaces; of a configured issuer also a list of words, as roles and permissions are given. A
    /// text with a space in such a list is no word.
    fn scopes(&self) -> Result<Words, Refusal> {
        let bad = Refusal::BadClaim("scope");
        let Some(value) = self.members.at(&self.rules.claims.scope).map_err(|_| bad)? else {
            return Ok(self.rules.scopes.clone());
        };
        if let Some(text) = string(value) {
            return Ok([&*text].into_iter().collect());
        }
        let words = strings(value).filter(|_| self.rules.issuer.is_some()).ok_or(bad)?;
        Ok(words.iter().map(|word| &**word).filter(|word| !word.contains(' ')).collect())
    }

    fn text(&self, name: &'static str) -> Result<Option<Cow<'_, str>>, Refusal> {
        self.members.get(name).map(|value| string(value).ok_or(Refusal::BadClaim(name))).transpose()
    }

    fn date(&self, name: &'static str) -> Result<Option<Timestamp>, Refusal> {
        self.members.get(name).map(|value| numeric_date(value).ok_or(Refusal::BadClaim(name))).transpose()
    }
}

/// The texts of `aud`: one, or a list (RFC 7519 §4.1.3).
fn one_or_several(json: &str) -> Option<Vec<Cow<'_, str>>> {
    string(json).map(|text| vec![text]).or_else(|| strings(json))
}

/// The last second of the year 9999: some issuers write it for "never".
const LAST_SECOND: f64 = 253_402_300_799.0;

/// Seconds since 1970 (NumericDate, RFC 7519 §2): a JSON number from 0 to the end of the year 9999.
///
/// Fractions are allowed there, so they are here, cut to milliseconds. A double holds every such instant.
fn numeric_date(json: &str) -> Option<Timestamp> {
    let is_number = json.starts_with(|c: char| c.is_ascii_digit());
    let seconds: f64 = json.parse().ok().filter(|_| is_number)?;
    // Within the range, the product is far below 2^53: the conversion is exact.
    (0.0..=LAST_SECOND).contains(&seconds).then(|| Timestamp::from_millis((seconds * 1000.0) as i64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ClaimNames;

    #[test]
    fn numeric_dates() {
        for (json, millis) in [
            ("0", 0),
            ("1767225600", 1_767_225_600_000),
            ("1767225600.0", 1_767_225_600_000),
            ("1767225600.9999", 1_767_225_600_999),
            ("1.7672256e9", 1_767_225_600_000),
            ("253402300799", Timestamp::from_millis(i64::MAX).as_millis()),
        ] {
            assert_eq!(numeric_date(json).map(Timestamp::as_millis), Some(millis), "{json}");
        }
        for bad in [
            "-1",
            "-0",
            "1e30",
            "1e999",
            "253402300800",
            "18446744073709551616",
            "\"1767225600\"",
            "null",
            "true",
            "[]",
            "{}",
            "NaN",
            "inf",
            "nan",
            "infinity",
            "",
        ] {
            assert_eq!(numeric_date(bad), None, "{bad}");
        }
    }

    fn read(payload: &str) -> Result<Statement, Refusal> {
        Statement::read(payload.as_bytes(), &Rules::anyone(&ClaimNames::default()))
    }

    #[test]
    fn times_are_judged_to_the_millisecond() {
        let statement = read(r#"{"userId":"a","nbf":10,"exp":20}"#).unwrap();
        let at = |millis, leeway| statement.check_time(Timestamp::from_millis(millis), leeway);
        assert_eq!(at(9_999, 0), Err(Refusal::NotYetValid));
        assert_eq!(at(10_000, 0), Ok(()));
        assert_eq!(at(19_999, 0), Ok(()));
        assert_eq!(at(20_000, 0), Err(Refusal::Expired));
        assert_eq!(at(9_000, 1_000), Ok(()));
        assert_eq!(at(20_999, 1_000), Ok(()));
        assert_eq!(at(21_000, 1_000), Err(Refusal::Expired));
        assert_eq!(at(i64::MIN, 5_000), Err(Refusal::NotYetValid));
        assert_eq!(at(i64::MAX, 5_000), Err(Refusal::Expired));
    }

    #[test]
    fn a_life_is_judged_from_beginning_to_end_and_by_no_clock() {
        let judged = |payload: &str, longest| read(payload).unwrap().check_life(longest);
        let (dated, undated) = (r#"{"userId":"a","iat":10,"exp":70}"#, r#"{"userId":"a","exp":70}"#);
        assert_eq!((judged(dated, None), judged(undated, None)), (Ok(()), Ok(())));
        assert_eq!(
            (judged(dated, Some(60_000)), judged(dated, Some(59_999))),
            (Ok(()), Err(Refusal::LivesTooLong))
        );
        // However little it has left.
        assert_eq!(judged(undated, Some(i64::MAX)), Err(Refusal::NoIssueTime));
        assert_eq!(
            judged(r#"{"userId":"a","iat":9.999,"nbf":69,"exp":70}"#, Some(60_000)),
            Err(Refusal::LivesTooLong)
        );
        assert_eq!(judged(r#"{"userId":"a","iat":253402300799,"exp":0}"#, Some(0)), Ok(()));
        assert_eq!(judged(r#"{"userId":"a","iat":0,"exp":253402300799}"#, Some(i64::MAX)), Ok(()));
    }

    #[test]
    fn not_yet_valid_is_said_before_expired() {
        let statement = read(r#"{"userId":"a","nbf":30,"exp":20}"#).unwrap();
        assert_eq!(statement.check_time(Timestamp::from_millis(25_000), 0), Err(Refusal::NotYetValid));
    }

    #[test]
    fn workspaces_keep_what_a_workspace_can_be_called() {
        let read = |list: &str| read(&format!(r#"{{"userId":"a","exp":1,"workspaces":{list}}}"#));
        let named = |list: &str| match &read(list).unwrap().identity.workspaces {
            Workspaces::Named(words) => words.iter().map(String::from).collect::<Vec<_>>(),
            other => panic!("{other:?}"),
        };
        assert_eq!(named(r#"["b","a","B","a b","","a/b","a"]"#), ["a", "b"]);
        assert!(named("[]").is_empty());
        let all = &read(r#"["a","*","-"]"#).unwrap().identity.workspaces;
        assert_eq!(all, &Workspaces::All { named: ["a"].into_iter().collect() });
    }
}
