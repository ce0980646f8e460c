//! Many events in one request, read in one pass that knows where it stands.

use std::fmt;

use campanile_engine::event::MAX_EVENTS;
use campanile_model::Timestamp;
use serde::de::{DeserializeSeed, Deserializer, Error, SeqAccess, Visitor};

use super::super::body::{JsonBody, refuse};
use super::super::problem::Problem;
use super::{Envelope, Events};

/// Reads an array of events.
///
/// # Errors
/// With the `index` of the event that is not as it should be.
pub(super) fn read(body: &JsonBody, now: Timestamp) -> Result<Events, Problem> {
    let mut envelopes = Vec::new();
    let mut deserializer = serde_json::Deserializer::from_slice(&body.0);
    let parsed = Array(&mut envelopes).deserialize(&mut deserializer).and_then(|()| deserializer.end());
    match parsed {
        Ok(()) => {}
        // A syntax error is a property of the whole body, wherever it stands.
        Err(error) if error.is_data() => return Err(refuse(&error).index(Some(envelopes.len()))),
        Err(error) => return Err(refuse(&error)),
    }
    let events = envelopes.into_iter().enumerate();
    let events = events.map(|(place, envelope)| envelope.event(now).map_err(|p| p.index(Some(place))));
    Ok(Events { events: events.collect::<Result<_, _>>()?, is_batch: true })
}

struct Array<'a>(&'a mut Vec<Envelope>);

impl<'de> DeserializeSeed<'de> for Array<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Array<'_> {
    type Value = ();
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of CloudEvents")
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while let Some(envelope) = seq.next_element()? {
            if self.0.len() == MAX_EVENTS {
                return Err(A::Error::custom(format_args!("a batch has at most {MAX_EVENTS} events")));
            }
            self.0.push(envelope);
        }
        Ok(())
    }
}
