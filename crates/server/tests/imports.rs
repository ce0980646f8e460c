//! Products from tables.

use serde_json::{Value, json};

use crate::process::Process;
use crate::program::Program;
use crate::shelf::{PRODUCTS, Shelf};

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
    let rows: Vec<String> = (0..4_500).map(|n| format!("p{n},Item {n},alice,2099-01-31\r\n")).collect();
    let table = |rows: &[String]| format!("\u{feff}id,name,owners,expiryDate\r\n{}", rows.concat());

    let mut wrong = rows.clone();
    wrong[4_000] = "p4000,Item,alice,soon\r\n".into();
    wrong[4_200] = rows[7].clone();
    program.write("wrong.csv", &table(&wrong));
    let ran = import("wrong.csv", &[]);
    assert_eq!(ran.status, Some(1), "{ran:?}");
    let lines: Vec<&str> = ran.stderr.lines().collect();
    assert!(lines[0].starts_with("row 4002, expiryDate: an expiry date is"), "{ran:?}");
    assert_eq!(
        lines[1..3],
        ["row 4202, id: row 9 has the same id", "error: 2 rows are wrong, and nothing was imported"]
    );
    program.write("good.csv", &table(&rows));
    let ran = import("good.csv", &[]);
    ran.succeeded();
    assert_eq!(ran.stdout, "created 4500, updated 0, unchanged 0, refused 0\n", "nothing was there before");
    assert_eq!(ran.stderr, "", "no bar where nobody looks");

    let ran = import("wrong.csv", &["--partial", "--json"]);
    ran.succeeded();
    let said: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(
        (&said["unchanged"], &said["refused"], &said["errors"][1]["row"]),
        (&json!(4_498), &json!(2), &json!(4_202))
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
