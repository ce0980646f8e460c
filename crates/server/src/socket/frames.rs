//! From payloads to frames.

use bytes::{Bytes, BytesMut};
use campanile_hub::Delivery;
use campanile_wire::Surface;
use campanile_wire::close::Close;

/// The frame of a text payload.
pub fn text(payload: &[u8]) -> Bytes {
    let mut frame = campanile_ws::FrameBuilder::text(payload.len());
    frame.push(payload);
    frame.finish()
}

/// The frames of several entries on one surface, in one piece.
pub fn run(surface: &Surface, deliveries: &[Delivery]) -> Bytes {
    let frame = |d: &Delivery| text((surface.encode)(&d.notification, false).as_bytes());
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

/// The close frame of a registered close.
pub fn close(close: &Close) -> Bytes {
    campanile_ws::encode_close(close.code, close.reason)
}
