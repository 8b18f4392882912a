//! The line in which a search or a filter is typed.

use crossterm::event::{Event as TerminalEvent, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use tui_input::backend::crossterm::to_input_request;
use tui_input::{Input, InputRequest};

use super::{App, NO_MATCH};
use crate::tui::action::Action;
use crate::tui::arrangement::ActiveFilter;

/// A line that is being typed.
#[derive(Clone, Debug)]
pub struct Prompt {
    /// What it is for.
    pub purpose: Purpose,
    /// What is in it, and where the cursor stands.
    pub input: Input,
    /// What is wrong with it, in one line.
    pub error: Option<String>,
}

/// What a line is typed for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Narrow down the list of processes, with each key.
    SearchProcesses,
    /// Go to the next file that matches, with each key.
    SearchFiles {
        /// The row that was selected before, to go back to.
        origin: usize,
    },
    /// Choose which files are shown.
    Filter,
}

impl Purpose {
    /// What stands before the line.
    pub fn label(self) -> &'static str {
        match self {
            Self::SearchProcesses | Self::SearchFiles { .. } => "search",
            Self::Filter => "filter",
        }
    }
}

impl Prompt {
    /// A line that begins with `text`, the cursor at its end.
    pub fn new(purpose: Purpose, text: &str) -> Self {
        Self { purpose, input: Input::new(text.to_owned()), error: None }
    }

    /// Edits the line; false when the key has no meaning for that.
    fn edit(&mut self, key: KeyEvent) -> bool {
        let Some(request) = to_input_request(&TerminalEvent::Key(key)) else { return false };
        self.error = None;
        self.input.handle(request);
        true
    }

    /// Types a text as if by keys, without what would end or garble the line.
    fn paste(&mut self, text: &str) {
        self.error = None;
        for c in text.chars().filter(|c| !c.is_control()) {
            self.input.handle(InputRequest::InsertChar(c));
        }
    }
}

impl App {
    pub(super) fn begin_search(&mut self) {
        self.prompt = Some(match &mut self.files {
            Some(files) => {
                files.search = None;
                Prompt::new(Purpose::SearchFiles { origin: files.cursor.index() }, "")
            }
            None => Prompt::new(Purpose::SearchProcesses, self.picker.query()),
        });
    }

    pub(super) fn begin_filter(&mut self) {
        let Some(files) = &self.files else { return };
        let text = files.arrangement.filter.as_ref().map_or("", ActiveFilter::text);
        self.prompt = Some(Prompt::new(Purpose::Filter, text));
    }

    pub(super) fn prompt_paste(&mut self, text: &str) {
        if let Some(prompt) = &mut self.prompt {
            prompt.paste(text);
            self.prompt_edited();
        }
    }

    pub(super) fn prompt_key(&mut self, key: KeyEvent) -> Vec<Action> {
        if key.kind == KeyEventKind::Release {
            return Vec::new();
        }
        let Some(prompt) = &mut self.prompt else { return Vec::new() };
        let searching = prompt.purpose != Purpose::Filter;
        match (key.code, key.modifiers) {
            (KeyCode::Char('c'), KeyModifiers::CONTROL) => return vec![Action::Quit],
            (KeyCode::Char('z'), KeyModifiers::CONTROL) => return vec![Action::Suspend],
            (KeyCode::Esc, _) => self.prompt_cancelled(),
            (KeyCode::Enter, _) => return self.prompt_accepted(),
            (KeyCode::Up, _) if searching => self.prompt_step(-1),
            (KeyCode::Down, _) if searching => self.prompt_step(1),
            (KeyCode::PageUp, _) if searching => self.prompt_step(-self.page_step()),
            (KeyCode::PageDown, _) if searching => self.prompt_step(self.page_step()),
            _ => {
                if prompt.edit(key) {
                    self.prompt_edited();
                }
            }
        }
        Vec::new()
    }

    /// Arrows choose among what was found while the search is typed.
    fn prompt_step(&mut self, by: isize) {
        match &self.files {
            Some(_) => self.next_match(by > 0),
            None => self.step(by),
        }
    }

    fn prompt_edited(&mut self) {
        let page = self.page();
        let Some(prompt) = &mut self.prompt else { return };
        let text = prompt.input.value();
        match (prompt.purpose, &mut self.files) {
            (Purpose::SearchProcesses, _) => self.picker.set_query(text, page),
            (Purpose::SearchFiles { origin }, Some(files)) => {
                files.search = Some(text.to_lowercase());
                let found = files.find(origin, true);
                prompt.error = (found.is_none() && !text.is_empty()).then(|| NO_MATCH.into());
                files.select(found.unwrap_or(origin), page);
            }
            (Purpose::SearchFiles { .. }, None) | (Purpose::Filter, _) => {}
        }
    }

    fn prompt_cancelled(&mut self) {
        let page = self.page();
        let Some(prompt) = self.prompt.take() else { return };
        match (prompt.purpose, &mut self.files) {
            (Purpose::SearchProcesses, _) => self.picker.set_query("", page),
            (Purpose::SearchFiles { origin }, Some(files)) => {
                files.search = None;
                files.select(origin, page);
            }
            (Purpose::SearchFiles { .. }, None) | (Purpose::Filter, _) => {}
        }
    }

    fn prompt_accepted(&mut self) -> Vec<Action> {
        let page = self.page();
        let Some(mut prompt) = self.prompt.take() else { return Vec::new() };
        match (prompt.purpose, &mut self.files) {
            (Purpose::SearchProcesses, _) => return self.open(),
            (Purpose::Filter, Some(files)) => match ActiveFilter::parse(prompt.input.value()) {
                Ok(filter) => files.set_filter(filter, page),
                Err(error) => {
                    prompt.error = Some(format!("not a filter: {error}"));
                    self.prompt = Some(prompt);
                }
            },
            (Purpose::SearchFiles { .. } | Purpose::Filter, _) => {}
        }
        Vec::new()
    }
}
