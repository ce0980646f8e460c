//! Numbers, timestamps and durations: `+ - * / %`.

use super::eval::wants;
use super::tree::Binary;
use super::value::Val;
use crate::error::Reason;

pub(super) fn is_number(value: &Val<'_>) -> bool {
    matches!(value, Val::Int(_) | Val::Uint(_) | Val::Double(_))
}

pub(super) fn negate<'a>(of: &Val<'a>) -> Result<Val<'a>, Reason> {
    match of {
        Val::Int(i) => i.checked_neg().map(Val::Int).ok_or(OVERFLOW),
        Val::Double(d) => Ok(Val::Double(-d)),
        Val::Span(span) => span.checked_neg().map(Val::Span).ok_or(OVERFLOW),
        other => Err(wants("-", "a number", other)),
    }
}

const OVERFLOW: Reason = Reason::Arithmetic("the number is too large");
const ZERO: Reason = Reason::Arithmetic("division by zero");

pub(super) fn arithmetic<'a>(binary: Binary, left: &Val<'a>, right: &Val<'a>) -> Result<Val<'a>, Reason> {
    let name = match binary {
        Binary::Add => "+",
        Binary::Subtract => "-",
        Binary::Multiply => "*",
        Binary::Divide => "/",
        _ => "%",
    };
    match (left, right) {
        (Val::Instant(a), Val::Instant(b)) if binary == Binary::Subtract => {
            Ok(Val::Span(a.duration_since(*b)))
        }
        (Val::Instant(a), Val::Span(b)) if binary == Binary::Subtract => {
            a.checked_sub(*b).map(Val::Instant).map_err(|_| OVERFLOW)
        }
        (Val::Instant(a), Val::Span(b)) | (Val::Span(b), Val::Instant(a)) if binary == Binary::Add => {
            a.checked_add(*b).map(Val::Instant).map_err(|_| OVERFLOW)
        }
        (Val::Span(a), Val::Span(b)) if binary == Binary::Add => {
            a.checked_add(*b).map(Val::Span).ok_or(OVERFLOW)
        }
        (Val::Span(a), Val::Span(b)) if binary == Binary::Subtract => {
            a.checked_sub(*b).map(Val::Span).ok_or(OVERFLOW)
        }
        (Val::Double(_), other) | (other, Val::Double(_)) if is_number(other) => {
            let (a, b) = (real(left), real(right));
            Ok(Val::Double(match binary {
                Binary::Add => a + b,
                Binary::Subtract => a - b,
                Binary::Multiply => a * b,
                Binary::Divide => a / b,
                _ => return Err(wants(name, "whole numbers", &Val::Double(a))),
            }))
        }
        (Val::Int(_) | Val::Uint(_), Val::Int(_) | Val::Uint(_)) => whole(binary, left, right),
        _ => {
            let wanted = if binary == Binary::Add { "numbers, texts, lists or times" } else { "numbers" };
            Err(wants(name, wanted, if is_number(left) { right } else { left }))
        }
    }
}

fn whole<'a>(binary: Binary, left: &Val<'a>, right: &Val<'a>) -> Result<Val<'a>, Reason> {
    let wide = |value: &Val<'_>| match value {
        Val::Int(i) => i128::from(*i),
        Val::Uint(u) => i128::from(*u),
        _ => 0,
    };
    let (a, b) = (wide(left), wide(right));
    let result = match binary {
        Binary::Add => a + b,
        Binary::Subtract => a - b,
        Binary::Multiply => a * b,
        _ if b == 0 => return Err(ZERO),
        Binary::Divide => a / b,
        _ => a % b,
    };
    match (i64::try_from(result), u64::try_from(result)) {
        (Ok(i), _) => Ok(Val::Int(i)),
        (Err(_), Ok(u)) => Ok(Val::Uint(u)),
        _ => Err(OVERFLOW),
    }
}

#[expect(clippy::cast_precision_loss, reason = "a whole number beside a real one is taken as real")]
fn real(value: &Val<'_>) -> f64 {
    match value {
        Val::Int(i) => *i as f64,
        Val::Uint(u) => *u as f64,
        Val::Double(d) => *d,
        _ => f64::NAN,
    }
}
