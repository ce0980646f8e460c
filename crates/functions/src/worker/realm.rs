//! One runtime, made before its work is known and thrown away after it.

use std::ffi::CString;
use std::io;
use std::rc::Rc;

use rquickjs::context::EvalOptions;
use rquickjs::promise::PromiseState;
use rquickjs::{Array, Context, Ctx, Error, Function, Promise, Runtime, Type, Undefined, Value};
use serde_json::value::RawValue;

use super::bytes::MAX_DATA_BYTES;
use super::channel::Channel;
use super::heap::{Heap, Meter};
use super::natives::natives;
use super::parse::{FILE, parse};
use super::run::{Run, Stop};
use crate::frame::{FromWorker, Outcome, ToWorker};
use crate::limits::{
    MAX_ARGUMENT_BYTES, MAX_CALLS_IN_FLIGHT, MAX_ERROR_BYTES, MIN_MEMORY_BYTES, STACK_BYTES, cut,
};
use crate::{Limit, SyntaxError};

/// Makes a runtime, waits for work, does it and reports it; `false`: the server is gone.
pub(super) fn live(channel: &Channel) -> io::Result<bool> {
    let meter = Rc::new(Meter::default());
    meter.set_limit(MIN_MEMORY_BYTES);
    let run = Rc::new(Run::new(channel.clone(), Rc::clone(&meter)));
    let runtime = Runtime::new_with_alloc(Heap(meter)).map_err(io::Error::other)?;
    runtime.set_max_stack_size(STACK_BYTES);
    let watched = Rc::clone(&run);
    runtime.set_interrupt_handler(Some(Box::new(move || watched.must_stop())));
    let context = Context::full(&runtime).map_err(io::Error::other)?;
    context.with(|ctx| {
        let realm = Realm::new(&ctx, &run).map_err(io::Error::other)?;
        channel.send(&FromWorker::Ready)?;
        let work = loop {
            match channel.receive()? {
                // Of a run that ended before it was answered.
                Some(ToWorker::Answer { .. }) => {}
                Some(work) => break work,
                None => return Ok(false),
            }
        };
        let outcome = match work {
            ToWorker::Run { code, execution_params, trigger_params, budget } => {
                run.begin(budget);
                realm.run(code, &execution_params, &trigger_params)?
            }
            ToWorker::Check { code, budget } => {
                run.begin(budget);
                realm.check(code)
            }
            ToWorker::Setup { .. } | ToWorker::Answer { .. } => return Err(io::ErrorKind::InvalidData.into()),
        };
        let cpu_us = u64::try_from(run.cpu().as_micros()).unwrap_or(u64::MAX);
        channel.send(&FromWorker::Done { outcome, cpu_us, memory_peak_bytes: run.meter.peak() as u64 })?;
        Ok(true)
    })
}

/// A world with `api.js` in it.
struct Realm<'js> {
    ctx: Ctx<'js>,
    run: Rc<Run>,
    install: Function<'js>,
    start: Function<'js>,
    settle: Function<'js>,
    describe: Function<'js>,
}

impl<'js> Realm<'js> {
    fn new(ctx: &Ctx<'js>, run: &Rc<Run>) -> rquickjs::Result<Self> {
        let mut options = EvalOptions::default();
        options.filename = Some("api.js".to_owned());
        let make: Function<'js> = ctx.eval_with_options(include_str!("api.js"), options)?;
        let parts: Array<'js> =
            make.call((natives(ctx, run)?, MAX_ARGUMENT_BYTES, MAX_DATA_BYTES, MAX_CALLS_IN_FLIGHT))?;
        Ok(Self {
            ctx: ctx.clone(),
            run: Rc::clone(run),
            install: parts.get(0)?,
            start: parts.get(1)?,
            settle: parts.get(2)?,
            describe: parts.get(3)?,
        })
    }

