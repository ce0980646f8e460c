//! Products from tables.

use std::sync::Arc;

use campanile_model::{Notification, NotificationId, Slug, UserId};
use campanile_store::{
    Change, Contents, DocumentKind, DocumentWrite, Expect, MAX_RESOLVED_PER_CHANGE, Write,
};
use campanile_testkit::{Options, SECRET, TestServer};
use serde_json::{Value, json};

use crate::backend::refused;
use crate::process::Process;
use crate::program::Program;
use crate::shelf::{PRODUCTS, Shelf, instant};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_import_is_all_or_nothing_and_names_every_wrong_row() {
    let shelf = Shelf::at("2026-01-01T12:00:00Z").await;
    let wrong = "id,name,owners,topic,expiryDate,quantity,notes\r\n\
        milk,Milk,alice; bob,,2026-01-31,12,\"two\r\nlines\"\r\n\
        eggs,Eggs,alice,,31.01.2026,6,\r\n\
        \r\n\
        ham,Ham,,,2026-01-31,,\r\n\
        milk,Milk,alice,,2026-01-31,,\r\n";
    let answer = Shelf::expect(&shelf.import("", wrong).await, 422);
    assert_eq!((&answer["code"], &answer["errorCount"]), (&json!("invalid_rows"), &json!(3)));
    let places: Vec<_> =
        answer["errors"].as_array().unwrap().iter().map(|e| (&e["row"], &e["field"])).collect();
    let at = |row: u64, field: &str| (json!(row), json!(field));
    let expected = [at(3, "expiryDate"), at(5, "owners"), at(6, "id")];
    assert_eq!(places, expected.iter().map(|(row, field)| (row, field)).collect::<Vec<_>>());
    let all =
        async || Shelf::expect(&shelf.send("GET", PRODUCTS, Value::Null).await, 200)["products"].clone();
    assert_eq!(all().await, json!([]));

    let answer = Shelf::expect(&shelf.import("?partial=true&dryRun=true", wrong).await, 200);
    assert_eq!((&answer["created"], &answer["refused"], all().await), (&json!(1), &json!(3), json!([])));
    let answer = Shelf::expect(&shelf.import("?partial=true", wrong).await, 200);
    assert_eq!((&answer["created"], answer["errors"].as_array().unwrap().len()), (&json!(1), 3));
    assert_eq!(shelf.get("milk").await["owners"], json!(["alice", "bob"]));

    // What no column names stays as it is, and the same again is nothing.
    let ladder = json!({"ladder": {"rungs": ["1d"]}});
    Shelf::expect(&shelf.send("PATCH", &format!("{PRODUCTS}/milk"), ladder).await, 200);
    let more = "id,quantity,notes\nmilk,11,\n";
    assert_eq!(Shelf::expect(&shelf.import("", more).await, 200)["updated"], 1);
    let milk = shelf.get("milk").await;
    assert_eq!(
        (&milk["quantity"], &milk["notes"], &milk["planVersion"]),
        (&json!(11), &Value::Null, &json!(2))
    );
    assert_eq!(milk["ladder"]["rungs"], json!(["1d"]));
    assert_eq!(Shelf::expect(&shelf.import("", more).await, 200)["unchanged"], 1);

    // As JSON, sales too.
    let rows = json!([{"id": "milk", "status": "removed"}, {"id": "ham", "name": "Ham", "topic": "t", "expiryDate": "2026-02-01"}]);
    let answer = Shelf::expect(&shelf.send("POST", &format!("{PRODUCTS}/import"), rows).await, 200);
    assert_eq!((&answer["created"], &answer["updated"]), (&json!(1), &json!(1)));
    assert_eq!(shelf.get("milk").await["status"], "removed");

    let unknown = Shelf::expect(&shelf.import("", "id,colour\na,b\n").await, 422);
    assert!(unknown["errors"][0]["detail"].as_str().unwrap().contains("`colour`"), "{unknown}");
    let many: String = (0..150).map(|n| format!("x{n},soon\n")).collect();
    let many = Shelf::expect(&shelf.import("", &format!("id,expiryDate\n{many}")).await, 422);
    assert_eq!((&many["errorCount"], many["errors"].as_array().unwrap().len()), (&json!(150), 100));
    let too_many: String = (0..10_001).map(|n| format!("x{n}\n")).collect();
    assert_eq!(shelf.import("", &format!("id\n{too_many}")).await.status, 422);
    assert_eq!(shelf.import("?partial=maybe", more).await.status, 400);
    let token = shelf.server.token("keeper").with("scope", "admin").sign();
    assert_eq!(shelf.server.get(PRODUCTS, &token).await.status, 403);
}

