//! The state of the screen with a process's files in groups.

use std::cmp::Reverse;

use crate::model::groups::{GroupName, GroupSummary, Grouping};
use crate::tui::app::Page;
use crate::tui::view::groups::COLUMNS;
use crate::tui::widget::arrange::arrange;
use crate::tui::widget::table::{Cursor, Sort};

/// Groups that are looked at.
pub struct GroupsScreen {
    /// What files are put together by.
    pub grouping: Grouping,
    /// The groups as last read; none before that.
    pub rows: Option<Vec<GroupSummary>>,
    /// The places of the groups in the order in which they are shown.
    pub order: Vec<u32>,
    /// What they are sorted by; none for suspected ones first, then by growth.
    pub sort: Option<Sort>,
    /// The selected group.
    pub cursor: Cursor<GroupName>,
    /// How far long labels are shifted to the left, in columns.
    pub shift: u16,
}

impl GroupsScreen {
    /// Groups that were not read yet.
    pub fn new(grouping: Grouping) -> Self {
        Self {
            grouping,
            rows: None,
            order: Vec::new(),
            sort: None,
            cursor: Cursor::default(),
            shift: 0,
        }
    }

    /// Takes in what was read; of another grouping, it comes too late.
    pub fn take(&mut self, grouping: Grouping, mut rows: Vec<GroupSummary>, page: Page) {
        if grouping == self.grouping {
            rows.sort_by(|a, b| {
                let order = b.suspected.cmp(&a.suspected);
                let order = order.then(b.per_second.total_cmp(&a.per_second));
                order.then_with(|| (Reverse(a.count), &a.name).cmp(&(Reverse(b.count), &b.name)))
            });
            self.rows = Some(rows);
            self.arrange(page);
        }
    }

    /// Sorts.
    pub fn set_sort(&mut self, sort: Sort, page: Page) {
        self.sort = Some(sort);
        self.arrange(page);
    }

    fn arrange(&mut self, page: Page) {
        self.order = arrange(self.rows(), COLUMNS, self.sort, |_| true);
        self.with_cursor(|cursor, len, key| cursor.follow(len, page.0, key));
    }

    fn rows(&self) -> &[GroupSummary] {
        self.rows.as_deref().unwrap_or_default()
    }

    /// Moves the selection.
    pub fn step(&mut self, by: isize, page: Page) {
        self.with_cursor(|cursor, len, key| cursor.step(by, len, page.0, key));
    }

    fn with_cursor(
        &mut self,
        change: impl FnOnce(&mut Cursor<GroupName>, usize, &dyn Fn(usize) -> GroupName),
    ) {
        let rows = self.rows.as_deref().unwrap_or_default();
        let order = &self.order;
        let key = |index: usize| rows[order[index] as usize].name.clone();
        change(&mut self.cursor, order.len(), &key);
    }

    /// The group in a row of the table.
    pub fn row(&self, index: usize) -> Option<&GroupSummary> {
        self.rows().get(*self.order.get(index)? as usize)
    }

    /// The selected group.
    pub fn selected(&self) -> Option<&GroupSummary> {
        self.row(self.cursor.index())
    }
}