    /// Runs `code` to its end. An error is one of the channel.
    fn run(
        &self,
        code: String,
        execution_params: &RawValue,
        trigger_params: &RawValue,
    ) -> io::Result<Outcome> {
        let promise = match self.begin(code, execution_params, trigger_params) {
            Ok(promise) => promise,
            Err(Begin::NoRun) => {
                return Ok(self.failed("ReferenceError", "the source defines no function `run`"));
            }
            Err(Begin::Js(error)) => return Ok(self.outcome_of(error)),
        };
        self.settle_all(&promise)?;
        if let Some(stop) = self.run.stop() {
            return Ok(stop.into());
        }
        Ok(match promise.result::<rquickjs::String<'js>>() {
            None => {
                self.failed("Error", "run() never settles: it waits for a promise that nothing will resolve")
            }
            Some(Err(error)) => self.outcome_of(error),
            Some(Ok(json)) => match json.to_string() {
                Ok(json) if json.len() > self.run.result_bytes() => Outcome::Refused(Limit::Result),
                Ok(json) => match RawValue::from_string(json) {
                    Ok(json) => Outcome::Completed(json),
                    Err(_) => self.failed("TypeError", "the result is no JSON"),
                },
                Err(error) => self.outcome_of(error),
            },
        })
    }

    fn check(&self, code: String) -> Outcome {
        let Ok(code) = CString::new(code) else { return Outcome::Unparsable(nul()) };
        match parse(&self.ctx, code) {
            Ok(()) => Outcome::Parsed,
            Err(exception) => match self.outcome_of_value(exception) {
                Outcome::Failed { message, line, stack, .. } => Outcome::Unparsable(SyntaxError {
                    line: line.unwrap_or(1),
                    column: place(&stack).map_or(1, |(_, column)| column),
                    message,
                }),
                other => other,
            },
        }
    }

    fn begin(
        &self,
        code: String,
        execution_params: &RawValue,
        trigger_params: &RawValue,
    ) -> Result<Promise<'js>, Begin> {
        let parameters =
            (self.ctx.json_parse(execution_params.get())?, self.ctx.json_parse(trigger_params.get())?);
        let () = self.install.call(parameters)?;
        let _: Value<'js> = self.ctx.eval_with_options(code, script())?;
        let run: Value<'js> =
            self.ctx.eval_with_options("typeof run === 'function' ? run : undefined", script())?;
        let run = run.into_function().ok_or(Begin::NoRun)?;
        Ok(self.start.call((run,))?)
    }

    /// Runs jobs and answers calls, until the promise is settled, nothing can settle it, or the run must stop.
    fn settle_all(&self, promise: &Promise<'js>) -> io::Result<()> {
        let mut jobs = 0u32;
        loop {
            jobs = jobs.wrapping_add(1);
            // Jobs may be too short for the engine to ask.
            let stopped =
                if jobs.is_multiple_of(1024) { self.run.must_stop() } else { self.run.stop().is_some() };
            if stopped || promise.state() != PromiseState::Pending {
                return Ok(());
            }
            if self.ctx.execute_pending_job() {
                continue;
            }
            if !self.run.is_waiting() {
                return Ok(());
            }
            match self.run.channel.receive_within(self.run.wall_left())? {
                Some(ToWorker::Answer { call, answer }) => self.answer(call, answer),
                Some(_) => return Err(io::ErrorKind::InvalidData.into()),
                None => self.run.stop_for(Stop::Wall),
            }
        }
    }

    fn answer(&self, call: u32, answer: Result<Box<RawValue>, crate::HostError>) {
        self.run.answered();
        let parsed = match &answer {
            Ok(json) => self.ctx.json_parse(json.get()),
            Err(_) => Ok(Value::new_undefined(self.ctx.clone())),
        };
        // What `settle` throws is the function's own doing, or a full heap: then its promise stays as it is.
        let settled: rquickjs::Result<()> = match (&answer, parsed) {
            (Ok(_), Ok(value)) => self.settle.call((call, value)),
            (Ok(_), Err(_)) => {
                self.ctx.catch();
                self.settle.call((call, Undefined, "answer_too_large", "no memory for the answer"))
            }
            (Err(error), _) => {
                self.settle.call((call, Undefined, error.code.as_str(), error.message.as_str()))
            }
        };
        if settled.is_err() {
            self.ctx.catch();
        }
    }

    fn outcome_of(&self, error: Error) -> Outcome {
        match error {
            Error::Exception => self.outcome_of_value(self.ctx.catch()),
            Error::Allocation => Outcome::Memory,
            Error::InvalidString(_) => Outcome::Failed {
                name: "SyntaxError".into(),
                message: nul().message,
                line: None,
                stack: String::new(),
            },
            other => self.failed("Error", &other.to_string()),
        }
    }

    /// What `exception` says about itself; asking may run the function's code once more, within its limits.
    fn outcome_of_value(&self, exception: Value<'js>) -> Outcome {
        if let Some(stop) = self.run.stop() {
            return stop.into();
        }
        // Where there is no memory for an error, the engine throws none, or forgets to.
        if matches!(exception.type_of(), Type::Null | Type::Uninitialized) && self.run.meter.refused() {
            return Outcome::Memory;
        }
        self.run.meter.extend(FOR_THE_ERROR);
        let is_error = exception.is_error();
        let described = self.describe.call((exception, is_error)).and_then(|parts: Array<'js>| {
            Ok((parts.get::<String>(0)?, parts.get::<String>(1)?, parts.get::<String>(2)?))
        });
        if let Some(stop) = self.run.stop() {
            return stop.into();
        }
        match described {
            Ok((name, message, _))
                if name == "InternalError" && message == "out of memory" && self.run.meter.refused() =>
            {
                Outcome::Memory
            }
            Ok((name, message, stack)) => Outcome::Failed {
                name: short(&name),
                message: short(&message),
                line: place(&stack).map(|(line, _)| line),
                stack: short(&stack),
            },
            Err(_) => {
                self.ctx.catch();
                self.failed("Thrown", "a value that cannot be shown")
            }
        }
    }

    /// A failure of the run as a whole; where the heap was full, that is the reason.
    fn failed(&self, name: &str, message: &str) -> Outcome {
        if self.run.meter.refused() {
            return Outcome::Memory;
        }
        Outcome::Failed { name: name.into(), message: message.into(), line: None, stack: String::new() }
    }
}

