//! What each key's command changes.

use super::{App, Body, Message, NO_MATCH};
use crate::tui::action::Action;
use crate::tui::keys::Command;
use crate::tui::view;
use crate::tui::widget::table::{Column, Sort, fit};

/// Columns that a long name is shifted by at a time.
const SHIFT: u16 = 8;

impl App {
    pub(super) fn command(&mut self, command: Command) -> Vec<Action> {
        match command {
            Command::Quit => return vec![Action::Quit],
            Command::Suspend => return vec![Action::Suspend],
            Command::Help => self.help = Some(0),
            Command::Pause => {
                self.paused = !self.paused;
                if !self.paused {
                    return self.refresh_soon();
                }
            }
            Command::Open => return self.open(),
            Command::Ends => return self.show_ends(),
            Command::Lints => return self.open_lints(),
            Command::Switch => self.switch(),
            Command::Write => return self.write_packets(),
            Command::Back => return self.back(),
            Command::Groups => return self.show_groups(),
            Command::Leaks => return self.show_leaks(),
            Command::Trace => return self.trace(),
            Command::Search => self.begin_search(),
            Command::Filter => self.begin_filter(),
            Command::NextMatch => self.next_match(true),
            Command::PreviousMatch => self.next_match(false),
            Command::NextSort | Command::Invert | Command::SortBy(_) => self.sort(command),
            Command::Left => self.shift(|shift| shift.saturating_sub(SHIFT)),
            Command::Right => self.shift(|shift| shift.saturating_add(SHIFT)),
            Command::Up => self.step(-1),
            Command::Down => self.step(1),
            Command::PageUp => self.step(-self.page_step()),
            Command::PageDown => self.step(self.page_step()),
            Command::First => self.step(isize::MIN),
            Command::Last => self.step(isize::MAX),
        }
        Vec::new()
    }

    pub(super) fn page_step(&self) -> isize {
        // A screen has at most 65,535 rows.
        isize::try_from(self.page().0.max(1)).unwrap_or(1)
    }

    /// Opens what is selected.
    pub(super) fn open(&mut self) -> Vec<Action> {
        if self.files.is_some() {
            return self.open_within();
        }
        let Some(entry) = self.picker.selected() else { return Vec::new() };
        let process = entry.process.clone();
        self.files = Some(self.look_at(process.pid, Some(process)));
        self.refresh_soon()
    }

    fn back(&mut self) -> Vec<Action> {
        if self.help.take().is_some() {
            return Vec::new();
        }
        let page = self.page();
        match &mut self.files {
            Some(files) => {
                if !files.pop(page) {
                    self.files = self.below.pop();
                }
                self.refresh_soon()
            }
            None => {
                self.picker.set_query("", page);
                Vec::new()
            }
        }
    }

    pub(super) fn step(&mut self, by: isize) {
        let page = self.page();
        let view = self.sheet_view();
        match (&mut self.help, &mut self.files) {
            (Some(scroll), _) => *scroll = scroll.saturating_add_signed(by),
            (None, Some(files)) => match files.screens.last_mut().map(|screen| &mut screen.body) {
                None => files.step(by, page),
                Some(Body::File(screen)) => screen.sheet.step(by, view),
                Some(Body::Packet(screen)) => screen.sheet.step(by, view),
                Some(Body::Lints(screen)) => screen.sheet.step(by, view),
                Some(Body::Queue(screen)) => screen.step(by, page),
                Some(Body::Groups(screen)) => screen.step(by, page),
                Some(Body::Leaks(screen)) => screen.sheet.step(by, view),
                Some(Body::Ends(screen)) => screen.sheet.step(by, view),
            },
            (None, None) => self.picker.step(by, page),
        }
    }

    fn shift(&mut self, change: impl FnOnce(u16) -> u16) {
        let shift = match &mut self.files {
            Some(files) => match files.screens.last_mut().map(|screen| &mut screen.body) {
                Some(Body::Queue(screen)) => &mut screen.shift,
                Some(Body::Groups(screen)) => &mut screen.shift,
                _ => &mut files.shift,
            },
            None => &mut self.picker.shift,
        };
        *shift = change(*shift);
    }

    fn sort(&mut self, command: Command) {
        let page = self.page();
        let width = self.regions().body.width;
        match &mut self.files {
            Some(files) if !files.screens.is_empty() => {
                let screen = match files.screens.last_mut().map(|top| &mut top.body) {
                    Some(Body::Queue(screen)) => screen,
                    Some(Body::Groups(screen)) => {
                        let columns = view::groups::COLUMNS;
                        if let Some(sort) = next_sort(command, screen.sort, columns, width) {
                            screen.set_sort(sort, page);
                        }
                        return;
                    }
                    _ => return,
                };
                if !screen.is_whole() {
                    let text = "so long a queue is shown in its own order only";
                    self.message = Some(Message::Refused(text.to_owned()));
                } else if let Some(sort) = next_sort(command, screen.sort, screen.columns(), width)
                {
                    screen.set_sort(sort, page);
                }
            }
            Some(files) => {
                let sort = files.arrangement.sort;
                if let Some(sort) = next_sort(command, sort, view::files::COLUMNS, width) {
                    files.set_sort(sort, page);
                }
            }
            None => {
                // While the best matches come first, the sort isn't seen: choosing the column
                // that it is by chooses it, rather than inverting it.
                let sort = (!self.picker.ranked).then_some(self.picker.sort);
                if let Some(sort) = next_sort(command, sort, view::picker::COLUMNS, width) {
                    self.picker.set_sort(sort, page);
                }
            }
        }
    }

    /// Selects the next file that matches what was searched for.
    pub(super) fn next_match(&mut self, forward: bool) {
        let page = self.page();
        let Some(files) = &mut self.files else { return };
        let len = files.order.len().max(1);
        let here = files.cursor.index();
        let from = if forward { (here + 1) % len } else { (here + len - 1) % len };
        match files.find(from, forward) {
            Some(index) => files.select(index, page),
            None if files.search.is_some() => {
                self.message = Some(Message::Refused(NO_MATCH.into()));
            }
            None => {}
        }
    }
}

/// The sort that a key asks for; none when it names a column that isn't shown.
fn next_sort<R, C>(
    command: Command,
    sort: Option<Sort>,
    columns: &[Column<R, C>],
    width: u16,
) -> Option<Sort> {
    let shown: Vec<usize> = fit(columns, width).iter().map(|placed| placed.column).collect();
    let by = |column: usize| Sort { column, direction: columns[column].first };
    let inverted = |sort: Sort| Sort { direction: sort.direction.inverted(), ..sort };
    match command {
        Command::Invert => Some(inverted(sort.unwrap_or_else(|| by(0)))),
        Command::NextSort => {
            let place = sort.and_then(|sort| shown.iter().position(|&at| at == sort.column));
            let next = place.map_or(0, |place| (place + 1) % shown.len());
            shown.get(next).map(|&column| by(column))
        }
        Command::SortBy(place) => {
            let &column = shown.get(place)?;
            Some(match sort {
                Some(sort) if sort.column == column => inverted(sort),
                _ => by(column),
            })
        }
        _ => None,
    }
}
