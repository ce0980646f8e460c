//! The bytes of a value.
//!
//! `unsafe` for the two borrows of a buffer's memory, which JavaScript could detach or resize: each borrow is copied
//! before anything of JavaScript runs again.
#![allow(unsafe_code)]

use rquickjs::{ArrayBuffer, Ctx, Exception, Result, TypedArray, Value};

/// Bytes of the data given to `crypto` and `base64`: beyond an HTTP response there is nothing to hash.
pub(super) const MAX_DATA_BYTES: usize = 1 << 20;

/// Of a string its UTF-8, of a `Uint8Array` or an `ArrayBuffer` what it holds.
///
/// # Errors
/// A `TypeError` for everything else, a `RangeError` above [`MAX_DATA_BYTES`].
pub(super) fn bytes(value: Value<'_>) -> Result<Vec<u8>> {
    let ctx = value.ctx().clone();
    if let Some(text) = value.as_string() {
        let bytes = text.to_string()?.into_bytes();
        return if bytes.len() > MAX_DATA_BYTES { Err(too_long(&ctx)) } else { Ok(bytes) };
    }
    if let Ok(array) = TypedArray::<u8>::from_value(value.clone()) {
        // SAFETY: copied at once.
        return if array.is_empty() { Ok(Vec::new()) } else { copied(&ctx, unsafe { array.as_bytes() }) };
    }
    if let Some(buffer) = ArrayBuffer::from_value(value) {
        // SAFETY: copied at once.
        return if buffer.is_empty() { Ok(Vec::new()) } else { copied(&ctx, unsafe { buffer.as_bytes() }) };
    }
    Err(Exception::throw_type(&ctx, "data is to be a string, a Uint8Array or an ArrayBuffer"))
}

fn copied(ctx: &Ctx<'_>, bytes: Option<&[u8]>) -> Result<Vec<u8>> {
    match bytes {
        Some(bytes) if bytes.len() <= MAX_DATA_BYTES => Ok(bytes.to_vec()),
        Some(_) => Err(too_long(ctx)),
        None => Err(Exception::throw_type(ctx, "the data's buffer is detached")),
    }
}

fn too_long(ctx: &Ctx<'_>) -> rquickjs::Error {
    Exception::throw_range(ctx, &format!("data of more than {MAX_DATA_BYTES} bytes"))
}
