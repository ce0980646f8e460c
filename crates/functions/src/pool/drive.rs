//! One run on one worker: answers its calls, keeps its log, and ends it when its time is up.

use std::io;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use serde_json::value::{RawValue, to_raw_value};
use tokio::io::AsyncWriteExt;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::Ended;
use super::call::Work;
use super::process::Worker;
use crate::frame::{Budget, CallKind, FromWorker, Outcome, ToWorker, ToWorkerRef, encode};
use crate::limits::{
    MAX_ANSWER_BYTES, MAX_CALLS_IN_FLIGHT, MAX_ERROR_BYTES, MAX_FRAME_TO_WORKER, MAX_LOG_BYTES,
    MAX_LOG_LINE_BYTES, MAX_LOG_LINES, cut,
};
use crate::{Finished, GRACE, Host, HostCall, HostError, HttpClient, Limits, LogLine, Spent, Usage, Verdict};

/// How a run ended, and whether its worker may run another one.
pub(super) struct Driven {
    pub(super) ended: Ended,
    pub(super) clean: bool,
}

/// Runs `work` on a ready worker.
pub(super) async fn drive(
    worker: &mut Worker,
    work: Work<'_>,
    limits: &Limits,
    host: Option<&dyn Host>,
    http: &HttpClient,
) -> Driven {
    let started = Instant::now();
    let mut run = Driver {
        host,
        http,
        limits,
        started,
        calls: FuturesUnordered::new(),
        sleeps: FuturesUnordered::new(),
        made: 0,
        log: Vec::new(),
        log_bytes: 0,
        out: Vec::new(),
        written: 0,
    };
    worker.begin();
    let end = match run.ask(work) {
        Ok(()) => run.until_done(worker).await,
        Err(_) => End::Broken,
    };
    run.finish(end, worker).await
}

struct Driver<'a> {
    host: Option<&'a dyn Host>,
    http: &'a HttpClient,
    limits: &'a Limits,
    started: Instant,
    calls: FuturesUnordered<BoxFuture<'a, (u32, Answer)>>,
    sleeps: FuturesUnordered<BoxFuture<'a, (u32, Answer)>>,
    made: u32,
    log: Vec<LogLine>,
    log_bytes: usize,
    out: Vec<u8>,
    written: usize,
}

type Answer = Result<Box<RawValue>, HostError>;

/// What became of the worker.
enum End {
    Done {
        outcome: Outcome,
        cpu_us: u64,
        memory_peak_bytes: u64,
    },
    /// It did not stop in time.
    Late(Spent, Duration),
    /// It is gone, or said what no worker says.
    Broken,
}

impl<'a> Driver<'a> {
    fn ask(&mut self, work: Work<'_>) -> io::Result<()> {
        let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        let budget = Budget {
            memory_bytes: self.limits.memory_bytes,
            cpu_us: micros(self.limits.cpu),
            wall_us: micros(self.limits.wall),
            result_bytes: self.limits.result_bytes,
            host_calls: self.limits.host_calls,
        };
        let frame = match work {
            Work::Run(call) => ToWorkerRef::Run {
                code: &call.code,
                execution_params: &call.execution_params,
                trigger_params: &call.trigger_params,
                budget,
            },
            Work::Check { code, .. } => ToWorkerRef::Check { code, budget },
        };
        encode(&frame, MAX_FRAME_TO_WORKER, &mut self.out)
    }

