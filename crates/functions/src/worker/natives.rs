//! What `api.js` cannot do itself: the channel, bytes, and questions about values.

use std::rc::Rc;

use rquickjs::{Ctx, Exception, Function, IntoJs, Object, Result, TypedArray, Value};
use serde_json::value::RawValue;

use super::bytes::bytes;
use super::run::{Run, Stop};
use super::{base64, crypto};
use crate::frame::CallKind;
use crate::{Level, Limit};

/// The object `native` of `api.js`.
pub(super) fn natives<'js>(ctx: &Ctx<'js>, run: &Rc<Run>) -> Result<Object<'js>> {
    let natives = Object::new(ctx.clone())?;
    calls(ctx, run, &natives)?;
    data(ctx, &natives)?;
    Ok(natives)
}

fn calls<'js>(ctx: &Ctx<'js>, run: &Rc<Run>, natives: &Object<'js>) -> Result<()> {
    let own = Rc::clone(run);
    let count = move |ctx: Ctx<'js>| {
        if own.count_call() {
            Ok(())
        } else {
            Err(Exception::throw_range(&ctx, "too many calls of the host"))
        }
    };
    natives.set("count", Function::new(ctx.clone(), count)?)?;

    let own = Rc::clone(run);
    let send = move |ctx: Ctx<'js>, call: u32, kind: String, arguments: String| {
        let kind = match kind.as_str() {
            "Host" => CallKind::Host,
            "Http" => CallKind::Http,
            _ => CallKind::Sleep,
        };
        if arguments.len() > crate::MAX_ARGUMENT_BYTES {
            return Err(Exception::throw_range(&ctx, "too long arguments"));
        }
        let arguments = RawValue::from_string(arguments)
            .map_err(|_| Exception::throw_type(&ctx, "arguments are to be JSON"))?;
        own.send_call(call, kind, arguments);
        Ok(())
    };
    natives.set("send", Function::new(ctx.clone(), send)?)?;

    let own = Rc::clone(run);
    let log = move |is_error: bool, text: String| {
        own.log(if is_error { Level::Error } else { Level::Info }, &text);
    };
    natives.set("log", Function::new(ctx.clone(), log)?)?;

    let own = Rc::clone(run);
    natives.set("maxResult", Function::new(ctx.clone(), move || own.result_bytes())?)?;

    let own = Rc::clone(run);
    let refuse = move |ctx: Ctx<'js>| -> Result<()> {
        own.stop_for(Stop::Refused(Limit::Result));
        Err(Exception::throw_range(&ctx, "too large a result"))
    };
    natives.set("refuseResult", Function::new(ctx.clone(), refuse)?)?;
    natives.set("isError", Function::new(ctx.clone(), |value: Value<'js>| value.is_error())?)
}

fn data<'js>(ctx: &Ctx<'js>, natives: &Object<'js>) -> Result<()> {
    let sha256 = |data: Value<'js>, as_hex: bool| -> Result<String> {
        Ok(written(&crypto::sha256(&bytes(data)?), as_hex))
    };
    natives.set("sha256", Function::new(ctx.clone(), sha256)?)?;

    let hmac = |key: Value<'js>, data: Value<'js>, as_hex: bool| -> Result<String> {
        Ok(written(&crypto::hmac_sha256(&bytes(key)?, &bytes(data)?), as_hex))
    };
    natives.set("hmacSha256", Function::new(ctx.clone(), hmac)?)?;

    let uuid = |ctx: Ctx<'js>| {
        crypto::random_uuid().ok_or_else(|| Exception::throw_internal(&ctx, "the kernel has no randomness"))
    };
    natives.set("randomUUID", Function::new(ctx.clone(), uuid)?)?;

    let encode = |data: Value<'js>| -> Result<String> { Ok(base64::encode(&bytes(data)?)) };
    natives.set("encodeBase64", Function::new(ctx.clone(), encode)?)?;

    let decode = |ctx: Ctx<'js>, text: String, as_text: bool| -> Result<Value<'js>> {
        let bytes =
            base64::decode(&text).ok_or_else(|| Exception::throw_type(&ctx, "the text is no base64"))?;
        if !as_text {
            return Ok(TypedArray::new(ctx.clone(), bytes)?.into_value());
        }
        let text = String::from_utf8(bytes)
            .map_err(|_| Exception::throw_type(&ctx, "the bytes are no UTF-8: use decodeBytes"))?;
        text.into_js(&ctx)
    };
    natives.set("decodeBase64", Function::new(ctx.clone(), decode)?)
}

fn written(digest: &[u8], as_hex: bool) -> String {
    if as_hex { crypto::hex(digest) } else { base64::encode(digest) }
}
