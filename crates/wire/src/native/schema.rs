//! `docs/native.schema.json` and `docs/asyncapi.json`, made from the types that are sent and understood.

use std::path::Path;

use campanile_model::{
    Change, Counts, Epoch, NotificationId, Position, Receipt, Rev, Seq, Slug, Timestamp, UserId, Withdrawal,
};
use serde_json::{Map, Value, json};
use utoipa::OpenApi;

use super::command::Message;
use super::frame::{self, Frame};
use crate::envelopes::{Hello, NotRefreshed, Receipts, Resync};
use crate::surface::Done;
use crate::tests::sample;
use crate::{Asked, Payload, Shown};

#[derive(OpenApi)]
#[openapi(components(schemas(Frame, Message)))]
struct Types;

/// Every type as JSON Schema (2020-12).
fn schema() -> Value {
    let text = serde_json::to_string(&Types::openapi()).unwrap().replace("#/components/schemas/", "#/$defs/");
    let mut document: Value = serde_json::from_str(&text).unwrap();
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Campanile, the native surface",
        "description": "Every message of the server is a ServerFrame, every message of a client a ClientFrame. Members and types that are not listed may come, and are to be ignored.",
        "oneOf": [{"$ref": "#/$defs/ServerFrame"}, {"$ref": "#/$defs/ClientFrame"}],
        "$defs": document["components"]["schemas"].take(),
    })
}

/// The variants of the server's messages by their type.
fn variants(schema: &Value) -> Map<String, Value> {
    let variants = schema["$defs"]["ServerFrame"]["oneOf"].as_array().unwrap();
    let kind = |variant: &Value| variant["properties"]["type"]["enum"][0].as_str().unwrap().to_owned();
    variants.iter().map(|variant| (kind(variant), variant.clone())).collect()
}

