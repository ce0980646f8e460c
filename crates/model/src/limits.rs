//! Bounds on everything an outsider can grow, with their source.

/// Bytes of an encoded frame to a documented client, and of a client's message (protocol §2: 64 KB).
pub const MAX_FRAME_BYTES: usize = 65_536;
/// Characters of a title (protocol §6).
pub const MAX_TITLE_CHARS: usize = 200;
/// Nesting of any JSON that comes in (protocol §6).
pub const MAX_JSON_DEPTH: usize = 32;
/// Bytes of one request body (protocol §6).
pub const MAX_BODY_BYTES: usize = 4 * 1024 * 1024;
/// Notifications in one batch (protocol §6).
pub const MAX_BATCH: usize = 1_000;
/// Named users of one entry (the design, §1): a body and one narrow row each.
pub const MAX_USERS_PER_ENTRY: usize = 1_000;
/// Recipients named by one request (the design, §1).
pub const MAX_RECIPIENTS_PER_REQUEST: usize = 10_000;
/// Users in an exception list (protocol §6).
pub const MAX_EXCEPT: usize = 10;
/// Topics of one user (the design, §1): the unread count costs two index seeks a topic.
pub const MAX_TOPICS_PER_USER: usize = 200;
/// Bytes of an idempotency key.
pub const MAX_IDEMPOTENCY_KEY_BYTES: usize = 255;
/// Entries replayed by the product surface, newest kept (protocol §3).
pub const MAX_REPLAY: usize = 100;
/// Entries replayed to a client that resumes by its position (the protocol, §4).
pub const MAX_RESUME: usize = 1_000;
/// Characters of `type`, `event`: names that clients switch on.
pub const MAX_NAME_CHARS: usize = 128;
/// Characters of `productName` (the protocol, §6).
pub const MAX_PRODUCT_NAME_CHARS: usize = 255;
/// Characters of a `collapseKey`.
pub const MAX_COLLAPSE_KEY_CHARS: usize = 128;
/// The shortest and longest time until `sendAt` and of a `ttl`, in milliseconds: 1 s and 365 days.
pub const DELAY_MS: std::ops::RangeInclusive<i64> = 1_000..=365 * 24 * 60 * 60 * 1_000;