    async fn until_done(&mut self, worker: &mut Worker) -> End {
        let wall = self.started + self.limits.wall + GRACE;
        let mut cpu_before = None;
        let mut look = self.started + FIRST_LOOK;
        loop {
            tokio::select! {
                frame = worker.frames.next() => match frame {
                    Ok(Some(FromWorker::Done { outcome, cpu_us, memory_peak_bytes })) => {
                        return End::Done { outcome, cpu_us, memory_peak_bytes };
                    }
                    Ok(Some(frame)) => if self.handle(frame).is_err() { return End::Broken },
                    Ok(None) | Err(_) => return End::Broken,
                },
                Some((call, answer)) = self.calls.next(), if self.unsent() < MAX_UNSENT => self.answer(call, answer),
                Some((call, answer)) = self.sleeps.next() => self.answer(call, answer),
                written = worker.stdin.write(&self.out[self.written..]), if self.unsent() > 0 => {
                    match written {
                        Ok(bytes) if bytes > 0 => self.advance(bytes),
                        _ => return End::Broken,
                    }
                }
                () = sleep_until(look.min(wall)) => {
                    let now = Instant::now();
                    let all = worker.cpu().unwrap_or_default();
                    // What it used before this run, as far as that can be told without asking at its start: a
                    // short run costs no look at all.
                    let before = *cpu_before.get_or_insert(all.saturating_sub(now.duration_since(self.started)));
                    let used = all.saturating_sub(before);
                    if now >= wall {
                        return End::Late(Spent::Wall, used);
                    }
                    let allowed = self.limits.cpu + GRACE;
                    if used > allowed {
                        return End::Late(Spent::Cpu, used);
                    }
                    // It has one thread: it cannot use up what is left any sooner.
                    look = now + (allowed - used).max(NEXT_LOOK);
                }
            }
        }
    }

    /// Takes in what the function did. `Err`: no worker does that.
    fn handle(&mut self, frame: FromWorker) -> Result<(), Unheard> {
        match frame {
            FromWorker::Log { at_ms, level, text } => {
                self.log_bytes += text.len();
                if self.log.len() >= MAX_LOG_LINES
                    || self.log_bytes > MAX_LOG_BYTES
                    || text.len() > MAX_LOG_LINE_BYTES
                {
                    return Err(Unheard);
                }
                self.log.push(LogLine { at_ms, level, text });
                Ok(())
            }
            FromWorker::Call { call, kind, arguments } => {
                self.made += 1;
                let crowded = kind != CallKind::Sleep && self.calls.len() >= MAX_CALLS_IN_FLIGHT;
                if self.made > self.limits.host_calls || crowded {
                    return Err(Unheard);
                }
                self.begin(call, kind, &arguments)
            }
            FromWorker::Hello { .. } | FromWorker::Ready | FromWorker::Done { .. } => Err(Unheard),
        }
    }

    fn begin(&mut self, call: u32, kind: CallKind, arguments: &RawValue) -> Result<(), Unheard> {
        let host = self.host.ok_or(Unheard)?;
        match kind {
            CallKind::Host => {
                let asked = serde_json::from_str::<HostCall>(arguments.get());
                self.calls.push(Box::pin(async move {
                    let answer = match asked {
                        Ok(asked) => host.call(asked).await.and_then(|value| bounded(&value)),
                        Err(error) => Err(HostError::new("invalid_argument", error.to_string())),
                    };
                    (call, answer)
                }));
            }
            CallKind::Http => {
                let asked = serde_json::from_str(arguments.get());
                let http = self.http;
                self.calls.push(Box::pin(async move {
                    let answer = match asked {
                        Ok(asked) => http.request(asked).await.and_then(|response| {
                            to_raw_value(&response).map_err(|error| HostError::new("http", error.to_string()))
                        }),
                        Err(error) => Err(HostError::new("invalid_argument", error.to_string())),
                    };
                    (call, answer)
                }));
            }
            CallKind::Sleep => {
                let Sleep { ms } = serde_json::from_str(arguments.get()).map_err(|_| Unheard)?;
                // Beyond the wall limit nobody waits.
                let until = Instant::now() + Duration::from_millis(ms).min(self.limits.wall + GRACE);
                self.sleeps.push(Box::pin(async move {
                    sleep_until(until).await;
                    (call, Ok(RawValue::NULL.to_owned()))
                }));
            }
        }
        Ok(())
    }

    fn answer(&mut self, call: u32, answer: Answer) {
        let answer = answer.map_err(|error| HostError {
            code: cut(&error.code, MAX_CODE_NAME).0.to_owned(),
            message: cut(&error.message, MAX_ERROR_BYTES).0.to_owned(),
        });
        if encode(&ToWorker::Answer { call, answer }, MAX_FRAME_TO_WORKER, &mut self.out).is_err() {
            let answer = Err(HostError::new("answer_too_large", "the answer is too large"));
            // This one is small.
            let _ = encode(&ToWorker::Answer { call, answer }, MAX_FRAME_TO_WORKER, &mut self.out);
        }
    }

    /// Bytes that the worker has not taken yet.
    fn unsent(&self) -> usize {
        self.out.len() - self.written
    }