/// What is exchanged over the socket (AsyncAPI 3.0).
fn asyncapi() -> Value {
    let schema = schema();
    let words = schema["$defs"]["Action"]["enum"].as_array().unwrap();
    let actions: Vec<&str> = words.iter().map(|word| word.as_str().unwrap()).collect();
    let messages: Map<String, Value> = variants(&schema)
        .iter()
        .enumerate()
        .map(|(index, (kind, variant))| {
            let payload =
                format!("native.schema.json#/$defs/ServerFrame/oneOf/{}", place(&schema, kind, index));
            let message =
                json!({"name": kind, "summary": variant["description"], "payload": {"$ref": payload}});
            (kind.clone(), message)
        })
        .chain([(
            "command".to_owned(),
            json!({
                "name": "command",
                "summary": format!("What a client asks for: {}", actions.join(", ")),
                "payload": {"$ref": "native.schema.json#/$defs/ClientFrame"},
            }),
        )])
        .collect();
    let parameter = |text: &str| json!({"description": text});
    let told = |kind: &&String| !["command", "close"].contains(&kind.as_str());
    let refer = |kind: &String| json!({"$ref": format!("#/channels/connect/messages/{kind}")});
    json!({
        "asyncapi": "3.0.0",
        "info": {
            "title": "Campanile, the native surface",
            "version": "campanile.v1",
            "description": "The socket at /v1/connect. The same messages, but for answers to commands, come as Server-Sent Events from /v1/workspaces/{workspace}/stream, where `close` is the last.",
            "license": {"name": "MIT OR Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "servers": {"local": {"host": "127.0.0.1:8700", "protocol": "ws"}},
        "channels": {
            "connect": {
                "address": "/v1/connect",
                "description": "A WebSocket with the subprotocol campanile.v1",
                "messages": messages,
                "bindings": {"ws": {"method": "GET", "query": {
                    "type": "object",
                    "required": ["workspace"],
                    "properties": {
                        "workspace": parameter("The workspace's slug"),
                        "token": parameter("The token, unless it is in the Authorization header or a ticket stands for it"),
                        "ticket": parameter("A one-time ticket"),
                        "epoch": parameter("Resume: the lineage that `since` counts in"),
                        "since": parameter("Resume: the place up to which the client has everything"),
                        "rev": parameter("Resume: the revision of the read state that the client has"),
                    },
                }}},
            },
        },
        "operations": {
            "tell": {
                "action": "send",
                "channel": {"$ref": "#/channels/connect"},
                "messages": messages.keys().filter(told).map(refer).collect::<Vec<_>>(),
            },
            "ask": {
                "action": "receive",
                "channel": {"$ref": "#/channels/connect"},
                "messages": [refer(&"command".to_owned())],
            },
        },
    })
}

/// Where the variant stands among the others.
fn place(schema: &Value, kind: &str, otherwise: usize) -> usize {
    let variants = schema["$defs"]["ServerFrame"]["oneOf"].as_array().unwrap();
    let is = |variant: &Value| variant["properties"]["type"]["enum"][0] == kind;
    variants.iter().position(is).unwrap_or(otherwise)
}

#[test]
#[allow(clippy::disallowed_methods, reason = "the one switch of this test")]
fn documents_are_what_the_types_say() {
    for (name, made) in [("native.schema.json", schema()), ("asyncapi.json", asyncapi())] {
        let path = Path::new("../../docs").join(name);
        let text = format!("{}\n", serde_json::to_string_pretty(&made).unwrap());
        if std::env::var("UPDATE_DOCS").is_ok() {
            std::fs::write(&path, text).unwrap();
        } else {
            let committed = std::fs::read_to_string(&path).unwrap_or_default();
            assert!(committed == text, "docs/{name} is not what the types say: UPDATE_DOCS=1 writes it");
        }
    }
}

/// One of each message.
fn one_of_each() -> Vec<Payload> {
    let notification = sample();
    let position = Some(Position { epoch: Epoch(7), seq: Seq(9) });
    let id = NotificationId::parse("01890a5d-ac96-774b-bcce-b302099a8057").unwrap();
    let counts = Counts { epoch: Some(Epoch(7)), head: Seq(9), rev: Rev(3), unread: 2, ..Counts::default() };
    let asked = Asked { id: Some(id.to_string()), reference: Some("r".into()) };
    let (user, workspace) = (UserId::new("alice").unwrap(), Slug::new("demo").unwrap());
    let hello = Hello {
        session: "s",
        user: &user,
        workspace: &workspace,
        seq: Seq(9),
        counts: &counts,
        resumed: true,
        heartbeat_ms: 25_000,
        expires_at: Timestamp::from_millis(0),
    };
    let update = Change::Update { target_seq: Seq(1), notification: notification.clone().into() };
    let why = Withdrawal::Superseded { by: Some(id) };
    let withdrawn = Change::Withdrawn { target: id, target_seq: Seq(1), why };
    let item = (id, Seq(1), Receipt { seen: true, read: true, archived: false });
    vec![
        frame::hello(&hello),
        frame::notification(&Shown::live(&notification, position)),
        frame::notification(&Shown::live(&notification, None)),
        frame::change(&update, position),
        frame::change(&withdrawn, position),
        frame::receipts(&Receipts { counts: &counts, items: &[item] }),
        frame::heartbeat(&counts, Seq(9)),
        frame::resync(Some(Epoch(7)), Seq(9), Resync::Overflow),
        frame::drain(1500),
        frame::marked(&Done { asked: &asked, changed: true, rev: Rev(4), unread: 1, head: Seq(9) }),
        frame::refreshed(Some("r"), Timestamp::from_millis(0)),
        frame::refused(None, NotRefreshed::Mismatch),
        frame::not_marked(&asked, false),
        frame::unknown("why", None),
        frame::pong(Some("r")),
        frame::close(&crate::close::EXPIRED),
    ]
}

/// What is wrong with `value` by `schema`, as far as these documents use its words.
fn fault(value: &Value, schema: &Value, root: &Value) -> Option<String> {
    if let Some(name) = schema["$ref"].as_str() {
        return fault(value, &root["$defs"][name.trim_start_matches("#/$defs/")], root);
    }
    if let Some(all) = schema["allOf"].as_array() {
        return all.iter().find_map(|one| fault(value, one, root));
    }
    if let Some(allowed) = schema["enum"].as_array()
        && !allowed.contains(value)
    {
        return Some(format!("{value} is none of {allowed:?}"));
    }
    let types = match &schema["type"] {
        Value::String(one) => vec![one.as_str()],
        Value::Array(several) => several.iter().filter_map(Value::as_str).collect(),
        _ => return None,
    };
    let is = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    if !types.contains(&is) {
        return Some(format!("{value} is not {types:?}"));
    }
    if let Some(items) = value.as_array() {
        return items.iter().find_map(|item| fault(item, &schema["items"], root));
    }
    let members = value.as_object()?;
    let required = schema["required"].as_array().map_or(&[][..], Vec::as_slice);
    if let Some(missing) = required.iter().filter_map(Value::as_str).find(|name| !members.contains_key(*name))
    {
        return Some(format!("{missing} is missing in {value}"));
    }
    let properties = schema["properties"].as_object()?;
    members
        .iter()
        .filter_map(|(name, member)| Some((properties.get(name)?, member)))
        .find_map(|(schema, member)| fault(member, schema, root))
}

/// Every member that stands in `value` is one that the schema lists.
fn unlisted(value: &Value, schema: &Value, root: &Value, found: &mut Vec<String>) {
    let Some(members) = value.as_object() else { return };
    let mut listed = Map::new();
    collect(schema, root, &mut listed);
    for (name, member) in members {
        match listed.get(name) {
            Some(schema) if name != "metadata" => unlisted(member, schema, root, found),
            Some(_) => {}
            None => found.push(name.clone()),
        }
    }
}

fn collect(schema: &Value, root: &Value, into: &mut Map<String, Value>) {
    if let Some(name) = schema["$ref"].as_str() {
        return collect(&root["$defs"][name.trim_start_matches("#/$defs/")], root, into);
    }
    for one in schema["allOf"].as_array().into_iter().flatten() {
        collect(one, root, into);
    }
    into.extend(schema["properties"].as_object().cloned().unwrap_or_default());
}

#[test]
fn every_message_is_as_the_schema_says() {
    let schema = schema();
    let variants = variants(&schema);
    let mut told = std::collections::BTreeSet::new();
    for payload in one_of_each() {
        let value: Value = serde_json::from_str(&payload.text).unwrap();
        assert_eq!(value["type"], payload.event);
        let variant =
            variants.get(payload.event).unwrap_or_else(|| panic!("{} has no schema", payload.event));
        assert_eq!(fault(&value, variant, &schema), None, "{value}");
        let mut found = vec![];
        unlisted(&value, variant, &schema, &mut found);
        assert!(found.is_empty(), "{found:?} of {value} stand in no schema");
        told.insert(payload.event.to_owned());
    }
    assert_eq!(told, variants.keys().cloned().collect(), "one of each");
    // And the check finds faults.
    let broken = json!({"type": "drain"});
    assert!(fault(&broken, &variants["drain"], &schema).is_some());
    let broken = json!({"type": "drain", "retryAfterMs": "soon"});
    assert!(fault(&broken, &variants["drain"], &schema).is_some());
}
