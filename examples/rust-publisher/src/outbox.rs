//! What is still to be told: one file for each order.

use std::path::PathBuf;

use anyhow::{Context, ensure};
use serde::{Deserialize, Serialize};

/// An order that was shipped.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Order {
    /// Its number: digits, letters and hyphens.
    pub number: String,
    /// Who is to be told.
    pub customer: String,
}

impl Order {
    /// The idempotency key of its notification.
    pub fn key(&self) -> String {
        format!("order-{}-shipped", self.number)
    }
}

/// A directory of orders.
pub struct Outbox {
    directory: PathBuf,
}

impl Outbox {
    /// The outbox in this directory, which is made if it is not there.
    pub fn open(directory: impl Into<PathBuf>) -> anyhow::Result<Self> {
        let directory = directory.into();
        std::fs::create_dir_all(&directory).with_context(|| format!("can't make {}", directory.display()))?;
        Ok(Self { directory })
    }

    /// Keeps an order: whole or not at all.
    pub fn put(&self, order: &Order) -> anyhow::Result<()> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        ensure!(
            !order.number.is_empty() && order.number.bytes().all(plain),
            "an order's number has letters, digits and hyphens"
        );
        let draft = self.directory.join(format!("{}.draft", order.number));
        std::fs::write(&draft, serde_json::to_vec(order)?)?;
        std::fs::rename(draft, self.path(order))?;
        Ok(())
    }

    /// What it holds, by number.
    pub fn orders(&self) -> anyhow::Result<Vec<Order>> {
        let mut orders = Vec::new();
        for entry in std::fs::read_dir(&self.directory)? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "json") {
                let order = serde_json::from_slice(&std::fs::read(&path)?);
                orders.push(order.with_context(|| format!("{} is no order", path.display()))?);
            }
        }
        orders.sort();
        Ok(orders)
    }

    /// Forgets an order: it was told.
    pub fn remove(&self, order: &Order) -> anyhow::Result<()> {
        Ok(std::fs::remove_file(self.path(order))?)
    }

    fn path(&self, order: &Order) -> PathBuf {
        self.directory.join(format!("{}.json", order.number))
    }
}
