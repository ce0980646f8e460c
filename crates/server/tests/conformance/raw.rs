//! Frames written and read by hand, for what no library would send.

use campanile_testkit::{Answer, TestServer, WAIT, frame, raw_upgrade};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{Closed, closed};

/// The first bytes of whole frames.
pub const TEXT: u8 = 0x81;
pub const CLOSE: u8 = 0x88;
pub const PING: u8 = 0x89;
pub const PONG: u8 = 0x8a;

/// A connection past its handshake.
pub struct Raw {
    pub stream: TcpStream,
}

impl Raw {
    pub async fn upgrade(server: &TestServer, path: &str) -> Self {
        let (answer, stream) = raw_upgrade(server.address, path).await;
        assert_eq!(answer.status, 101, "{}", answer.head);
        Self { stream }
    }

    /// On the workspace surface.
    pub async fn workspace(server: &TestServer, user: &str) -> Self {
        Self::upgrade(server, &server.workspace_path(user)).await
    }

    /// On the product surface, past its greeting.
    pub async fn product(server: &TestServer, user: &str) -> Self {
        let mut raw = Self::upgrade(server, &server.product_path(user)).await;
        assert!(raw.text().await.contains("CONNECTION_ESTABLISHED"));
        raw
    }

    /// One on each surface.
    pub async fn on_both(server: &TestServer) -> [Self; 2] {
        [Self::workspace(server, "raw").await, Self::product(server, "raw").await]
    }

    pub async fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.expect("the bytes are taken");
    }

    /// Sends a masked frame.
    pub async fn frame(&mut self, first: u8, payload: &[u8]) {
        self.send(&frame(first, payload)).await;
    }

    /// The next frame's first byte and payload; `None` once the server has ended its side.
    pub async fn next(&mut self) -> Option<(u8, Vec<u8>)> {
        tokio::time::timeout(WAIT, self.read_frame()).await.expect("a frame or the end, in time")
    }

    async fn read_frame(&mut self) -> Option<(u8, Vec<u8>)> {
        let mut head = [0; 2];
        if self.stream.read(&mut head[..1]).await.expect("frames, or an end that is no reset") == 0 {
            return None;
        }
        self.stream.read_exact(&mut head[1..]).await.expect("the rest of a frame");
        assert_eq!(head[1] & 0x80, 0, "a server's frame is not masked");
        let length = match head[1] {
            126 => u64::from(self.stream.read_u16().await.unwrap()),
            127 => self.stream.read_u64().await.unwrap(),
            length => u64::from(length),
        };
        let mut payload = vec![0; usize::try_from(length).unwrap()];
        self.stream.read_exact(&mut payload).await.expect("the rest of a frame");
        Some((head[0], payload))
    }

    /// The next frame, which is a text.
    pub async fn text(&mut self) -> String {
        let (first, payload) = self.next().await.expect("a text before the end");
        assert_eq!(first, TEXT, "a text, not {payload:?}");
        String::from_utf8(payload).expect("a text is UTF-8")
    }

    /// Sees that it is still open: a ping is answered before anything else.
    pub async fn is_open(&mut self) {
        self.frame(PING, b"open?").await;
        assert_eq!(self.next().await, Some((PONG, b"open?".to_vec())));
    }

    /// The close that comes next; answers it and sees the end, without a reset.
    pub async fn close(&mut self) -> Closed {
        let (first, payload) = self.next().await.expect("a close before the end");
        assert_eq!(first, CLOSE, "a close, not {:?}", String::from_utf8_lossy(&payload));
        let code = u16::from_be_bytes([payload[0], payload[1]]);
        let reason = std::str::from_utf8(&payload[2..]).expect("a reason is UTF-8");
        // The server may have gone already.
        let _sent = self.stream.write_all(&frame(CLOSE, &payload[..2])).await;
        assert_eq!(self.next().await, None, "nothing comes after a close");
        let _shut = self.stream.shutdown().await;
        closed(code, reason)
    }

    /// From here on every packet for this client is lost, acknowledgements included: the peer sees a network
    /// that died without a word.
    pub fn lose_everything(&self) {
        // `ret #0`: the kernel drops the packet before the socket sees it.
        let drop_all = socket2::SockFilter::new(0x06, 0, 0, 0);
        let socket = socket2::SockRef::from(&self.stream);
        socket.attach_filter(&[drop_all]).expect("a packet filter");
    }
}

/// Sends `request` as it is and reads the whole answer, up to the end of the connection.
pub async fn answer_to(server: &TestServer, request: &str) -> Answer {
    let mut stream = TcpStream::connect(server.address).await.expect("the server listens");
    stream.write_all(request.as_bytes()).await.expect("the request is taken");
    let mut answer = vec![];
    let read = tokio::time::timeout(WAIT, stream.read_to_end(&mut answer)).await;
    read.expect("the answer ends in time").expect("the answer ends without a reset");
    Answer::parse(&answer)
}
