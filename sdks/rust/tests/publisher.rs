//! Publishing against a server that fails in every way that passes, and in some that do not.

use std::sync::Arc;
use std::time::Duration;

use campanile_client::{Draft, Environment, Error, Publisher, TokenReason, TokenSource};
use serde_json::{Value, json};

use crate::clock::{START, SteppedClock};
use crate::scripted::{Request, Scripted};

fn publisher(server: &Scripted, clock: &SteppedClock, token: impl Into<TokenSource>) -> Publisher {
    let environment = Environment { clock: Arc::new(clock.clone()), random: Arc::new(|| 0.5) };
    let builder = Publisher::builder(server.url()).workspace("demo").token(token).environment(environment);
    builder.build().unwrap()
}

async fn request(server: &mut Scripted) -> Request {
    tokio::time::timeout(Duration::from_secs(30), server.requests.recv()).await.expect("no request").unwrap()
}

fn answer() -> Value {
    json!({"id": "01890a5d-ac96-774b-bcce-b302099a8057", "seq": 7, "timestamp": "2026-01-01T00:00:00.123Z"})
}

fn problem(status: u16, code: &str) -> Value {
    json!({"type": "about:blank", "title": "T", "status": status, "code": code, "detail": "D", "index": 2, "field": "title"})
}

#[tokio::test]
async fn a_publish_is_repeated_under_its_key_until_it_is_answered() {
    let (mut server, clock) = (Scripted::start().await, SteppedClock::new());
    let publisher = publisher(&server, &clock, "the-token");
    let notification = Draft::to_user("alice", "Order shipped", "").kind("order").metadata(json!({"n": 1}));
    let published = tokio::spawn(async move { publisher.publish(&notification).await });

    let first = request(&mut server).await;
    assert_eq!((first.method.as_str(), first.path.as_str()), ("POST", "/v1/workspaces/demo/notifications"));
    assert_eq!(first.headers["authorization"], "Bearer the-token");
    let body: Value = serde_json::from_slice(&first.body).unwrap();
    let expected = json!({"to": {"user": "alice"}, "title": "Order shipped", "message": "", "type": "order",
                          "metadata": {"n": 1}});
    assert_eq!(body, expected);
    let (key, bytes) = (first.headers["idempotency-key"].clone(), first.body.clone());
    assert!(key.len() >= 32);
    first.break_off();
    clock.sleeping().await;
    clock.advance(750);

    let second = request(&mut server).await;
    assert_eq!((&second.headers["idempotency-key"], &second.body), (&key, &bytes));
    second.answer(503, vec![("Retry-After", "5".into())], problem(503, "overloaded"));
    clock.wakes_at(START + 750 + 5_000).await;
    clock.advance(5_000);

    let third = request(&mut server).await;
    assert_eq!((&third.headers["idempotency-key"], &third.body), (&key, &bytes));
    third.answer(201, vec![], answer());
    assert_eq!(published.await.unwrap().unwrap().seq, Some(7));
}

#[tokio::test]
async fn a_date_says_when_to_come_back_by_the_clock_that_is_given() {
    let (mut server, clock) = (Scripted::start().await, SteppedClock::new());
    let publisher = publisher(&server, &clock, "the-token");
    let published = tokio::spawn(async move { publisher.publish(&Draft::to_user("a", "T", "")).await });
    let date = "Thu, 01 Jan 2026 00:01:00 GMT";
    request(&mut server).await.answer(503, vec![("Retry-After", date.into())], problem(503, "overloaded"));
    clock.wakes_at(START + 60_000).await;
    clock.advance(60_000);
    request(&mut server).await.answer(201, vec![], answer());
    assert!(published.await.unwrap().is_ok());
}

#[tokio::test]
async fn a_refusal_is_told_and_not_repeated() {
    let (mut server, clock) = (Scripted::start().await, SteppedClock::new());
    let publisher = publisher(&server, &clock, "the-token");
    let batch = vec![Draft::to_user("alice", "T", "M"); 3];
    let refused = tokio::spawn(async move { publisher.publish_batch(&batch).await });
    let asked = request(&mut server).await;
    assert_eq!(serde_json::from_slice::<Vec<Value>>(&asked.body).unwrap().len(), 3);
    asked.answer(422, vec![], problem(422, "invalid_request"));
    let error = refused.await.unwrap().unwrap_err();
    let Error::Problem(problem) = &error else { panic!("{error}") };
    assert_eq!((problem.status, problem.code.as_str(), problem.index), (422, "invalid_request", Some(2)));
    assert!(!format!("{error} {error:?}").contains("the-token"));
}

