//! What comes from the terminal: keys, pastes and sizes, read by a thread of its own.
//!
//! crossterm does not notice that the terminal is gone: it goes on reading, and would not let go
//! of whoever asked it for an event. That may be this thread, never the one that answers signals
//! and looks whether the terminal is still there ([`super::terminal::Keyboard::is_gone`]).

use std::io;
use std::thread;

use crossterm::event::Event;
use futures_util::Stream;
use futures_util::stream::poll_fn;
use tokio::sync::mpsc;

/// Events that may wait to be taken in: what is typed ahead waits in the terminal after that.
const AHEAD: usize = 64;

/// Begins to read. The events end when there can be no more.
///
/// # Errors
/// When no thread can be started.
pub fn events() -> io::Result<impl Stream<Item = io::Result<Event>> + Unpin> {
    let (sender, mut events) = mpsc::channel(AHEAD);
    let read = move || {
        loop {
            let event = crossterm::event::read();
            let last =
                event.as_ref().is_err_and(|error| error.kind() != io::ErrorKind::Interrupted);
            // Nobody wants them any more when the UI ends.
            if sender.blocking_send(event).is_err() || last {
                return;
            }
        }
    };
    thread::Builder::new().name("keys".into()).spawn(read)?;
    Ok(poll_fn(move |context| events.poll_recv(context)))
}
