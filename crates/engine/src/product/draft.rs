//! What a producer writes, and the rules it must keep.

use campanile_expiry::{ExpiryDate, Ladder};
use campanile_model::limits::{MAX_PRODUCT_NAME_CHARS, MAX_USERS_PER_ENTRY};
use campanile_model::{Topic, UserId};
use serde::{Deserialize, Deserializer};
use serde_json::Number;

use super::kept::Said;
use super::{MAX_NOTES_CHARS, ProductId};
use crate::EngineError;
use crate::publish::{each_once, name};

/// A product as a producer writes it. Unknown and repeated members are refused; `null` counts as absent.
#[derive(Debug, Clone, PartialEq, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schema(as = ProductDraft)]
pub struct Draft {
    /// Its name within the workspace: 1 to 128 bytes without control characters. Default: a UUID.
    #[schema(value_type = Option<String>, min_length = 1, max_length = 128, example = "milk-17")]
    pub id: Option<ProductId>,
    /// What people call it, at most 255 characters, not blank.
    #[schema(min_length = 1, max_length = 255, example = "Milk 3.5 %")]
    pub name: String,
    /// Who is told, 1 to 1,000 users; either these or a topic.
    #[schema(value_type = Option<Vec<String>>, min_items = 1, max_items = 1000)]
    pub owners: Option<Vec<UserId>>,
    /// Whose subscribers are told; either this or owners.
    #[schema(value_type = Option<String>, example = "dairy")]
    pub topic: Option<Topic>,
    /// When it expires: a date (`2026-01-31`), which lasts to the end of that day in the workspace's time zone,
    /// or an instant with its zone (RFC 3339). Kept as written.
    pub expiry_date: ExpiryDate,
    /// How much there is of it.
    #[schema(value_type = Option<f64>)]
    pub quantity: Option<Number>,
    /// For those who look after it, at most 2,000 characters: in no notification.
    #[schema(max_length = 2000)]
    pub notes: Option<String>,
    /// When it is told, if not as the workspace's settings say.
    pub ladder: Option<Ladder>,
}

/// What is to change of a product, as a merge patch (RFC 7396): a member that is absent stays as it is, `null`
/// removes it. Naming `owners` takes the place of a topic, and the other way round.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schema(as = ProductPatch)]
pub struct Patch {
    /// The product's id: needed in an import; elsewhere the path names it, and this may only say the same.
    #[schema(value_type = Option<String>, min_length = 1, max_length = 128)]
    pub id: Option<ProductId>,
    /// What people call it.
    #[serde(default, deserialize_with = "given")]
    #[schema(min_length = 1, max_length = 255, nullable = false)]
    pub name: Option<String>,
    /// Who is told.
    #[serde(default, deserialize_with = "set")]
    #[schema(value_type = Option<Vec<String>>, min_items = 1, max_items = 1000)]
    pub owners: Option<Option<Vec<UserId>>>,
    /// Whose subscribers are told.
    #[serde(default, deserialize_with = "set")]
    #[schema(value_type = Option<String>)]
    pub topic: Option<Option<Topic>>,
    /// When it expires.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false)]
    pub expiry_date: Option<ExpiryDate>,
    /// How much there is of it.
    #[serde(default, deserialize_with = "set")]
    #[schema(value_type = Option<f64>)]
    pub quantity: Option<Option<Number>>,
    /// For those who look after it.
    #[serde(default, deserialize_with = "set")]
    #[schema(value_type = Option<String>, max_length = 2000)]
    pub notes: Option<Option<String>>,
    /// When it is told; `null`: as the workspace's settings say.
    #[serde(default, deserialize_with = "set")]
    #[schema(value_type = Option<Ladder>)]
    pub ladder: Option<Option<Ladder>>,
    /// `removed` is what `DELETE` does.
    #[schema(nullable = false)]
    pub status: Option<StatusPatch>,
}

/// The one status that a producer can give.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum StatusPatch {
    /// It is gone.
    Removed,
}

/// A member that is there, and not `null`: what has to be said can't be removed.
fn given<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// A member that is there, `null` or not.
fn set<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

impl Draft {
    /// Checks every rule.
    ///
    /// # Errors
    /// [`EngineError::Invalid`] naming the member.
    pub(super) fn check(self) -> Result<Said, EngineError> {
        let Self { id: _, name, owners, topic, expiry_date, quantity, notes, ladder } = self;
        checked(Said { name, owners, topic, expiry_date, quantity, notes, ladder })
    }
}

impl Patch {
    /// What a product says that said `before`.
    ///
    /// # Errors
    /// [`EngineError::Invalid`] naming the member.
    pub(super) fn apply(self, before: &Said) -> Result<Said, EngineError> {
        let mut said = before.clone();
        if let Some(name) = self.name {
            said.name = name;
        }
        if let Some(date) = self.expiry_date {
            said.expiry_date = date;
        }
        // The one that is named takes the other's place; naming both is judged below.
        if matches!((&self.owners, &self.topic), (Some(Some(_)), None)) {
            said.topic = None;
        }
        if matches!((&self.owners, &self.topic), (None, Some(Some(_)))) {
            said.owners = None;
        }
        said.owners = self.owners.unwrap_or(said.owners);
        said.topic = self.topic.unwrap_or(said.topic);
        said.quantity = self.quantity.unwrap_or(said.quantity);
        said.notes = self.notes.unwrap_or(said.notes);
        said.ladder = self.ladder.unwrap_or(said.ladder);
        checked(said)
    }