#[tokio::test]
async fn an_expired_token_is_replaced_at_once_and_no_second_time() {
    for is_good in [true, false] {
        let (mut server, clock) = (Scripted::start().await, SteppedClock::new());
        let source = TokenSource::callback(|reason| async move {
            Ok::<_, Error>(if reason == TokenReason::Expired { "new" } else { "old" }.to_owned())
        });
        let publisher = publisher(&server, &clock, source);
        let published =
            tokio::spawn(
                async move { publisher.publish_keyed(&Draft::to_user("a", "T", ""), "order-1").await },
            );
        request(&mut server).await.answer(401, vec![], problem(401, "token_expired"));
        // The clock stands still.
        let again = request(&mut server).await;
        assert_eq!(again.headers["authorization"], "Bearer new");
        assert_eq!(again.headers["idempotency-key"], "order-1");
        if is_good {
            again.answer(201, vec![], answer());
            assert!(published.await.unwrap().is_ok());
        } else {
            again.answer(401, vec![], problem(401, "token_expired"));
            assert_eq!(published.await.unwrap().unwrap_err().code(), "token_expired");
        }
    }
}

#[tokio::test]
async fn a_success_that_was_cut_short_is_asked_for_again() {
    let (mut server, clock) = (Scripted::start().await, SteppedClock::new());
    let publisher = publisher(&server, &clock, "the-token");
    let published = tokio::spawn(async move { publisher.publish(&Draft::to_user("a", "T", "")).await });
    let first = request(&mut server).await;
    let key = first.headers["idempotency-key"].clone();
    first.answer(201, vec![], json!("a half"));
    clock.wakes_at(START + 750).await;
    clock.advance(750);
    let again = request(&mut server).await;
    assert_eq!(again.headers["idempotency-key"], key);
    again.answer(201, vec![], answer());
    assert!(published.await.unwrap().is_ok());
}

#[tokio::test]
async fn a_callback_that_does_not_answer_is_given_up() {
    let (server, clock) = (Scripted::start().await, SteppedClock::new());
    let source = TokenSource::callback(|_| std::future::pending::<Result<String, Error>>());
    let environment = Environment { clock: Arc::new(clock.clone()), random: Arc::new(|| 0.5) };
    let builder = Publisher::builder(server.url()).workspace("demo").token(source).attempts(1);
    let publisher = builder.environment(environment).build().unwrap();
    let given_up = tokio::spawn(async move { publisher.publish(&Draft::to_user("a", "T", "")).await });
    clock.wakes_at(START + 30_000).await;
    clock.advance(30_000);
    assert!(matches!(given_up.await.unwrap(), Err(Error::TokenFailed(_))));
}

#[tokio::test]
async fn a_batch_has_its_bounds_and_attempts_have_theirs() {
    let mut server = Scripted::start().await;
    let publisher =
        Publisher::builder(server.url()).workspace("demo").token("t").attempts(1).build().unwrap();
    let too_many = vec![Draft::to_user("a", "T", ""); 1_001];
    let refused = publisher.publish_batch(&too_many).await;
    assert!(matches!(refused, Err(Error::BatchTooLarge { got: 1_001, limit: 1_000 })));
    assert_eq!(publisher.publish_batch(&[]).await.unwrap(), []);
    let given_up = tokio::spawn(async move { publisher.publish(&too_many[0]).await });
    request(&mut server).await.answer(500, vec![], Value::Null);
    assert!(matches!(given_up.await.unwrap(), Err(Error::Problem(problem)) if problem.status == 500));
    let insecure = Publisher::builder("http://example.com").workspace("demo").token("t").build();
    assert!(matches!(insecure, Err(Error::InsecureUrl { .. })));
}

#[tokio::test]
async fn who_does_not_answer_in_time_is_given_up() {
    // What is asked of it waits for ever.
    let server = Scripted::start().await;
    let builder = Publisher::builder(server.url()).workspace("demo").token("t").attempts(1);
    let publisher = builder.timeout(Duration::from_millis(10)).build().unwrap();
    let given_up = publisher.publish(&Draft::to_user("a", "T", "")).await;
    assert!(matches!(given_up, Err(Error::Network(cause)) if cause.is_timeout()));
}

#[tokio::test]
async fn who_gives_no_token_is_not_asked_again() {
    let (server, clock) = (Scripted::start().await, SteppedClock::new());
    let source = TokenSource::callback(|_| std::future::ready(Ok::<_, Error>(None::<String>)));
    let publisher = publisher(&server, &clock, source);
    let draft = Draft::to_user("a", "T", "");
    let refused = tokio::time::timeout(Duration::from_secs(10), publisher.publish(&draft)).await;
    assert!(matches!(refused.expect("it tries again"), Err(Error::TokenFailed(_))));
}
