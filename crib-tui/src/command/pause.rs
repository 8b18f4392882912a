//! Waiting between two readings, which Ctrl-C cuts short.

use std::io;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};

use crate::privileges::{self, NOTHING};

/// What a shell has for the end of a program that SIGINT killed.
const KILLED: i32 = 128 + 2;

/// Waits for the time, or for a person who has seen enough.
pub struct Pause {
    interrupts: Receiver<()>,
}

impl Pause {
    /// From now on, SIGINT (Ctrl-C) does no more than to end a wait; a second one ends the program,
    /// wherever it is: what it reads may be slow to answer, or never do so.
    ///
    /// # Errors
    /// When the kernel refuses a handler, or a thread that takes what it catches.
    pub fn new() -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let mut interrupt = {
            let _entered = runtime.enter();
            signal(SignalKind::interrupt())?
        };
        let (caught, interrupts) = mpsc::channel();
        let take = move || {
            // It needs nothing. Where that can't be given up, the command's own thread fails too.
            let _ = privileges::keep(NOTHING);
            runtime.block_on(interrupt.recv());
            // Nobody waits any more where the last reading was taken.
            let _ = caught.send(());
            runtime.block_on(interrupt.recv());
            std::process::exit(KILLED);
        };
        thread::Builder::new().name("interrupts".into()).spawn(take)?;
        Ok(Self { interrupts })
    }

    /// Waits; whether it was cut short, also by a signal that came before.
    pub fn wait(&mut self, time: Duration) -> bool {
        match self.interrupts.recv_timeout(time) {
            Ok(()) => true,
            Err(RecvTimeoutError::Timeout) => false,
            // It was caught before: the thread ends no sooner than the program.
            Err(RecvTimeoutError::Disconnected) => {
                thread::sleep(time);
                false
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_cut_short_by_an_interrupt_that_came_before_too() {
        let mut pause = Pause::new().unwrap();
        assert!(!pause.wait(Duration::from_millis(1)));
        // To this thread's process: the handler above takes it, and harms no other test.
        let own = rustix::process::getpid();
        rustix::process::kill_process(own, rustix::process::Signal::INT).unwrap();
        assert!(pause.wait(Duration::from_secs(600)));
        assert!(!pause.wait(Duration::ZERO));
    }
}
