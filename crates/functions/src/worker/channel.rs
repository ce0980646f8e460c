//! The worker's end of the channel: standard input and output, one reader, one writer.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::stdio::{stdin, stdout};

use crate::frame::{FromWorker, Inbox, ToWorker, encode};
use crate::limits::{MAX_FRAME_FROM_WORKER, MAX_FRAME_TO_WORKER};

/// Shared by the loop that reads and the functions that write.
#[derive(Clone)]
pub(crate) struct Channel(Rc<Ends>);

struct Ends {
    inbox: RefCell<Inbox>,
    out: RefCell<Vec<u8>>,
}

impl Channel {
    pub(crate) fn new() -> Self {
        Self(Rc::new(Ends { inbox: RefCell::default(), out: RefCell::default() }))
    }

    /// The next frame, however long that takes; `None`: the server is gone.
    pub(crate) fn receive(&self) -> io::Result<Option<ToWorker>> {
        loop {
            if let Some(frame) = self.0.inbox.borrow_mut().next(MAX_FRAME_TO_WORKER)? {
                return Ok(Some(frame));
            }
            if self.read()? == 0 {
                return Ok(None);
            }
        }
    }

    /// The next frame; `None`: none came in `wait`.
    ///
    /// # Errors
    /// Where the server is gone.
    pub(crate) fn receive_within(&self, wait: Duration) -> io::Result<Option<ToWorker>> {
        loop {
            if let Some(frame) = self.0.inbox.borrow_mut().next(MAX_FRAME_TO_WORKER)? {
                return Ok(Some(frame));
            }
            let stdin = stdin();
            let mut ends = [PollFd::new(&stdin, PollFlags::IN)];
            let wait = Timespec::try_from(wait).map_err(|_| io::ErrorKind::InvalidInput)?;
            match poll(&mut ends, Some(&wait)) {
                Ok(0) => return Ok(None),
                Ok(_) => {}
                Err(Errno::INTR) => continue,
                Err(error) => return Err(error.into()),
            }
            if self.read()? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    /// Writes one frame, all of it.
    pub(crate) fn send(&self, frame: &FromWorker) -> io::Result<()> {
        let mut out = self.0.out.borrow_mut();
        out.clear();
        encode(frame, MAX_FRAME_FROM_WORKER, &mut out)?;
        let mut rest = &out[..];
        while !rest.is_empty() {
            match rustix::io::write(stdout(), rest) {
                Ok(written) => rest = &rest[written..],
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    fn read(&self) -> io::Result<usize> {
        const STEP: usize = 64 << 10;
        let mut inbox = self.0.inbox.borrow_mut();
        let bytes = inbox.buffer();
        bytes.reserve(STEP);
        loop {
            match rustix::io::read(stdin(), rustix::buffer::spare_capacity(bytes)) {
                Err(Errno::INTR) => {}
                read => return Ok(read?),
            }
        }
    }
}
