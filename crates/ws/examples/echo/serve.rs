//! An echo server on blocking sockets: the shortest loop around the codec, for conformance tests.

use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use campanile_ws::close::NO_STATUS;
use campanile_ws::{
    Accept, Decoder, Event, FrameBuilder, HandshakeError, Limits, check, encode_close, encode_pong,
};

/// Bytes of a request's head.
const MAX_HEAD: usize = 16 * 1024;

/// Serves every connection on its own thread, until the listener fails.
pub fn serve(listener: &TcpListener, limits: Limits) -> io::Result<()> {
    loop {
        let (stream, _) = listener.accept()?;
        thread::spawn(move || {
            // A client that went away is no concern of the next one.
            let _ = connection(stream, limits);
        });
    }
}

fn connection(mut stream: TcpStream, limits: Limits) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let Some((accept, mut early)) = upgrade(&mut stream)? else { return Ok(()) };
    stream.write_all(&accept.response(None))?;

    // Frames may have come along with the request.
    let mut decoder = Decoder::new();
    if echo(&mut decoder, &mut early, &limits, &mut stream)? {
        return hang_up(&mut stream);
    }
    drop(early);
    let mut scratch = vec![0; 64 * 1024];
    loop {
        let read = stream.read(&mut scratch)?;
        if read == 0 {
            return Ok(());
        }
        if echo(&mut decoder, &mut scratch[..read], &limits, &mut stream)? {
            return hang_up(&mut stream);
        }
    }
}

/// Reads the request's head. Gives the answer to it and the bytes behind it, or refuses it.
fn upgrade(stream: &mut TcpStream) -> io::Result<Option<(Accept, Vec<u8>)>> {
    let (mut head, mut scratch) = (Vec::new(), [0; 1024]);
    loop {
        let read = stream.read(&mut scratch)?;
        if read == 0 || head.len() + read > MAX_HEAD {
            return Ok(None);
        }
        head.extend_from_slice(&scratch[..read]);
        let mut headers = [httparse::EMPTY_HEADER; 64];
        let mut request = httparse::Request::new(&mut headers);
        let len = match request.parse(&head) {
            Ok(httparse::Status::Complete(len)) => len,
            Ok(httparse::Status::Partial) => continue,
            Err(_) => return refuse(stream, 400, &[], "not a request").map(|()| None),
        };
        let fields = request.headers.iter().map(|header| (header.name, header.value));
        return match check(request.method.unwrap_or(""), request.version.unwrap_or(0), fields) {
            Ok(accept) => Ok(Some((accept, head.split_off(len)))),
            Err(error) => refuse_upgrade(stream, error).map(|()| None),
        };
    }
}

fn refuse_upgrade(stream: &mut TcpStream, error: HandshakeError) -> io::Result<()> {
    refuse(stream, error.status(), error.headers(), &error.to_string())
}

fn refuse(stream: &mut TcpStream, status: u16, headers: &[(&str, &str)], why: &str) -> io::Result<()> {
    let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let length = why.len();
    write!(stream, "HTTP/1.1 {status} Refused\r\n{headers}Content-Length: {length}\r\n\r\n{why}")?;
    hang_up(stream)
}

/// Answers everything in `input`. True after the last answer, a close.
fn echo(
    decoder: &mut Decoder,
    input: &mut [u8],
    limits: &Limits,
    stream: &mut TcpStream,
) -> io::Result<bool> {
    let mut consumed = 0;
    loop {
        let (answer, last) = match decoder.next(input, &mut consumed, limits) {
            Ok(None) => return Ok(false),
            Ok(Some(Event::Text(text))) => (text_frame(&text), false),
            Ok(Some(Event::Binary(bytes))) => (binary_frame(&bytes), false),
            Ok(Some(Event::Ping(bytes))) => (encode_pong(&bytes).map_err(io::Error::other)?, false),
            Ok(Some(Event::Pong(_))) => continue,
            Ok(Some(Event::Close { code, .. })) => (encode_close(code.unwrap_or(NO_STATUS), ""), true),
            Err(violation) => (encode_close(violation.close_code(), violation.reason()), true),
        };
        stream.write_all(&answer)?;
        if last {
            return Ok(true);
        }
    }
}

fn text_frame(payload: &str) -> Bytes {
    let mut frame = FrameBuilder::text(payload.len());
    frame.push(payload.as_bytes());
    frame.finish()
}

/// The codec makes none: no surface of the server sends binary messages.
fn binary_frame(payload: &[u8]) -> Bytes {
    let mut frame = vec![0x82];
    match (u8::try_from(payload.len()), u16::try_from(payload.len())) {
        (Ok(len @ ..=125), _) => frame.push(len),
        (_, Ok(len)) => {
            frame.push(126);
            frame.extend(len.to_be_bytes());
        }
        _ => {
            frame.push(127);
            frame.extend((payload.len() as u64).to_be_bytes());
        }
    }
    frame.extend(payload);
    frame.into()
}

/// Ends the connection so that the last frame arrives: closing a socket with unread bytes would reset it, and
/// a reset discards what the client has not read yet.
fn hang_up(stream: &mut TcpStream) -> io::Result<()> {
    stream.shutdown(Shutdown::Write)?;
    stream.set_read_timeout(Some(Duration::from_secs(1)))?;
    io::copy(stream, &mut io::sink()).map(drop)
}
