//! The channel between the server and a worker: a length in four bytes, little end first, and JSON.

use std::io;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{HostError, Level, Limit, SyntaxError};

/// What the server says.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum ToWorker {
    /// The first words: what the process may use for all its life.
    Setup { memory_bytes: usize, cpu_seconds: u64 },
    /// Run this.
    Run { code: String, execution_params: Box<RawValue>, trigger_params: Box<RawValue>, budget: Budget },
    /// Parse this.
    Check { code: String, budget: Budget },
    /// The host answered a call: JSON of a value, or an error.
    Answer { call: u32, answer: Result<Box<RawValue>, HostError> },
}

/// The same, of borrowed parts: what is large is written once.
#[derive(Debug, Serialize)]
pub(crate) enum ToWorkerRef<'a> {
    Run { code: &'a str, execution_params: &'a RawValue, trigger_params: &'a RawValue, budget: Budget },
    Check { code: &'a str, budget: Budget },
}

/// What one run may use, in numbers.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Budget {
    pub memory_bytes: usize,
    pub cpu_us: u64,
    pub wall_us: u64,
    pub result_bytes: usize,
    pub host_calls: u32,
}

/// What a worker says.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum FromWorker {
    /// It is confined; whether by a system call filter too.
    Hello { filtered: bool },
    /// It has a fresh runtime, and waits for work.
    Ready,
    /// The function calls the host.
    Call { call: u32, kind: CallKind, arguments: Box<RawValue> },
    /// The function logged a line.
    Log { at_ms: u32, level: Level, text: String },
    /// The run, or the check, is over.
    Done { outcome: Outcome, cpu_us: u64, memory_peak_bytes: u64 },
}

/// Who answers a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum CallKind {
    Host,
    Http,
    Sleep,
}

/// How a run ended, as its worker knows it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Outcome {
    Completed(Box<RawValue>),
    Parsed,
    Unparsable(SyntaxError),
    Failed { name: String, message: String, line: Option<u32>, stack: String },
    Cpu,
    Wall,
    Memory,
    Refused(Limit),
}

/// Appends a frame to `out`.
///
/// # Errors
/// Where it would be longer than `limit` bytes; `out` is as it was before.
pub(crate) fn encode(frame: &impl Serialize, limit: usize, out: &mut Vec<u8>) -> io::Result<()> {
    let start = out.len();
    out.extend_from_slice(&[0; LENGTH]);
    let written = serde_json::to_writer(&mut *out, frame).map_err(io::Error::from).and_then(|()| {
        let length = out.len() - start - LENGTH;
        if length > limit { Err(too_long(length, limit)) } else { Ok(length) }
    });
    match written {
        Ok(length) => {
            // At most `limit`, which is far below 4 GiB.
            out[start..start + LENGTH].copy_from_slice(&(length as u32).to_le_bytes());
            Ok(())
        }
        Err(error) => {
            out.truncate(start);
            Err(error)
        }
    }
}

/// Bytes that came, and have not made a frame yet.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    bytes: Vec<u8>,
}

impl Inbox {
    /// Where to append what was read.
    pub(crate) fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// Whether nothing waits, not even a part of a frame.
    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The next frame, if all of it is there.
    ///
    /// # Errors
    /// Where it is longer than `limit` bytes, or no frame.
    pub(crate) fn next<T: for<'de> Deserialize<'de>>(&mut self, limit: usize) -> io::Result<Option<T>> {
        let Some((length, rest)) = self.bytes.split_first_chunk::<LENGTH>() else { return Ok(None) };
        let length = u32::from_le_bytes(*length) as usize;
        if length > limit {
            return Err(too_long(length, limit));
        }
        let Some(body) = rest.get(..length) else { return Ok(None) };
        let frame = serde_json::from_slice(body)?;
        self.bytes.drain(..LENGTH + length);
        // One large frame is not remembered by its buffer for ever.
        if self.bytes.is_empty() && self.bytes.capacity() > KEPT_BUFFER {
            self.bytes = Vec::new();
        }
        Ok(Some(frame))
    }
}

const LENGTH: usize = 4;

/// Kept between frames; most frames are smaller.
const KEPT_BUFFER: usize = 64 << 10;

fn too_long(length: usize, limit: usize) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("a frame of {length} bytes, above {limit}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_come_back_whole_however_they_were_cut() {
        let mut bytes = Vec::new();
        encode(&FromWorker::Hello { filtered: true }, 100, &mut bytes).unwrap();
        encode(&FromWorker::Ready, 100, &mut bytes).unwrap();
        let mut inbox = Inbox::default();
        let mut seen = Vec::new();
        for byte in bytes {
            inbox.buffer().push(byte);
            seen.extend(inbox.next::<FromWorker>(100).unwrap());
        }
        assert!(matches!(seen[..], [FromWorker::Hello { filtered: true }, FromWorker::Ready]));
        assert!(inbox.is_empty());
    }

    #[test]
    fn a_length_above_the_limit_is_refused_before_its_bytes_came() {
        let mut inbox = Inbox::default();
        inbox.buffer().extend_from_slice(&101u32.to_le_bytes());
        assert!(inbox.next::<FromWorker>(100).is_err());
        let mut out = vec![1];
        let long = FromWorker::Log { at_ms: 0, level: Level::Info, text: "x".repeat(100) };
        assert!(encode(&long, 100, &mut out).is_err());
        assert_eq!(out, [1]);
    }
}
