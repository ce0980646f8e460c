//! Workspaces where `type` is the level (`type_style = "level"`): for clients that know the levels alone.

use campanile_testkit::{Client, Options, TestServer};
use serde_json::{Value, json};

use crate::backend::{call, done, each, inbox};
use crate::functions;
use crate::shelf::{Shelf, instant};

/// Both documented surfaces show this workspace.
const CONFIG: &str = r#"
    [surfaces.product]
    workspace = "acme"
    [workspaces.acme]
    type_style = "level"
"#;

/// The documented surfaces of one user.
struct Both {
    workspace: Client,
    product: Client,
}

impl Both {
    async fn of_alice(server: &TestServer) -> Self {
        let path = format!("{}&replay=none", server.product_path("alice"));
        let mut product = Client::connect(server.address, &path).await;
        assert_eq!(product.json().await["type"], "CONNECTION_ESTABLISHED");
        Self { workspace: server.workspace("alice").await, product }
    }

    /// The next frame of both, which are one notification.
    async fn next(&mut self) -> (Value, Value) {
        let (here, there) = (self.workspace.json().await, self.product.json().await);
        assert_eq!((&there["id"], &there["message"]), (&here["id"], &here["message"]));
        (here, there)
    }

    /// The next frame of both is of this level and event; on the product surface, which has fewer levels, it is
    /// shown as `shown`, and its event as `named`. The metadata.
    async fn told(&mut self, level: &str, event: &str, shown: &str, named: &str) -> Value {
        says(self.next().await, level, event, shown, named)
    }
}

#[track_caller]
fn says((here, there): (Value, Value), level: &str, event: &str, shown: &str, named: &str) -> Value {
    assert_eq!((&here["type"], &here["metadata"]["event"]), (&json!(level), &json!(event)), "{here}");
    assert!(here["metadata"].get("level").is_none(), "{here}");
    assert_eq!((&there["type"], &there["event"]), (&json!(shown), &json!(named)), "{there}");
    here["metadata"].clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_type_is_the_level_and_the_event_stands_in_the_metadata() {
    let at = Some(instant("2026-01-01T12:00:00Z"));
    let options = Options { config: CONFIG.into(), memory: true, at, ..Options::default() };
    let shelf = Shelf { server: TestServer::with(options).await };
    let server = &shelf.server;
    for topic in ["collection:orders", "function:works", "function:fails"] {
        functions::subscribe(server, "acme", topic, "alice").await;
    }
    let mut alice = Both::of_alice(server).await;

    functions::order(server, "o-1", json!({"total": 5})).await;
    let metadata = alice.told("info", "record_created", "info", "record_created").await;
    assert_eq!((&metadata["recordId"], &metadata["collection"]), (&json!("o-1"), &json!("orders")));
    let bulk = json!({"delete": ["o-1"]});
    done(call(server, "POST", "/collections/orders/records/bulk", &bulk).await);
    alice.told("success", "bulk_complete", "info", "bulk_complete").await;

    // The product surface has a name of its own for what its documents are about.
    shelf.put("milk", "2026-01-31").await;
    for (before, at, level, event, shown) in [
        ("2026-01-24T08:59:59Z", "2026-01-24T09:00:00Z", "info", "product_expiring", "info"),
        ("2026-01-29T08:59:59Z", "2026-01-29T09:00:00Z", "warning", "product_expiring", "warning"),
        ("2026-01-31T23:59:59Z", "2026-02-01T00:00:00Z", "error", "product_expired", "error"),
    ] {
        // No token lives for so long; and `0d`, in between, is told to nobody who listens.
        shelf.until(before).await;
        alice = Both::of_alice(server).await;
        shelf.until(at).await;
        let metadata = alice.told(level, event, shown, "product_expiration").await;
        assert_eq!(metadata["productId"], "milk");
    }

    for (name, code, level, event, shown) in [
        ("works", "function run() {}", "success", "function_complete", "info"),
        ("fails", "function run() { throw new Error('no') }", "error", "function_failed", "error"),
    ] {
        functions::put(server, name, code).await;
        functions::run(server, name, json!({})).await;
        let (mut started, mut ended) = (alice.next().await, alice.next().await);
        // No order is promised between what is kept and what is not.
        if ended.0["metadata"]["event"] == "function_started" {
            std::mem::swap(&mut started, &mut ended);
        }
        says(started, "info", "function_started", "info", "function_started");
        says(ended, level, event, shown, event);
    }

    done(call(server, "PUT", "/settings", &json!({"timeZone": "Europe/Berlin"})).await);
    alice.told("info", "workspace_updated", "info", "workspace_updated").await;
    let kept = inbox(server, "alice").await;
    assert_eq!(
        each(&kept, "type"),
        ["info", "error", "success", "error", "warning", "warning", "info", "success", "info"],
        "what started is kept by nobody"
    );
}