    /// What a product says that was not there before.
    ///
    /// # Errors
    /// [`EngineError::Invalid`] naming the member.
    pub(super) fn complete(self) -> Result<Said, EngineError> {
        let missing = |field| EngineError::invalid(field, format!("a new product needs {field}"));
        checked(Said {
            name: self.name.ok_or_else(|| missing("name"))?,
            expiry_date: self.expiry_date.ok_or_else(|| missing("expiryDate"))?,
            owners: self.owners.flatten(),
            topic: self.topic.flatten(),
            quantity: self.quantity.flatten(),
            notes: self.notes.flatten(),
            ladder: self.ladder.flatten(),
        })
    }
}

fn checked(mut said: Said) -> Result<Said, EngineError> {
    name("name", &said.name, MAX_PRODUCT_NAME_CHARS)?;
    said.owners = said.owners.map(each_once);
    match (&said.owners, &said.topic) {
        (Some(owners), None) if (1..=MAX_USERS_PER_ENTRY).contains(&owners.len()) => {}
        (Some(_), None) => {
            let reason = format!("a product has 1 to {MAX_USERS_PER_ENTRY} owners; use a topic for more");
            return Err(EngineError::invalid("owners", reason));
        }
        (None, Some(_)) => {}
        _ => return Err(EngineError::invalid("owners", "a product has either owners or a topic")),
    }
    if said.notes.as_ref().is_some_and(|notes| notes.chars().count() > MAX_NOTES_CHARS) {
        let reason = format!("notes have at most {MAX_NOTES_CHARS} characters");
        return Err(EngineError::invalid("notes", reason));
    }
    Ok(said)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draft(members: &str) -> Result<Said, String> {
        let text = format!(r#"{{"name":"Milk","expiryDate":"2026-01-31"{members}}}"#);
        let draft: Draft = serde_json::from_str(&text).map_err(|error| error.to_string())?;
        draft.check().map_err(field)
    }

    fn field(error: EngineError) -> String {
        match error {
            EngineError::Invalid { field, .. } => field.to_owned(),
            other => panic!("{other}"),
        }
    }

    #[test]
    fn the_rules_of_a_product() {
        let said = draft(r#","owners":["a","b","a"],"quantity":2.50,"notes":null"#).unwrap();
        assert_eq!(said.owners.unwrap().len(), 2);
        assert!(draft(r#","topic":"dairy","ladder":{"rungs":["1d"]}"#).is_ok());
        for (bad, wrong) in [
            ("", "owners"),
            (r#","owners":[]"#, "owners"),
            (r#","owners":["a"],"topic":"t""#, "owners"),
            (&format!(r#","topic":"t","notes":"{}""#, "ü".repeat(2_001)), "notes"),
            (r#","topic":"t","status":"active""#, "unknown field `status`"),
            (r#","topic":"t","id":"import""#, "a product id is"),
            (r#","topic":"t","id":"a\nb""#, "a product id is"),
            (r#","topic":"t","quantity":"3""#, "invalid type"),
        ] {
            let error = draft(bad).unwrap_err();
            assert!(error.contains(wrong), "{bad}: {error}");
        }
        let many: Vec<_> = (0..1_001).map(|n| format!("\"u{n}\"")).collect();
        assert_eq!(draft(&format!(r#","owners":[{}]"#, many.join(","))).unwrap_err(), "owners");
    }

    #[test]
    fn a_patch_is_a_merge_patch() {
        let before = draft(r#","owners":["a"],"quantity":3,"notes":"n""#).unwrap();
        let patch = |text: &str| {
            let patch: Patch = serde_json::from_str(text).unwrap();
            patch.apply(&before).map_err(field)
        };
        assert_eq!(patch("{}").unwrap(), before);
        let said = patch(r#"{"quantity":null,"name":"Eggs"}"#).unwrap();
        assert_eq!((said.name.as_str(), said.quantity, said.notes.as_deref()), ("Eggs", None, Some("n")));
        let said = patch(r#"{"topic":"dairy"}"#).unwrap();
        assert_eq!((said.owners, said.topic.is_some()), (None, true));
        assert_eq!(patch(r#"{"owners":null}"#).unwrap_err(), "owners");
        assert_eq!(patch(r#"{"owners":["a"],"topic":"t"}"#).unwrap_err(), "owners");
        assert_eq!(patch(r#"{"name":" "}"#).unwrap_err(), "name");
        assert!(serde_json::from_str::<Patch>(r#"{"name":null}"#).is_err());

        let new = |text: &str| serde_json::from_str::<Patch>(text).unwrap().complete().map_err(field);
        assert_eq!(new(r#"{"name":"Milk","owners":["a"]}"#).unwrap_err(), "expiryDate");
        assert_eq!(new(r#"{"expiryDate":"2026-01-31","owners":["a"]}"#).unwrap_err(), "name");
        assert!(new(r#"{"name":"Milk","expiryDate":"2026-01-31","topic":"t"}"#).is_ok());
    }
}