/// The command, as scripts use it.
#[test]
fn imports_from_the_command_line() {
    let program = Program::new().set("CAMPANILE_DATA", "data");
    let server = Process::start(&program);
    let url = format!("http://{}", server.address);
    let import = |file: &str, more: &[&str]| {
        let command = ["products", "import", file, "--workspace", "acme", "--url", &url, "--data", "data"];
        program.run(command.iter().chain(more))
    };
    // More than one request can carry.
    let rows: Vec<String> = (0..10_500).map(|n| format!("p{n},Item {n},alice,2099-01-31\r\n")).collect();
    let table = |rows: &[String]| format!("\u{feff}id,name,owners,expiryDate\r\n{}", rows.concat());

    let mut wrong = rows.clone();
    wrong[4_000] = "p4000,Item,alice,soon\r\n".into();
    wrong[4_200] = rows[7].clone();
    // Within what is one request.
    wrong[4_201] = rows[4_300].clone();
    program.write("wrong.csv", &table(&wrong));
    let ran = import("wrong.csv", &[]);
    assert_eq!(ran.status, Some(1), "{ran:?}");
    let lines: Vec<&str> = ran.stderr.lines().collect();
    assert!(lines[0].starts_with("row 4002, expiryDate: an expiry date is"), "{ran:?}");
    assert_eq!(
        lines[1..4],
        [
            "row 4202, id: row 9 has the same id",
            "row 4302, id: row 4203 has the same id",
            "error: 3 rows are wrong, and nothing was imported"
        ]
    );
    program.write("good.csv", &table(&rows));
    let ran = import("good.csv", &[]);
    ran.succeeded();
    assert_eq!(ran.stdout, "created 10500, updated 0, unchanged 0, refused 0\n", "nothing was there before");
    assert_eq!(ran.stderr, "", "no bar where nobody looks");

    let ran = import("wrong.csv", &["--partial", "--json"]);
    ran.succeeded();
    let said: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(
        (&said["unchanged"], &said["refused"], &said["errors"][1]["row"]),
        (&json!(10_497), &json!(3), &json!(4_202))
    );

    program.write(
        "more.json",
        r#"[{"id": "p1", "quantity": 3}, {"id": "p2", "status": "removed"}, {"id": "p9"}]"#,
    );
    let ran = import("more.json", &[]);
    assert_eq!(ran.stdout, "created 0, updated 2, unchanged 1, refused 0\n", "{ran:?}");
    program.write("header.csv", "id,colour\na,b\n");
    import("header.csv", &[]).failed("answered 422: the header is wrong: unknown column `colour`", "");
    import("none.csv", &[]).failed("cannot read none.csv", "");
}

/// Ten thousand products of `alice`, each told four times, and expired: one by the server, the others as that one.
async fn all_told() -> Shelf {
    let shelf = Shelf::on_disk(instant("2026-01-01T12:00:00Z"), None).await;
    shelf.put("p0", "2026-01-31").await;
    for at in ["2026-01-24T09:00:00Z", "2026-01-29T09:00:00Z", "2026-01-31T09:00:00Z", "2026-02-01T00:00:00Z"]
    {
        shelf.until(at).await;
    }
    let store = &shelf.server.running().engine.store;
    let (acme, now) = (Slug::new("acme").unwrap(), shelf.server.now_ms());
    let found = store.documents(&acme, DocumentKind::Product, &["p0".into()]).await.unwrap();
    let Contents { group, body, .. } = found[0].as_ref().unwrap().contents.clone();
    let mut body: Value = serde_json::from_str(&body).unwrap();
    let mut said: Vec<Notification> = Vec::new();
    for fired in body["progress"]["fired"].as_array().unwrap() {
        let id: NotificationId = serde_json::from_value(fired[2][0].clone()).unwrap();
        said.push((*store.find(&acme, None, id).await.unwrap().notification).clone());
    }
    assert_eq!((said.len(), &*group), (4, "expired"));
    for some in (1..10_000).collect::<Vec<u128>>().chunks(2_500) {
        let mut change = Change::default();
        for n in some {
            for (rung, said) in said.iter().enumerate() {
                let id = NotificationId(uuid::Uuid::from_u128(n * 4 + rung as u128));
                change.notifications.push(Arc::new(Notification { id, ..said.clone() }));
                body["progress"]["fired"][rung][2] = json!([id]);
            }
            let put = Contents {
                group: Arc::clone(&group),
                due: None,
                expires: None,
                body: body.to_string().into(),
            };
            change.documents.push(DocumentWrite {
                kind: DocumentKind::Product,
                id: format!("p{n}").into(),
                expect: Expect::Absent,
                put: Some(put),
            });
        }
        store.append(&acme, Write::Change(change), now).await.unwrap();
    }
    assert_eq!(unread(&shelf).await, 40_000);
    shelf
}

