//! The lists of filters: their bounds, and how far down they are loaded.

use campanile_client::{Campanile, Filter, MemoryStorage, Snapshot, State};
use serde_json::{Value, json};

use crate::bench::{Bench, hello, page};
use crate::scripted::Dial;

const ALL: Filter = Filter { unread: false, archived: false };
const UNREAD: Filter = Filter { unread: true, archived: false };
const ARCHIVED: Filter = Filter { unread: false, archived: true };

fn item(seq: u64, read: bool, archived: bool) -> Value {
    json!({"seq": seq, "id": format!("n{seq}"), "title": "T", "message": "", "type": "info", "seen": read,
           "read": read, "archived": archived})
}

fn places(shown: &Snapshot, filter: Filter) -> Vec<u64> {
    shown.list(filter).items.iter().filter_map(|item| item.seq).collect()
}

/// A live client with these entries, whose page ends at `older`.
async fn live(bench: &mut Bench, items: &[Value], older: Option<u64>) -> (Campanile, Dial) {
    let builder = bench.builder().workspace("demo").token(bench.token("alice"));
    let client = builder.max_items(3).page_size(2).connect().unwrap().0;
    let dial = bench.dial().await;
    assert!(dial.send(hello("alice", false).to_string()).await);
    let asked = bench.request().await;
    assert_eq!(asked.query["limit"], "2");
    asked.answer(200, vec![], page(items, older));
    client.until(|shown| shown.state == State::Live && !shown.loading).await.unwrap();
    (client, dial)
}

/// Asks for more, and has the page ready for it: what was asked.
async fn load(
    bench: &mut Bench,
    client: &Campanile,
    filter: Filter,
    answer: Value,
) -> std::collections::HashMap<String, String> {
    let asking = client.clone();
    let loaded = tokio::spawn(async move { asking.load_more(filter).await });
    let asked = bench.request().await;
    assert!(client.until(|shown| shown.list(filter).loading).await.is_ok());
    let more = !answer["items"].as_array().unwrap().is_empty();
    let query = asked.query.clone();
    asked.answer(200, vec![], answer);
    assert_eq!(loaded.await.unwrap().unwrap(), more);
    query
}

#[tokio::test]
async fn lists_are_bounded_and_go_further_down_when_asked() {
    let mut bench = Bench::new(MemoryStorage::default()).await;
    let (client, dial) = live(&mut bench, &[item(7, false, false)], None).await;
    for seq in [8, 9, 10] {
        let frame = json!({"type": "notification", "seq": seq, "item": item(seq, false, false)});
        assert!(dial.send(frame.to_string()).await);
    }
    let shown = client.until(|shown| shown.unread == 4).await.unwrap();
    assert_eq!((places(&shown, ALL), shown.has_more), (vec![10, 9, 8], true));
    let newer = |items: &[Value], older| {
        let mut page = page(items, older);
        (page["head"], page["unread"]) = (json!(10), json!(5));
        page
    };
    let answer = newer(&[item(7, false, false), item(6, false, false)], Some(6));
    let query = load(&mut bench, &client, ALL, answer).await;
    assert_eq!(
        (query["before"].as_str(), query["minSeq"].as_str(), query["limit"].as_str()),
        ("8", "10", "2")
    );
    let shown = client.until(|shown| !shown.loading).await.unwrap();
    assert_eq!((places(&shown, ALL), shown.has_more), (vec![10, 9, 8, 7, 6], true));
    let query = load(&mut bench, &client, ALL, newer(&[], None)).await;
    assert_eq!(query["before"], "6");
    assert!(!client.until(|shown| !shown.loading).await.unwrap().has_more);
    assert!(!client.load_more(ALL).await.unwrap(), "there is nothing to ask for");
    // What was asked for is not kept beyond the bound, and can be loaded again.
    client.leave().await.unwrap();
    let builder = bench.builder().workspace("demo").token(bench.token("alice")).max_items(3);
    let again = builder.connect().unwrap().0;
    let shown = again.until(|shown| !shown.items.is_empty()).await.unwrap();
    assert_eq!((places(&shown, ALL), shown.has_more), (vec![10, 9, 8], true));
}

#[tokio::test]
async fn filters_have_lists_of_their_own() {
    let mut bench = Bench::new(MemoryStorage::default()).await;
    let items = [item(7, false, false), item(6, true, false)];
    let (client, _dial) = live(&mut bench, &items, Some(6)).await;
    assert_eq!(places(&client.snapshot(), UNREAD), [7]);
    let query = load(&mut bench, &client, UNREAD, page(&[item(3, false, false)], None)).await;
    assert_eq!((query["unread"].as_str(), query["before"].as_str()), ("true", "6"));
    let shown = client.until(|shown| !shown.list(UNREAD).loading).await.unwrap();
    assert_eq!((places(&shown, UNREAD), shown.list(UNREAD).has_more), (vec![7, 3], false));
    // The default list has no gap: what lies beneath it is not shown there.
    assert_eq!((places(&shown, ALL), shown.has_more), (vec![7, 6], true));
    assert!(shown.items.iter().filter_map(|item| item.seq).eq([7, 6]));
    let query = load(&mut bench, &client, ARCHIVED, page(&[item(5, true, true)], None)).await;
    assert_eq!((query["archived"].as_str(), query.get("before")), ("true", None));
    assert_eq!(places(&client.until(|shown| !shown.list(ARCHIVED).loading).await.unwrap(), ARCHIVED), [5]);
    client.archive("n7").await.unwrap();
    client.unread("n5").await.unwrap();
    let shown = client.until(|shown| places(shown, ARCHIVED) == [7]).await.unwrap();
    assert_eq!((places(&shown, UNREAD), places(&shown, ALL)), (vec![5, 3], vec![6]));
}

#[tokio::test]
async fn who_asks_for_a_page_that_is_on_its_way_is_answered_with_it() {
    let mut bench = Bench::new(MemoryStorage::default()).await;
    let (client, _dial) = live(&mut bench, &[item(7, false, false)], Some(7)).await;
    let answered = async {
        bench.request().await.answer(200, vec![], page(&[item(6, false, false)], None));
    };
    let (one, other, ()) = tokio::join!(client.load_more(ALL), client.load_more(ALL), answered);
    assert!(one.unwrap() && other.unwrap());
    assert!(bench.server.requests.try_recv().is_err());
}
