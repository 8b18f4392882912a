//! What the application wants done: it does nothing by itself.

use super::worker::Request;

/// Something for the event loop to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Ask the reading thread.
    Read(Request),
    /// Stop the process as Ctrl-Z does, the terminal given back for the time.
    Suspend,
    /// End the program.
    Quit,
}