enum Begin {
    NoRun,
    Js(Error),
}

impl From<Error> for Begin {
    fn from(error: Error) -> Self {
        Self::Js(error)
    }
}

/// Texts of an error, where the heap is full.
const FOR_THE_ERROR: usize = 256 << 10;

fn script() -> EvalOptions {
    let mut options = EvalOptions::default();
    options.strict = false;
    options.filename = Some(FILE.to_owned());
    options
}

fn nul() -> SyntaxError {
    SyntaxError { line: 1, column: 1, message: "the source holds a NUL character".into() }
}

fn short(text: &str) -> String {
    cut(text, MAX_ERROR_BYTES).0.to_owned()
}

/// Line and column of the first frame of a stack that lies in the function.
fn place(stack: &str) -> Option<(u32, u32)> {
    let (_, rest) = stack.split_once("function.js:")?;
    let line_end = rest.find(|c: char| !c.is_ascii_digit())?;
    let column = rest[line_end..].strip_prefix(':')?;
    let column_end = column.find(|c: char| !c.is_ascii_digit()).unwrap_or(column.len());
    Some((rest[..line_end].parse().ok()?, column[..column_end].parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_from_a_stack() {
        assert_eq!(place("    at parse (native)\n    at run (function.js:12:7)\n"), Some((12, 7)));
        assert_eq!(place("    at function.js:3:1"), Some((3, 1)));
        assert_eq!(place("function.js:x"), None);
    }
}
