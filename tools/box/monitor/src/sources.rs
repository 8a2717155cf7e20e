//! What a monitor waits for, each descriptor by its name.

use std::os::fd::AsFd;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags};

use super::idle::{Idle, Waited};
use super::streams::Output;
use box_net::relay::{Owner, Relay};

/// What a descriptor of the poll loop is.
#[derive(Clone, Copy)]
pub enum Source {
    /// The container's first process: ready when it has ended.
    Process,
    /// The socket that clients connect to.
    Door,
    /// A client, by its index in the monitor's list.
    Client(usize),
    /// An output of the container.
    Output(Output),
    /// The container's input, ready when the container takes more.
    Input,
    /// A published port or a connection of one.
    Relay(Owner),
    /// The notifications of nftables.
    Rules,
}

/// The descriptors of one turn of the loop.
#[derive(Default)]
pub struct Sources<'a> {
    fds: Vec<PollFd<'a>>,
    names: Vec<Source>,
}

impl<'a> Sources<'a> {
    /// Adds a descriptor, unless no event is wanted of it: poll(2) would report its hang-up at every turn.
    pub fn add(&mut self, source: Source, fd: &'a impl AsFd, wanted: PollFlags) {
        if !wanted.is_empty() {
            self.fds.push(PollFd::new(fd, wanted));
            self.names.push(source);
        }
    }

    pub fn add_relay(&mut self, relay: &'a Relay) {
        let owners = relay.poll(&mut self.fds);
        self.names.extend(owners.into_iter().map(Source::Relay));
    }

    /// Waits; returns the descriptors that are ready, in the order in which they were added.
    pub fn wait(mut self, idle: &mut Idle, at_most: Option<Duration>) -> (Waited, Vec<Source>) {
        let waited = idle.wait(&mut self.fds, at_most);
        let ready = self.fds.iter().map(|fd| !fd.revents().is_empty());
        let names = self.names.iter().zip(ready);
        let ready = names.filter_map(|(name, ready)| ready.then_some(*name));
        let ready = match waited {
            Waited::Ready => ready.collect(),
            Waited::Quiet | Waited::Interrupted => Vec::new(),
        };
        (waited, ready)
    }
}
