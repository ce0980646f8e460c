//! A proxy that does what bad networks do, as its seed says.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// The proxy.
pub(crate) struct Network {
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    server: SocketAddr,
    seed: AtomicU64,
    healthy: AtomicBool,
    /// How many connections were broken.
    broken: watch::Sender<u64>,
}

/// What happens to a connection.
#[derive(Debug, Clone, Copy)]
enum Fate {
    /// It ends after so many bytes to the client, wherever in a frame that is.
    Cut(usize),
    /// After so many bytes nothing arrives any more, though it stays open for a while.
    Silent(usize),
    /// It is slow, and then ends.
    Slow(usize),
}

impl Network {
    pub(crate) async fn start(server: SocketAddr, seed: u64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            server,
            seed: AtomicU64::new(seed),
            healthy: AtomicBool::new(false),
            broken: watch::Sender::new(0),
        });
        let accepting = Arc::clone(&shared);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let shared = Arc::clone(&accepting);
                tokio::spawn(async move { shared.carry(client).await });
            }
        });
        Self { address, shared }
    }

    /// How many connections were broken.
    pub(crate) fn broken(&self) -> u64 {
        *self.shared.broken.borrow()
    }

    /// Waits until one more connection breaks, or a moment: then more bytes are needed to reach the next break.
    pub(crate) async fn trouble(&self) {
        let mut broken = self.shared.broken.subscribe();
        broken.mark_unchanged();
        let _ = tokio::time::timeout(Duration::from_millis(20), broken.changed()).await;
    }

    /// From now on connections live.
    pub(crate) fn heal(&self) {
        self.shared.healthy.store(true, Ordering::SeqCst);
    }
}

impl Shared {
    /// The next number of the seed's sequence (splitmix64).
    fn random(&self) -> u64 {
        let mut z = self.seed.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::SeqCst);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn fate(&self) -> Fate {
        let bytes = usize::try_from(self.random() % 2_500).unwrap();
        match self.random() % 8 {
            0 => Fate::Silent(bytes),
            1 => Fate::Slow(bytes),
            _ => Fate::Cut(bytes),
        }
    }

    async fn carry(&self, mut client: TcpStream) {
        let Ok(mut server) = TcpStream::connect(self.server).await else { return };
        if self.healthy.load(Ordering::SeqCst) {
            let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
            return;
        }
        let fate = self.fate();
        let (Fate::Cut(mut left) | Fate::Silent(mut left) | Fate::Slow(mut left)) = fate;
        let (mut up, mut down) = (vec![0; 4_096], vec![0; 4_096]);
        loop {
            tokio::select! {
                read = client.read(&mut up) => match read {
                    Ok(count @ 1..) if server.write_all(&up[..count]).await.is_ok() => {}
                    // The client let go by itself: that was not this network's doing.
                    _ => return,
                },
                read = server.read(&mut down) => {
                    let Ok(count @ 1..) = read else { return };
                    let passed = count.min(left);
                    if client.write_all(&down[..passed]).await.is_err() {
                        return;
                    }
                    left -= passed;
                    if self.healthy.load(Ordering::SeqCst) {
                        let _ = client.write_all(&down[passed..count]).await;
                        let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
                        return;
                    }
                    if left == 0 {
                        self.broken.send_modify(|broken| *broken += 1);
                        if matches!(fate, Fate::Silent(_)) {
                            // It stays open and says nothing, until the client gives up.
                            while client.read(&mut up).await.is_ok_and(|count| count > 0) {}
                        }
                        return;
                    }
                    if matches!(fate, Fate::Slow(_)) {
                        tokio::time::sleep(Duration::from_millis(self.random() % 20)).await;
                    }
                }
            }
        }
    }
}
