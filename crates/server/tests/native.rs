//! The native surface: places in the log, exact resume, changes, read state both ways.

mod commands;
mod counts;
mod in_flight;
mod resume;
pub(crate) mod stream;
mod visibility;

use campanile_testkit::{Client, TestServer};
use serde_json::{Value, json};

/// A client of the native surface of `acme`.
pub(crate) struct Native {
    pub(crate) client: Client,
    /// Its first message.
    pub(crate) hello: Value,
}

impl Native {
    /// Connects and takes the first message.
    pub(crate) async fn open(server: &TestServer, user: &str, further: &str) -> Self {
        let mut client = Client::connect(server.address, &path(server, user, further)).await;
        let hello = client.json().await;
        assert_eq!(hello["type"], "hello");
        assert_eq!((&hello["user"], &hello["workspace"]), (&json!(user), &json!("acme")));
        Self { client, hello }
    }

    /// Goes on from where another one was.
    pub(crate) async fn resume(server: &TestServer, user: &str, epoch: &Value, seq: u64, rev: u64) -> Self {
        let epoch = epoch.as_str().unwrap();
        Self::open(server, user, &format!("&epoch={epoch}&since={seq}&rev={rev}")).await
    }

    /// The next message, which is of this type.
    pub(crate) async fn next(&mut self, kind: &str) -> Value {
        let message = self.client.json().await;
        assert_eq!(message["type"], kind, "{message}");
        message
    }

    /// The next message of this type, past heartbeats.
    pub(crate) async fn past_heartbeats(&mut self, kind: &str) -> Value {
        loop {
            let message = self.client.json().await;
            if message["type"] != "heartbeat" {
                assert_eq!(message["type"], kind, "{message}");
                return message;
            }
        }
    }

    /// Sends a command.
    pub(crate) async fn say(&mut self, command: Value) {
        self.client.send(&command.to_string()).await;
    }

    /// Sends a command and takes its `ok` and the `receipts` that it causes, in either order.
    pub(crate) async fn mark(&mut self, command: Value) -> (Value, Value) {
        self.say(command).await;
        let (mut ok, mut receipts) = (None, None);
        while ok.is_none() || receipts.is_none() {
            let message = self.client.json().await;
            match message["type"].as_str() {
                Some("ok") => ok = Some(message),
                Some("receipts") => receipts = Some(message),
                Some("heartbeat") => {}
                _ => panic!("neither ok nor receipts: {message}"),
            }
        }
        (ok.unwrap(), receipts.unwrap())
    }
}

/// The address for `user`, with further parameters.
pub(crate) fn path(server: &TestServer, user: &str, further: &str) -> String {
    format!("/v1/connect?workspace=acme&token={}{further}", server.token(user).sign())
}

/// A member that is a number.
pub(crate) fn number(message: &Value, member: &str) -> u64 {
    message[member].as_u64().unwrap_or_else(|| panic!("{member} of {message}"))
}
