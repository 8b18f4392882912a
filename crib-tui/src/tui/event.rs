//! What happens to the application: keys, time, and answers from the reading thread.

use crossterm::event::{Event as TerminalEvent, KeyEvent};

use super::worker::Reply;

/// Something that may change what is on the screen.
#[derive(Debug)]
pub enum Event {
    /// A key was pressed.
    Key(KeyEvent),
    /// Text was pasted; its line breaks are no keys.
    Paste(String),
    /// The terminal has this many columns and rows now.
    Resize(u16, u16),
    /// The refresh interval has passed.
    Tick,
    /// The reading thread has answered.
    Reply(Reply),
}

impl Event {
    /// The terminal's events that matter.
    pub fn from_terminal(event: TerminalEvent) -> Option<Self> {
        match event {
            TerminalEvent::Key(key) => Some(Self::Key(key)),
            TerminalEvent::Paste(text) => Some(Self::Paste(text)),
            TerminalEvent::Resize(columns, rows) => Some(Self::Resize(columns, rows)),
            TerminalEvent::FocusGained | TerminalEvent::FocusLost | TerminalEvent::Mouse(_) => None,
        }
    }
}
