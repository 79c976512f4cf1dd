//! SQLite behind a worker in `aw-server-rust`'s shape: one thread owns the
//! connection, callers send requests over an unbounded channel and block for the
//! answer. It commits per hundred beats, like the others here, where the original
//! commits at the 101st.

use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use batch_store::events::Event;

use super::sqlite::Events;
use super::{Acknowledged, Client, Log, Peer};
use crate::Result;
use crate::peers::failed;

pub(super) struct Worker;

struct Request {
    bucket: usize,
    beat: Event,
    reply: Sender<Result<()>>,
}

struct Running {
    requests: Sender<Request>,
    thread: JoinHandle<Result<()>>,
}

fn serve(mut events: Events, requests: &Receiver<Request>) -> Result<()> {
    for request in requests {
        let outcome = events.beat(request.bucket, request.beat);
        // A caller that has gone wants no answer.
        let _ = request.reply.send(outcome);
    }
    events.finish()
}

impl Peer for Worker {
    fn open(&self, dir: &Path, clients: &[Client], level: Acknowledged) -> Result<Box<dyn Log>> {
        let events = Events::create(dir, clients, level)?;
        let (requests, received) = channel();
        let thread = std::thread::spawn(move || serve(events, &received));
        Ok(Box::new(Running { requests, thread }))
    }

    fn read(&self, dir: &Path, clients: &[Client]) -> Result<Vec<Vec<Event>>> {
        Events::read(dir, clients)
    }
}

impl Log for Running {
    fn beat(&self, bucket: usize, _name: &str, beat: Event) -> Result<()> {
        let (reply, answer) = channel();
        let request = Request {
            bucket,
            beat,
            reply,
        };
        self.requests.send(request).map_err(failed)?;
        answer.recv().map_err(failed)?
    }

    fn finish(self: Box<Self>) -> Result<()> {
        drop(self.requests);
        self.thread
            .join()
            .map_err(|_| failed("the worker panicked"))?
    }
}
