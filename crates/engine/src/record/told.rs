//! The events that tell of records.

use serde_json::{Value, json};

use super::{By, CollectionName, Data, Record};
use crate::Engine;
use crate::event::{Event, source};

/// Bytes of the names of changed fields that an event lists: what follows was changed too, and is counted. They
/// go on into notifications, which have little room.
const MAX_CHANGED_BYTES: usize = 8 * 1024;
/// Ids that the event of a bulk change names.
const SAMPLE: usize = 10;

pub(super) fn created(engine: &Engine, record: &Record, by: By<'_>) -> Event {
    let data = json!({ "after": &**record.data.value() });
    of_one(engine, "record_created", record, data, by)
}

pub(super) fn updated(engine: &Engine, before: &Data, record: &Record, by: By<'_>) -> Event {
    let (before, after) = (&**before.value(), &**record.data.value());
    let changed = changed(before, after);
    let data = json!({
        "before": before,
        "after": after,
        "changed": listed(&changed),
        "changedCount": changed.len(),
    });
    of_one(engine, "record_updated", record, data, by)
}

pub(super) fn deleted(engine: &Engine, record: &Record, by: By<'_>) -> Event {
    let data = json!({ "before": &**record.data.value() });
    of_one(engine, "record_deleted", record, data, by)
}

/// Many records of one collection at once, by their ids.
pub(super) fn bulk<'a>(
    engine: &Engine,
    kind: &str,
    collection: &CollectionName,
    ids: impl ExactSizeIterator<Item = &'a str>,
    by: By<'_>,
) -> Event {
    let count = ids.len();
    let sample: Vec<_> = ids.take(SAMPLE).collect();
    let data = json!({ "count": count, "sample": sample });
    event(engine, kind, collection.as_str(), None, data, by)
}

fn of_one(engine: &Engine, kind: &str, record: &Record, data: Value, by: By<'_>) -> Event {
    event(engine, kind, &record.collection, Some(&record.id), data, by)
}

fn event(
    engine: &Engine,
    kind: &str,
    collection: &str,
    record: Option<&str>,
    mut data: Value,
    by: By<'_>,
) -> Event {
    data["collection"] = collection.into();
    if let Some(id) = record {
        data["recordId"] = id.into();
    }
    if let Some(function) = by.function {
        data["function"] = function.into();
    }
    Event {
        id: (engine.ids)(by.now).to_string(),
        source: source::collection(collection),
        kind: kind.to_owned(),
        subject: record.map(str::to_owned),
        time: by.now,
        actor: Some(by.user.clone()),
        hops: by.hops,
        data: data.into(),
    }
}

/// The names of the members, of the outermost level, that differ.
fn changed<'a>(before: &'a Value, after: &'a Value) -> Vec<&'a str> {
    let (Some(before), Some(after)) = (before.as_object(), after.as_object()) else { return Vec::new() };
    let other = before.iter().filter(|(name, value)| after.get(*name) != Some(value));
    let new = after.iter().filter(|(name, _)| !before.contains_key(*name));
    let mut names: Vec<_> = other.chain(new).map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    names
}

/// As many of the names as there is room for.
fn listed<'a>(names: &[&'a str]) -> Vec<&'a str> {
    let mut room = MAX_CHANGED_BYTES;
    let fits = |name: &&str| {
        let written = serde_json::to_string(name).map_or(usize::MAX, |text| text.len());
        let left = room.checked_sub(written);
        room = left.unwrap_or(0);
        left.is_some()
    };
    names.iter().copied().take_while(fits).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changed_fields_are_named_as_far_as_there_is_room() {
        let before = json!({"same": [1], "other": {"a": 1}, "gone": 1});
        let after = json!({"same": [1], "other": {"a": 2}, "new": null});
        assert_eq!(changed(&before, &after), ["gone", "new", "other"]);
        let long: Vec<String> = (0..1_000).map(|n| format!("{n:0>50}")).collect();
        let names: Vec<&str> = long.iter().map(String::as_str).collect();
        let listed = listed(&names);
        assert_eq!(listed, names[..MAX_CHANGED_BYTES / 52]);
    }
}
