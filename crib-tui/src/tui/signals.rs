//! Signals that the UI answers to, so that the terminal is always given back.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// SIGTERM, SIGINT, SIGHUP or SIGQUIT: end.
    Quit,
    /// SIGTSTP: stop.
    Suspend,
    /// SIGCONT: whoever stopped us may have used the terminal.
    Continue,
}

/// The signals that are listened to.
#[derive(Debug)]
pub struct Signals {
    quit: [Signal; 4],
    stop: Signal,
    cont: Signal,
}

impl Signals {
    /// Begins to listen.
    ///
    /// # Errors
    /// When the kernel refuses a handler.
    pub fn listen() -> io::Result<Self> {
        Ok(Self {
            quit: [
                signal(SignalKind::terminate())?,
                signal(SignalKind::interrupt())?,
                signal(SignalKind::hangup())?,
                signal(SignalKind::quit())?,
            ],
            stop: signal(SignalKind::from_raw(libc::SIGTSTP))?,
            cont: signal(SignalKind::from_raw(libc::SIGCONT))?,
        })
    }

    /// Waits for the next one. Nothing is lost when the future is dropped.
    pub async fn next(&mut self) -> Asked {
        let [term, int, hup, quit] = &mut self.quit;
        tokio::select! {
            _ = term.recv() => Asked::Quit,
            _ = int.recv() => Asked::Quit,
            _ = hup.recv() => Asked::Quit,
            _ = quit.recv() => Asked::Quit,
            _ = self.stop.recv() => Asked::Suspend,
            _ = self.cont.recv() => Asked::Continue,
        }
    }
}
