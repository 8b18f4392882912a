//! The terminal UI: a list of processes, the live table of one's files, and each file closely.

pub mod action;
pub mod app;
pub mod arrangement;
pub mod capture;
pub mod drive;
pub mod ends;
pub mod event;
pub mod format;
mod input;
pub mod keys;
mod sessions;
mod signals;
#[cfg(test)]
pub(crate) mod stage;
pub mod terminal;
pub mod theme;
pub mod view;
pub mod widget;
pub mod worker;

use std::io::{self, BufWriter};
use std::mem::ManuallyDrop;
use std::pin::pin;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use crossterm::event::Event;
use futures_util::Stream;
use jiff::tz::TimeZone;
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use tokio::time::{MissedTickBehavior, interval};

use self::app::App;
use self::arrangement::ActiveFilter;
use self::drive::{DriveError, Driver, Exit};
use self::signals::{Asked, Signals};
use self::terminal::{Guard, Keyboard, Screen, is_taken, means_gone};
use self::theme::Theme;
use self::worker::Worker;
use crate::kernel::Wanted;
use crate::model::lint::LintSet;
use crate::privileges::{self, Needs};
use crate::source::{Reader, SourceChoice};

/// What the command line and the environment say about the UI.
#[derive(Clone, Debug)]
pub struct Options {
    /// The process to open first; none for the list of processes.
    pub pid: Option<u32>,
    /// Where to read from.
    pub source: SourceChoice,
    /// How often to read.
    pub delay: Duration,
    /// Bytes of each queued message to read at most, where there is such a limit.
    pub payload: Option<u32>,
    /// Draw with ASCII characters only.
    pub ascii: bool,
    /// Use colours.
    pub color: bool,
    /// The filter to begin with whenever a process is opened.
    pub filter: Option<String>,
    /// Which lints are wanted.
    pub lints: LintSet,
}

/// How often to look whether the terminal is still there.
const TERMINAL_CHECK: Duration = Duration::from_millis(500);

/// What the UI needs to begin with. Its threads give up most of that soon.
pub fn needs() -> Needs {
    privileges::LOADING | privileges::SYMBOLS | privileges::STACKS | privileges::WRITING
}

/// Runs the UI until the user quits, a signal ends it or the terminal goes away.
///
/// The source is opened first, with the terminal as it is, so that a failure to do so is an
/// ordinary message. Must be called within a tokio runtime with time and IO enabled.
///
/// # Errors
/// A [`FilterError`](crate::model::FilterError) when the filter is none; a
/// [`ReadError`](crate::model::ReadError) when the source that was insisted on can't be had; an
/// IO error when there is no terminal.
pub async fn run(options: Options) -> anyhow::Result<()> {
    let filter = options.filter.as_deref().map(ActiveFilter::parse).transpose()?.flatten();
    let (choice, payload) = (options.source, options.payload.unwrap_or(u32::MAX));
    let open = move || Ok(Reader::open(choice, Wanted::Everything)?.limited_to(payload));
    let (worker, opened) = Worker::start(open).await?;
    // Only the thread that reads needs anything; those that are started later have nothing either.
    privileges::keep(privileges::NOTHING).context("giving up privileges")?;
    let mut app = App::new(
        options.pid,
        filter,
        options.delay,
        opened,
        Theme::new(options.color, options.ascii),
        TimeZone::system(),
    );
    app.set_lints(options.lints);
    let keyboard = Keyboard::find().map_err(|error| {
        anyhow!(
            "there is no terminal to read keys from ({error}); use `crib-top files` or `crib-top ps`"
        )
    })?;
    let mut signals = Signals::listen().context("listening to signals")?;
    let guard = Guard::take().context("setting up the terminal")?;
    let backend = CrosstermBackend::new(BufWriter::new(io::stdout()));
    // Each frame is written out when it is drawn, and the guard shows the cursor again. What is
    // dropped would do so too, and panic where the terminal is gone, since it can't say there
    // that it failed.
    let mut screen = ManuallyDrop::new(Terminal::new(backend).context("setting up the terminal")?);
    let input = input::events().context("reading keys")?;
    let mut driver = Driver::new(app, input, worker);
    let result = attend(&mut driver, &mut screen, &guard, &keyboard, &mut signals).await;
    drop(guard);
    match result {
        // Nobody is left to be told. What is asked of a terminal that is gone fails in many ways.
        Err(Failure::Terminal(error)) if means_gone(&error) || keyboard.is_gone() => Ok(()),
        result => result.map_err(anyhow::Error::from),
    }
}

/// Why the UI could not go on.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("drawing on the terminal: {0}")]
    Terminal(#[from] io::Error),
    #[error(transparent)]
    Drive(DriveError<io::Error>),
}

/// Runs the loop, and answers to signals, stops and the loss of the terminal meanwhile.
async fn attend(
    driver: &mut Driver<impl Stream<Item = io::Result<Event>> + Unpin>,
    screen: &mut Screen,
    guard: &Guard,
    keyboard: &Keyboard,
    signals: &mut Signals,
) -> Result<(), Failure> {
    let mut checks = interval(TERMINAL_CHECK);
    checks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let suspend = {
            let mut run = pin!(driver.run(screen));
            loop {
                tokio::select! {
                    exit = &mut run => match exit {
                        Ok(Exit::Quit) => return Ok(()),
                        Ok(Exit::Suspend) => break true,
                        Err(DriveError::Draw(error)) => return Err(Failure::Terminal(error)),
                        Err(error) => return Err(Failure::Drive(error)),
                    },
                    asked = signals.next() => match asked {
                        Asked::Quit => return Ok(()),
                        Asked::Suspend => break true,
                        Asked::Continue => break false,
                    },
                    _ = checks.tick() => {
                        if keyboard.is_gone() {
                            return Ok(());
                        }
                        // A panic in another thread has given the terminal back.
                        if !is_taken() {
                            return Err(Failure::Drive(DriveError::Worker));
                        }
                    }
                }
            }
        };
        if suspend {
            driver.end_trace().await;
            guard.suspend()?;
        } else {
            guard.resume()?;
        }
        // Not clear(): that asks the terminal where the cursor is, and the answer would have to
        // be read from where the loop's input is.
        let size = screen.size()?;
        screen.resize(size.into())?;
    }
}