    fn advance(&mut self, bytes: usize) {
        self.written += bytes;
        if self.written == self.out.len() {
            self.out = Vec::new();
            self.written = 0;
        }
    }

    async fn finish(mut self, end: End, worker: &mut Worker) -> Driven {
        let mut usage = Usage { host_calls: self.made, ..Usage::default() };
        let mut checked = None;
        let (verdict, clean) = match end {
            End::Late(spent, cpu) => {
                usage.cpu_ms = millis(cpu);
                (Verdict::TimedOut(spent), false)
            }
            End::Broken => {
                usage.cpu_ms = worker.cpu().map_or(0, |cpu| millis(cpu.min(self.started.elapsed())));
                (Verdict::Crashed, false)
            }
            End::Done { outcome, cpu_us, memory_peak_bytes } => {
                // What was begun is finished: a call cut in two would be neither made nor not made.
                let until = self.started + self.limits.wall + GRACE;
                let rest = async { while self.calls.next().await.is_some() {} };
                let _ = timeout_at(until, rest).await;
                usage.cpu_ms = cpu_us / 1000;
                usage.memory_peak_bytes = memory_peak_bytes;
                // A frame that was begun would be read to its end by the next run.
                let whole = self.written == 0;
                match (outcome, self.host) {
                    (Outcome::Parsed, None) => {
                        checked = Some(Ok(()));
                        (Verdict::Completed(RawValue::NULL.to_owned()), whole)
                    }
                    (Outcome::Unparsable(error), None) => {
                        checked = Some(Err(error));
                        (Verdict::Completed(RawValue::NULL.to_owned()), whole)
                    }
                    (outcome, _) => {
                        let verdict = self.judge(outcome);
                        let clean = matches!(verdict, Verdict::Completed(_) | Verdict::Failed { .. });
                        (verdict, clean && whole)
                    }
                }
            }
        };
        usage.wall_ms = millis(self.started.elapsed());
        let finished = Finished { verdict, log: self.log, usage };
        Driven { ended: Ended { finished, checked }, clean }
    }

    /// The worker's word, held against what a worker may say.
    fn judge(&self, outcome: Outcome) -> Verdict {
        match outcome {
            Outcome::Completed(result) if result.get().len() > self.limits.result_bytes => Verdict::Crashed,
            Outcome::Completed(result) => match serde_json::from_str::<serde_json::Value>(result.get()) {
                Ok(_) => Verdict::Completed(result),
                Err(error) => Verdict::Failed {
                    name: "TypeError".into(),
                    message: format!("the result is not to be read as JSON: {error}"),
                    line: None,
                    stack: String::new(),
                },
            },
            Outcome::Failed { name, message, line, stack } => {
                let short = |text: String| cut(&text, MAX_ERROR_BYTES).0.to_owned();
                Verdict::Failed { name: short(name), message: short(message), line, stack: short(stack) }
            }
            Outcome::Cpu => Verdict::TimedOut(Spent::Cpu),
            Outcome::Wall => Verdict::TimedOut(Spent::Wall),
            Outcome::Memory => Verdict::MemoryExceeded,
            Outcome::Refused(limit) => Verdict::Refused(limit),
            Outcome::Parsed | Outcome::Unparsable(_) => Verdict::Crashed,
        }
    }
}

/// A frame that no worker sends.
struct Unheard;

#[derive(serde::Deserialize)]
struct Sleep {
    ms: u64,
}

fn bounded(value: &serde_json::Value) -> Answer {
    let json = to_raw_value(value).map_err(|error| HostError::new("answer", error.to_string()))?;
    if json.get().len() > MAX_ANSWER_BYTES {
        let message = format!("the answer has {} bytes, above {MAX_ANSWER_BYTES}", json.get().len());
        return Err(HostError::new("answer_too_large", message));
    }
    Ok(json)
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// When a run's processor time is looked at first; most runs are over by then.
const FIRST_LOOK: Duration = Duration::from_millis(20);

/// The kernel's figures are no finer than this.
const NEXT_LOOK: Duration = Duration::from_millis(20);

/// Answers that a worker does not read wait with the host, and count as under way. Above one of the largest.
const MAX_UNSENT: usize = 2 << 20;

/// Bytes of an error's code: a name.
const MAX_CODE_NAME: usize = 128;
