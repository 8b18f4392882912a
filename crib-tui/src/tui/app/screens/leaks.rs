//! The state of the screen that says what grows, and who opens it.

use crate::model::groups::GroupName;
use crate::tui::widget::sheet::Sheet;

/// What the watch of a process comes to so far.
#[derive(Default)]
pub struct LeaksScreen {
    /// Whether anything was read yet.
    pub told: bool,
    /// What there is to say about it.
    pub sheet: Sheet<LeakLink>,
}

/// What a line of the report leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LeakLink {
    /// The files of a group.
    Group(GroupName),
    /// One file.
    File {
        /// The thread in whose own table it is.
        tid: Option<u32>,
        /// Its descriptor.
        fd: u32,
    },
}
