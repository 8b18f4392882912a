//! Waiting between two readings, which Ctrl-C cuts short.

use std::io;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Waits for the time, or for a person who has seen enough.
pub struct Pause {
    runtime: Runtime,
    interrupt: Signal,
}

impl Pause {
    /// From now on, SIGINT (Ctrl-C) does no more than to end a wait.
    ///
    /// # Errors
    /// When the kernel refuses a handler.
    pub fn new() -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let interrupt = {
            let _entered = runtime.enter();
            signal(SignalKind::interrupt())?
        };
        Ok(Self { runtime, interrupt })
    }

    /// Waits; whether it was cut short, also by a signal that came before.
    pub fn wait(&mut self, time: Duration) -> bool {
        let interrupt = &mut self.interrupt;
        self.runtime.block_on(async {
            tokio::select! {
                biased;
                _ = interrupt.recv() => true,
                () = tokio::time::sleep(time) => false,
            }
        })
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
