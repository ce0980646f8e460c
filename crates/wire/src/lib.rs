//! What clients see: bytes to model and back.
//!
//! A surface is a folder here plus one [`Surface`] value; nothing outside asks "which surface is this?".
//! [`close`] is the one registry of close codes, from which docs and SDK constants are made.

pub mod close;
mod command;
mod envelopes;
mod native;
mod payload;
mod product;
mod surface;
mod workspace;

pub use command::{Asked, Command, Marking, Secret};
pub use envelopes::{Envelopes, Hello, NotRefreshed, Receipts, Resync};
pub use native::{Content, Item, LevelName};
pub use payload::{Payload, Shown};
pub use product::rest as product_rest;
pub use surface::{Crowding, Done, Framing, Refusals, Replay, Resumption, Surface};

/// The surface of the workspace documents: `/?token=…&workspaceSlug=…`.
pub static WORKSPACE: Surface = workspace::SURFACE;
/// The surface of the product documents: `/api/ws/notification?access_token=…`.
pub static PRODUCT: Surface = product::SURFACE;
/// Our own surface: `/v1/connect?workspace=…`.
pub static NATIVE: Surface = native::SURFACE;
/// Our own surface as an event stream: `/v1/workspaces/…/stream`.
pub static STREAM: Surface = native::STREAM;

/// Every surface, by [`Surface::index`].
pub static SURFACES: [&Surface; 4] = [&WORKSPACE, &PRODUCT, &NATIVE, &STREAM];

/// The longest payload any documented surface would send for `notification`, in bytes: what publishing
/// holds against [`campanile_model::limits::MAX_FRAME_BYTES`]. The envelopes of the others add what is no client's
/// business to count.
pub fn longest_payload(notification: &campanile_model::Notification) -> usize {
    let shown = Shown::live(notification, None);
    let documented = SURFACES.iter().filter(|surface| surface.envelopes.is_none());
    documented.map(|surface| (surface.encode)(&shown).text.len()).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use campanile_model::{Audience, Level, Notification, NotificationId, Timestamp};

    use super::*;

    pub(crate) fn sample() -> Notification {
        Notification {
            id: NotificationId::parse("01890a5d-ac96-774b-bcce-b302099a8057").unwrap(),
            audience: Audience::Workspace,
            except: vec![],
            title: "New order".into(),
            message: "Order #12345".into(),
            kind: "info".into(),
            level: Level::Info,
            timestamp: Timestamp::from_millis(1_767_225_600_123),
            metadata: None,
            event: None,
            product_name: None,
            expiry_date: None,
            expires_at: None,
            collapse_key: None,
            updated_at: None,
        }
    }

    #[test]
    fn surfaces_know_their_place() {
        for (index, surface) in SURFACES.iter().enumerate() {
            assert_eq!(surface.index, index);
            for path in surface.paths {
                assert_eq!(Surface::at(path).map(|s| s.index), Some(index));
            }
        }
        assert!(Surface::at("/nothing").is_none());
    }

    #[test]
    fn text_survives_whatever_it_holds() {
        let nasty = "\u{0}\"\\ \u{2028}\u{202e}e\u{301}👩‍👩‍👧 \u{7f}</script>";
        let mut n = sample();
        n.message = nasty.into();
        for surface in SURFACES {
            let payload = (surface.encode)(&Shown::live(&n, None));
            let frame: serde_json::Value = serde_json::from_str(&payload.text).unwrap();
            let message = frame.pointer("/item/message").unwrap_or(&frame["message"]);
            assert_eq!(message, nasty);
        }
    }
}
