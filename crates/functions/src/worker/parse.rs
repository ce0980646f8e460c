//! Parses a source and runs nothing of it.
//!
//! `unsafe` for one call of the engine that its bindings have no word for: compile, and do not run.
#![allow(unsafe_code)]

use std::ffi::CString;

use rquickjs::{Ctx, Value, qjs};

/// The name that a function's source has in stacks.
pub(super) const FILE: &str = "function.js";

/// Parses `code` as the script that a function is; `Err`: the exception.
pub(super) fn parse<'js>(ctx: &Ctx<'js>, code: CString) -> Result<(), Value<'js>> {
    let file = CString::new(FILE).expect("a name without NUL");
    let flags = (qjs::JS_EVAL_TYPE_GLOBAL | qjs::JS_EVAL_FLAG_COMPILE_ONLY) as i32;
    // SAFETY: the context is alive, both texts end with NUL, and the value returned is owned here and dropped once.
    let compiled = unsafe {
        let length = code.as_bytes().len();
        let value =
            qjs::JS_Eval(ctx.as_raw().as_ptr(), code.as_ptr(), length as qjs::size_t, file.as_ptr(), flags);
        Value::from_raw(ctx.clone(), value)
    };
    if compiled.is_exception() { Err(ctx.catch()) } else { Ok(()) }
}
