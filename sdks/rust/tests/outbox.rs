//! An outbox that is drained, whatever the server says.

use campanile_client::{Draft, Error, Outbox, OutboxRow, Published, Publisher};
use serde_json::json;
use tokio::task::JoinHandle;

use crate::scripted::Scripted;

/// What became of each row.
#[derive(Default)]
struct Rows {
    sent: Vec<String>,
    refused: Vec<(String, String)>,
    /// Rows that are refused are put aside.
    puts_aside: bool,
}

impl Outbox for Rows {
    type Error = Error;

    async fn sent(&mut self, row: &OutboxRow, published: Published) -> Result<(), Error> {
        self.sent.push(format!("{} as {}", row.key, published.id));
        Ok(())
    }

    async fn refused(&mut self, row: &OutboxRow, error: Error) -> Result<(), Error> {
        self.refused.push((row.key.clone(), error.code().to_owned()));
        if self.puts_aside { Ok(()) } else { Err(error) }
    }
}

/// One that says nothing of rows that are refused.
struct Plain(usize);

impl Outbox for Plain {
    type Error = Error;

    async fn sent(&mut self, _row: &OutboxRow, _published: Published) -> Result<(), Error> {
        self.0 += 1;
        Ok(())
    }
}

fn rows() -> Vec<OutboxRow> {
    let row = |key: &str| OutboxRow { key: key.into(), draft: Draft::to_user("alice", key, "") };
    ["a", "b", "c"].map(row).to_vec()
}

/// A server that is asked for these keys, one after the other: 201 takes one.
async fn server(answers: Vec<(&'static str, u16, &'static str)>) -> (Publisher, JoinHandle<()>) {
    let mut server = Scripted::start().await;
    let publisher =
        Publisher::builder(server.url()).workspace("demo").token("t").attempts(1).build().unwrap();
    let played = tokio::spawn(async move {
        for (key, status, code) in answers {
            let asked = server.requests.recv().await.unwrap();
            assert_eq!(asked.headers["idempotency-key"], key);
            let json = vec![("Content-Type", "application/json".to_owned())];
            let (headers, body) = match status {
                201 => (
                    json,
                    json!({"id": format!("n-{key}"), "seq": 7, "timestamp": "2026-01-01T00:00:00.123Z"}),
                ),
                // Somebody in between, with codes of its own.
                _ if code == "http" => (json, json!({"code": "not_found"})),
                _ => (vec![], json!({"status": status, "code": code, "title": "T", "detail": "D"})),
            };
            asked.answer(status, headers, body);
        }
        assert!(server.requests.try_recv().is_err());
    });
    (publisher, played)
}

#[tokio::test]
async fn rows_are_sent_in_order_and_what_is_refused_is_put_aside() {
    let (publisher, played) =
        server(vec![("a", 201, ""), ("b", 422, "invalid_request"), ("c", 201, "")]).await;
    let mut outbox = Rows { puts_aside: true, ..Rows::default() };
    assert_eq!(publisher.drain_outbox(rows(), &mut outbox).await.unwrap(), 2);
    assert_eq!(outbox.sent, ["a as n-a", "c as n-c"]);
    assert_eq!(outbox.refused, [("b".to_owned(), "invalid_request".to_owned())]);
    played.await.unwrap();
}

#[tokio::test]
async fn what_passes_and_what_is_wrong_with_the_token_ends_the_drain_and_the_row_stays() {
    for (status, code) in [
        (503, "overloaded"),
        (429, "too_many"),
        (401, "token_invalid"),
        (403, "scope_missing"),
        // A proxy's.
        (404, "http"),
    ] {
        let (publisher, played) = server(vec![("a", 201, ""), ("b", status, code)]).await;
        let mut outbox = Rows { puts_aside: true, ..Rows::default() };
        let error = publisher.drain_outbox(rows(), &mut outbox).await.unwrap_err();
        assert_eq!((error.code(), outbox.sent.len(), outbox.refused.len()), (code, 1, 0));
        played.await.unwrap();
    }
}

#[tokio::test]
async fn an_outbox_that_takes_no_refusals_ends_with_the_first() {
    let (publisher, played) = server(vec![("a", 201, ""), ("b", 422, "invalid_request")]).await;
    let mut outbox = Plain(0);
    let error = publisher.drain_outbox(rows(), &mut outbox).await.unwrap_err();
    assert_eq!((error.code(), outbox.0), ("invalid_request", 1));
    played.await.unwrap();
    let (publisher, played) = server(vec![("a", 422, "invalid_request")]).await;
    assert!(publisher.drain_outbox(rows(), &mut Rows::default()).await.is_err());
    played.await.unwrap();
}