async fn unread(shelf: &Shelf) -> u64 {
    let (acme, alice) = (Slug::new("acme").unwrap(), UserId::new("alice").unwrap());
    shelf.server.running().engine.store.snapshot(&acme, &alice).await.unwrap().counts.unread
}

/// As long a table as one may be takes back all that the default ladder has told, and its dry run says so.
async fn takes_all_back(row: impl Fn(usize) -> Value) {
    let shelf = all_told().await;
    let rows: Value = (0..10_000).map(row).collect();
    let done = json!({"created": 0, "updated": 10_000, "unchanged": 0, "refused": 0, "errors": []});
    for query in ["?dryRun=true", ""] {
        assert_eq!(unread(&shelf).await, 40_000, "nothing is done yet");
        let answer = shelf.send("POST", &format!("{PRODUCTS}/import{query}"), rows.clone()).await;
        assert_eq!(Shelf::expect(&answer, 200), done, "{query}");
    }
    assert_eq!(unread(&shelf).await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_products_that_were_told_get_another_date_at_once() {
    takes_all_back(|n| json!({"id": format!("p{n}"), "expiryDate": "2026-06-30"})).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_products_that_were_told_are_removed_at_once() {
    takes_all_back(|n| json!({"id": format!("p{n}"), "status": "removed"})).await;
}

/// Three products of which so much was told that it can't be taken back at once, but of two it can.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_than_can_be_taken_back_at_once_is_refused_in_a_dry_run_and_halved_by_the_command() {
    let server = TestServer::with(Options { memory: true, ..Options::default() }).await;
    let told: Vec<_> =
        (0..MAX_RESOLVED_PER_CHANGE / 5 * 2).map(|n| uuid::Uuid::from_u128(n as u128)).collect();
    let body = json!({
        "name": "Milk", "owners": ["alice"], "expiryDate": "2098-01-31", "status": "active",
        "progress": {"version": 1, "endsAt": 4_042_051_200_000_u64, "fired": [["7d", 0, told]]},
    });
    let documents = ["a", "b", "c"].map(|id| DocumentWrite {
        kind: DocumentKind::Product,
        id: id.into(),
        expect: Expect::Absent,
        put: Some(Contents {
            group: "active".into(),
            due: None,
            expires: None,
            body: body.to_string().into(),
        }),
    });
    let change = Change { documents: documents.into(), ..Change::default() };
    let acme = Slug::new("acme").unwrap();
    server.running().engine.store.append(&acme, Write::Change(change), server.now_ms()).await.unwrap();

    let table = "id,expiryDate\na,2099-01-31\nb,2099-01-31\nc,2099-01-31\n";
    let shelf = Shelf { server };
    for query in ["?dryRun=true", "?dryRun=true&partial=true", "?partial=true", ""] {
        let problem = refused(shelf.import(query, table).await, 422, "limit_exceeded");
        assert_eq!(problem["detail"], "notifications that one change resolves: at most 100000");
    }
    // Where nothing would be written, that is what is said.
    let wrong = format!("{table}d,\n");
    refused(shelf.import("", &wrong).await, 422, "invalid_rows");

    let program = Program::new().set("CAMPANILE_SECRET", SECRET);
    program.write("all.csv", table);
    let url = format!("http://{}", shelf.server.address);
    let import = || program.run(["products", "import", "all.csv", "--workspace", "acme", "--url", &url]);
    let ran = tokio::task::block_in_place(import);
    ran.succeeded();
    assert_eq!(ran.stdout, "created 0, updated 3, unchanged 0, refused 0\n");
    assert_eq!(shelf.get("c").await["planVersion"], 2);
}
