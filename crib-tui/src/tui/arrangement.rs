//! Which files are shown, and in which order.

use std::fmt::{self, Debug};
use std::sync::Arc;

use super::view::files::COLUMNS;
use super::widget::arrange::arrange;
use super::widget::table::Sort;
use crate::model::filter::Room;
use crate::model::groups::GroupName;
use crate::model::lint::LintSet;
use crate::model::{FileRow, FilesTable, Filter, FilterError, TrackedFile};

/// What the user chose to see. Cheap to clone: a copy goes with each request, so that the
/// reading thread arranges what it has read and drawing finds it ready.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Arrangement {
    /// What the shown files must fulfil.
    pub filter: Option<ActiveFilter>,
    /// The group that they must belong to.
    pub group: Option<GroupName>,
    /// What they are sorted by; none for thread and descriptor, the order of the reading.
    pub sort: Option<Sort>,
    /// Which lints a filter can ask for.
    pub lints: LintSet,
}

impl Arrangement {
    /// The places in `table.rows` of the rows to show, in order.
    pub fn order(&self, table: &FilesTable) -> Vec<u32> {
        let mut room = Room::default();
        // Whether each of the smallest groups belongs to it.
        let group = self.group.as_ref();
        let held = group.map(|group| table.groups.iter().map(|key| group.holds(key)).collect());
        let is_in_group = |row: &TrackedFile| {
            held.as_ref().is_none_or(|held: &Vec<bool>| {
                row.track.and_then(|track| held.get(track.group()).copied()).unwrap_or(false)
            })
        };
        arrange(&table.rows, COLUMNS, self.sort, |row| {
            if !is_in_group(row) {
                return false;
            }
            self.filter.as_ref().is_none_or(|active| {
                let row = FileRow {
                    process: &table.process,
                    file: &row.file,
                    age: Some(row.seen.age(table.elapsed)),
                    given: table.given(row, self.lints),
                };
                active.filter.matches_with(&row, &mut room)
            })
        })
    }
}

/// A filter and the expression it was made from.
#[derive(Clone)]
pub struct ActiveFilter {
    text: Arc<str>,
    filter: Arc<Filter>,
}

impl ActiveFilter {
    /// Reads an expression; none for an empty one, which would hold for every file.
    ///
    /// # Errors
    /// When it is not a filter, in one line.
    pub fn parse(text: &str) -> Result<Option<Self>, FilterError> {
        let text = text.trim();
        if text.is_empty() {
            return Ok(None);
        }
        let filter = Filter::parse_without_sweep(text)?;
        Ok(Some(Self { text: text.into(), filter: Arc::new(filter) }))
    }

    /// The expression.
    pub fn text(&self) -> &str {
        &self.text
    }
}

impl PartialEq for ActiveFilter {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Debug for ActiveFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ActiveFilter").field(&self.text).finish()
    }
}
