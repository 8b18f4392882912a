//! The state of the list of what lints found in the process.

use super::Link;
use crate::model::FilesTable;
use crate::model::lint::LintSet;
use crate::tui::theme::Glyphs;
use crate::tui::view::lints as view;
use crate::tui::widget::sheet::Sheet;

/// All findings, file by file.
#[derive(Default)]
pub struct LintsScreen {
    /// What there is to say; each file can be opened.
    pub sheet: Sheet<Link>,
}

impl LintsScreen {
    /// Says anew what there is to say.
    pub fn tell(&mut self, table: &FilesTable, wanted: LintSet, glyphs: Glyphs) {
        self.sheet.set_lines(view::lines(table, wanted, glyphs));
    }
}
