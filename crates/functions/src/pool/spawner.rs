//! The thread that starts processes.
//!
//! A worker dies with the thread that started it (`PR_SET_PDEATHSIG`), so that thread must live as long as the pool,
//! which no thread of an asynchronous runtime promises.

use std::io;
use std::process::Stdio;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use tokio::process::{Child, Command};
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::process::Worker;
use super::{CHECKERS, PoolConfig};
use crate::{Limits, PoolError};

pub(super) struct Spawner {
    orders: SyncSender<Order>,
    runs: u32,
}

type Order = oneshot::Sender<io::Result<Child>>;

impl Spawner {
    pub(super) fn start(config: &PoolConfig) -> io::Result<Self> {
        // Each order holds a place of the pool, so none waits for room here.
        let (orders, received) = sync_channel(config.workers + CHECKERS);
        let (program, args) = (config.program.clone(), config.args.clone());
        let runtime = Handle::current();
        let body = move || serve(&received, &runtime, || command(&program, &args));
        thread::Builder::new().name("functions-start".to_owned()).spawn(body)?;
        Ok(Self { orders, runs: config.runs })
    }

    /// A new process, confined and ready.
    pub(super) async fn spawn(&self, bound: &Limits) -> Result<Worker, PoolError> {
        let (order, child) = oneshot::channel();
        let gone = || PoolError::Spawn(io::ErrorKind::BrokenPipe.into());
        self.orders.try_send(order).map_err(|_| gone())?;
        let child = child.await.map_err(|_| gone())?.map_err(PoolError::Spawn)?;
        Worker::new(child, bound, self.runs).await.map_err(PoolError::Spawn)
    }
}

fn serve(orders: &Receiver<Order>, runtime: &Handle, command: impl Fn() -> Command) {
    let _inside = runtime.enter();
    while let Ok(order) = orders.recv() {
        // Whoever asked may be gone; the child is killed when it is dropped.
        let _ = order.send(command().spawn());
    }
}

fn command(program: &std::path::Path, args: &[String]) -> Command {
    let mut command = Command::new(program);
    command
        .args(args)
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true);
    command
}
