//! What the application wants done: it does nothing by itself.

use super::worker::Request;

/// Something for the event loop to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Ask the reading thread.
    Read(Request),
    /// Have the reading thread trace nothing any more. No answer comes.
    EndTrace,
    /// Stop the process as Ctrl-Z does, the terminal given back for the time.
    Suspend,
    /// End the program.
    Quit,
}
