//! Tells customers of shipped orders, each once, whatever breaks: an outbox, and a publisher that drains it.

mod outbox;

use anyhow::{Context, bail};
use campanile_client::{Draft, Error, Publisher};

use crate::outbox::{Order, Outbox};

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let outbox = Outbox::open(variable("OUTBOX").unwrap_or_else(|| "outbox".into()))?;
    let mut words = std::env::args().skip(1);
    match (words.next(), words.next(), words.next()) {
        (None, ..) => {}
        // In earnest this is a row, written in the transaction that ships the order.
        (Some(number), Some(customer), None) => outbox.put(&Order { number, customer })?,
        _ => bail!("usage: rust-publisher [ORDER CUSTOMER]"),
    }
    let publisher =
        Publisher::builder(variable("CAMPANILE_URL").unwrap_or_else(|| "http://127.0.0.1:8700".into()))
            .workspace(variable("CAMPANILE_WORKSPACE").unwrap_or_else(|| "demo".into()))
            .token(variable("CAMPANILE_TOKEN").context("CAMPANILE_TOKEN is not set")?)
            .attempts(4)
            .build()?;
    drain(&outbox, &publisher).await
}

/// Publishes what the outbox holds, oldest first. What the server can't take is left out, what it did not take yet stays.
async fn drain(outbox: &Outbox, publisher: &Publisher) -> anyhow::Result<()> {
    for order in outbox.orders()? {
        let title = format!("Order {} shipped", order.number);
        let notification = Draft::to_user(&order.customer, title, "It is on its way.")
            .kind("order_shipped")
            .metadata(serde_json::json!({"order": order.number}));
        // The key names the order: whoever publishes it again publishes nothing.
        match publisher.publish_keyed(&notification, &order.key()).await {
            Ok(published) => {
                say(&format!("order {}: told as {}", order.number, published.id));
                outbox.remove(&order)?;
            }
            Err(Error::Problem(problem)) if problem.status == 422 => {
                say(&format!("order {}: never told, {} ({})", order.number, problem.detail, problem.code));
                outbox.remove(&order)?;
            }
            Err(error) => return Err(error).context(format!("order {} stays in the outbox", order.number)),
        }
    }
    Ok(())
}

#[expect(clippy::print_stdout, reason = "a program says what it did")]
fn say(line: &str) {
    println!("{line}");
}

#[expect(clippy::disallowed_methods, reason = "the one place where this program reads its environment")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
