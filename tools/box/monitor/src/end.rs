//! The end of a run, in an order in which no client sees half of it: the exit code is written, the kernel objects are
//! undone, the end is reported, and then follows what is slow.

use kit_sys::clone::{shell_code, wait};
use rustix::event::{PollFd, PollFlags, poll};
use std::path::PathBuf;
use std::time::Duration;

use super::clients::Client;
use super::serve::Monitor;
use box_net::relay::Relay;
use box_state::{Container, Containers, Status};
use box_wire::{Event, Failed};

/// Longer than an RCU grace period of the kernel on a busy machine.
const GRACE: Duration = Duration::from_millis(60);

impl Monitor {
    pub(super) fn finish(mut self) -> i32 {
        let seen = if self.is_parent {
            wait(&self.pidfd).ok().map(shell_code)
        } else {
            None
        };
        // All output from before the end; 64 rounds read more than the pipes can hold.
        self.drain(64);
        self.log.finish();
        self.state.end(seen);
        super::prepare::last_look(&mut self.state, &self.container, &self.containers);
        let lasting = !self.container.auto_remove || self.is_restarted();
        if lasting {
            let _ = self
                .containers
                .save_state(&self.container.id, &self.state, false);
        }
        let errors = self.journal.rollback(&self.kernel, &mut kit_plan::Silent);
        super::recover::remove_cgroup(&self.containers, &self.container);
        box_net::let_go(&mut self.kept);
        self.relay = Relay::default();
        let trash = if lasting {
            Vec::new()
        } else {
            discard(&self.containers, &self.container)
        };
        for client in &mut self.clients {
            client.send(&Event::Exited(self.state.exit_code));
        }
        self.clients.retain(Client::has_words);
        delete(&trash);
        let _ = std::fs::remove_file(self.containers.socket(&self.container.id));
        if errors.is_empty() {
            let _ = self.journal.discard();
        }
        drop((self.lock, self.listener, self.streams, self.pidfd));
        // After the report: both wait until the disk has taken the log and what the container wrote, which may be gigabytes.
        // Before the farewell: a reader that pauses must not keep the root mounted.
        drop(self.root);
        if lasting {
            self.containers.sync_state(&self.container.id);
        }
        farewell(self.clients);
        // Closing an nftables socket right after a delete waits 8 to 12 ms for the kernel, and holds up whoever starts
        // meanwhile; nobody waits for this process any more, and it has nothing else.
        if !self.container.endpoints.is_empty() {
            std::thread::sleep(GRACE);
        }
        drop(self.kept);
        drop(self.kernel);
        0
    }
}

/// Stays until each client has read its last events or has hung up. A reader may pause as long as it likes, since the
/// monitor holds no resource of the host's any more.
fn farewell(mut clients: Vec<Client>) {
    while !clients.is_empty() {
        let mut fds: Vec<PollFd<'_>> = clients
            .iter()
            .map(|client| PollFd::new(&client.socket, PollFlags::OUT))
            .collect();
        // Interrupted, it looks again.
        let _ = poll(&mut fds, None);
        clients.retain_mut(|client| client.flush().is_ok() && client.has_words());
    }
}

impl Monitor {
    /// Whether `restart` has left the file that keeps a container of `--rm`; the file is removed.
    fn is_restarted(&self) -> bool {
        std::fs::remove_file(self.containers.keep(&self.container.id)).is_ok()
    }
}

/// A container that could not be started: docker keeps it, with the reason, unless it was to be removed.
pub fn never_started(containers: &Containers, container: &Container, failed: &Failed) {
    if container.auto_remove {
        delete(&discard(containers, container));
        return;
    }
    if let Ok(mut state) = containers.state(&container.id) {
        // Never started, it stays "created", as docker's does; one that ran before is "exited" again.
        if state.status != Status::Created {
            state.status = Status::Exited;
        }
        state.starting = false;
        state.exit_code = i32::from(failed.exit);
        state.error.clone_from(&failed.text);
        let _ = containers.save_state(&container.id, &state, true);
    }
    let _ = std::fs::remove_dir_all(containers.run_dir(&container.id));
}

/// Removes a container of `--rm` with the pin on its image and its anonymous volumes. Returns the directories that are still
/// to be deleted, in this order.
fn discard(containers: &Containers, container: &Container) -> Vec<PathBuf> {
    let trash = containers.discard(container).ok();
    if container.image.is_some() {
        // Into the trash, to be deleted after the report: a deletion may wait for the disk.
        let pin = containers.pin(&container.id);
        let moved = trash
            .as_ref()
            .map(|trash| std::fs::rename(&pin, trash.join("pin")));
        if !matches!(moved, Some(Ok(()))) {
            let _ = std::fs::remove_file(&pin);
        }
    }
    for name in box_state::volume::anonymous(containers, container) {
        let _ = box_state::volume::remove(&containers.roots, &name);
    }
    let layer = containers.discard_layer(&container.id);
    layer.into_iter().chain(trash).collect()
}

fn delete(trash: &[PathBuf]) {
    for path in trash {
        let _ = kit_sys::tree::remove(path);
    }
}
