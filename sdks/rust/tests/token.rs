//! Tokens that look like a server's.

use serde_json::{Value, json};

/// An unsigned JWT with these claims: enough for a client, which can't judge it anyway.
pub(crate) fn unsigned(user: &str, expires_at_ms: u64, number: u64) -> String {
    #[expect(clippy::cast_precision_loss)]
    let exp = expires_at_ms as f64 / 1000.0;
    let header = segment(&json!({"alg": "none"}));
    let claims = segment(&json!({"userId": user, "exp": exp, "jti": number.to_string()}));
    format!("{header}.{claims}.")
}

/// One that says when it ends, and not whose it is.
pub(crate) fn nameless(expires_at_ms: u64) -> String {
    #[expect(clippy::cast_precision_loss)]
    let exp = expires_at_ms as f64 / 1000.0;
    format!("{}.{}.", segment(&json!({"alg": "none"})), segment(&json!({"exp": exp})))
}

fn segment(value: &Value) -> String {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::new();
    for chunk in value.to_string().as_bytes().chunks(3) {
        let mut bits = [0_u8; 4];
        bits[1..=chunk.len()].copy_from_slice(chunk);
        let bits = u32::from_be_bytes(bits);
        for at in 0..=chunk.len() {
            text.push(char::from(DIGITS[(bits >> (18 - 6 * at) & 63) as usize]));
        }
    }
    text
}
