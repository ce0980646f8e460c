//! From messages to bytes on a connection.

use bytes::{Bytes, BytesMut};
use campanile_hub::{Delivery, Said};
use campanile_wire::close::Close;
use campanile_wire::{Framing, Payload, Shown, Surface};

/// A message, as it stands on the surface's connections.
pub fn message(surface: &Surface, payload: &Payload) -> Bytes {
    match surface.framing {
        Framing::WebSocket => {
            let text = payload.text.as_bytes();
            let mut frame = campanile_ws::FrameBuilder::text(text.len());
            frame.push(text);
            frame.finish()
        }
        Framing::EventStream => event(payload),
    }
}

/// An event of a stream (the HTML standard, §9.2.6). A producer's metadata may have line breaks between its members,
/// and each line of data is a field of its own.
fn event(payload: &Payload) -> Bytes {
    let mut text = String::with_capacity(payload.text.len() + 96);
    if let Some(horizon) = payload.horizon {
        text.push_str(&format!("id: {}:{}\n", horizon.epoch, horizon.seq));
    }
    text.push_str(&format!("event: {}\n", payload.event));
    for line in payload.text.split(['\n', '\r']) {
        text.push_str("data: ");
        text.push_str(line);
        text.push('\n');
    }
    text.push('\n');
    text.into()
}

/// The messages of several entries on one surface, in one piece. Changes are told only where there are words for them.
pub fn run(surface: &Surface, deliveries: &[Delivery]) -> Bytes {
    let frame = |delivery: &Delivery| {
        let payload = match &delivery.said {
            Said::Notification(notification) => {
                Some((surface.encode)(&Shown::live(notification, delivery.position)))
            }
            Said::Change(change) => {
                surface.envelopes.map(|envelopes| (envelopes.change)(change, delivery.position))
            }
        };
        payload.map(|payload| message(surface, &payload)).unwrap_or_default()
    };
    match deliveries {
        [one] => frame(one),
        several => {
            let frames: Vec<Bytes> = several.iter().map(frame).collect();
            let mut joined = BytesMut::with_capacity(frames.iter().map(Bytes::len).sum());
            frames.iter().for_each(|f| joined.extend_from_slice(f));
            joined.freeze()
        }
    }
}

/// The last message of a connection.
pub fn close(surface: &Surface, close: &Close) -> Bytes {
    match (surface.framing, surface.envelopes) {
        (Framing::EventStream, Some(envelopes)) => event(&(envelopes.close)(close)),
        _ => campanile_ws::encode_close(close.code, close.reason),
    }
}

#[cfg(test)]
mod tests {
    use campanile_model::{Epoch, Position, Seq};

    use super::*;

    #[test]
    fn events_have_one_field_a_line() {
        let position = Position { epoch: Epoch(0x1f), seq: Seq(7) };
        let payload = Payload::new("notification", "{\"a\":\r\n1}".into()).up_to(Some(position));
        let expected = "id: 000000000000001f:7\nevent: notification\ndata: {\"a\":\ndata: \ndata: 1}\n\n";
        assert_eq!(event(&payload), expected);
        assert_eq!(event(&Payload::new("pong", "{}".into())), "event: pong\ndata: {}\n\n");
    }
}
