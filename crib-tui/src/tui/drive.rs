//! The event loop: waits for whatever happens next, lets the application take it in, does what
//! it asks for, and draws.

use std::collections::VecDeque;
use std::io;
use std::time::Duration;

use crossterm::event::Event as TerminalEvent;
use futures_util::future::poll_immediate;
use futures_util::{Stream, StreamExt};
use ratatui::Terminal;
use ratatui::backend::Backend;
use tokio::time::{Interval, MissedTickBehavior, interval, timeout};

use super::action::Action;
use super::app::App;
use super::event::Event;
use super::view;
use super::worker::{Reply, Request, Worker};

/// How long the user waits at most for the tracing's end before the process is stopped: a reading may
/// be under way that takes long.
const TRACE_END: Duration = Duration::from_secs(1);

/// Why the loop returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// The user asked to quit, or there is no more input.
    Quit,
    /// The user asked to stop, as with Ctrl-Z; the loop can be entered again.
    Suspend,
}

/// Why the loop failed.
#[derive(Debug, thiserror::Error)]
pub enum DriveError<E: std::error::Error + 'static> {
    /// The screen could not be written to.
    #[error("drawing on the terminal: {0}")]
    Draw(E),
    /// The thread that reads ended, which it does only when it panics.
    #[error("the reading thread ended unexpectedly; please report this as a bug")]
    Worker,
}

/// The loop, with what must outlive a stop.
pub struct Driver<I> {
    /// The state.
    pub app: App,
    input: I,
    worker: Worker,
    /// Answers that came at a time when they could not be taken in.
    replies: VecDeque<Reply>,
    /// How often the tracing's end was asked for and has not been answered.
    ending: usize,
    ticks: Interval,
}

impl<I: Stream<Item = io::Result<TerminalEvent>> + Unpin> Driver<I> {
    /// A loop that has not begun. Must be called within a tokio runtime.
    pub fn new(app: App, input: I, worker: Worker) -> Self {
        let mut ticks = interval(app.delay.max(Duration::from_millis(1)));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { app, input, worker, replies: VecDeque::new(), ending: 0, ticks }
    }

    /// Runs until the user wants out. Dropping the future and calling it again loses nothing.
    ///
    /// # Errors
    /// When the screen can't be written to, or the reading thread is gone.
    pub async fn run<B: Backend>(
        &mut self,
        terminal: &mut Terminal<B>,
    ) -> Result<Exit, DriveError<B::Error>>
    where
        B::Error: 'static,
    {
        // The size may have changed before, or while we were stopped.
        let size = terminal.size().map_err(DriveError::Draw)?;
        self.app.update(Event::Resize(size.width, size.height));
        loop {
            terminal.draw(|frame| view::draw(&self.app, frame)).map_err(DriveError::Draw)?;
            let Some(mut event) = self.next().await? else { return Ok(Exit::Quit) };
            // All that has come meanwhile is taken in before the next frame. It is looked for
            // with this task's own waker: a stream may wake only one that it saw.
            loop {
                if let Some(exit) = self.take_in(event)? {
                    return Ok(exit);
                }
                match poll_immediate(self.next()).await {
                    Some(Ok(Some(next))) => event = next,
                    Some(Ok(None)) => return Ok(Exit::Quit),
                    Some(Err(error)) => return Err(error),
                    None => break,
                }
            }
        }
    }

    /// To be called before the process is stopped: has the tracing ended, which would slow down the
    /// machine for as long as nobody looks. It begins again with the next reading. Answers to
    /// earlier requests wait until the loop is entered again, lest they lead to that reading.
    pub async fn end_trace(&mut self) {
        if !self.app.is_traced() && self.ending == 0 {
            return;
        }
        let ended = async {
            // A thread that is gone traces nothing; the loop says so when it is entered again.
            if !self.worker.request(Request::EndTrace) {
                return;
            }
            self.ending += 1;
            while self.ending > 0 {
                match self.worker.reply().await {
                    Some(Reply::TraceEnded) => self.ending -= 1,
                    Some(reply) => self.replies.push_back(reply),
                    None => return,
                }
            }
        };
        // In vain after that time: then it ends when the process goes on.
        let _ = timeout(TRACE_END, ended).await;
    }

    /// What happens next; none when there is no more input.
    async fn next<E: std::error::Error + 'static>(
        &mut self,
    ) -> Result<Option<Event>, DriveError<E>> {
        loop {
            // Keys come first: they must not wait for readings.
            let event = tokio::select! {
                biased;
                input = self.input.next() => match input {
                    Some(Ok(event)) => Event::from_terminal(event),
                    Some(Err(error)) if error.kind() == io::ErrorKind::Interrupted => None,
                    // The terminal is gone.
                    Some(Err(_)) | None => return Ok(None),
                },
                reply = next_reply(&mut self.replies, &mut self.worker) => match reply {
                    Some(Reply::TraceEnded) => {
                        self.ending = self.ending.saturating_sub(1);
                        None
                    }
                    Some(reply) => Some(Event::Reply(reply)),
                    None => return Err(DriveError::Worker),
                },
                _ = self.ticks.tick() => Some(Event::Tick),
            };
            if event.is_some() {
                return Ok(event);
            }
        }
    }

    fn take_in<E: std::error::Error + 'static>(
        &mut self,
        event: Event,
    ) -> Result<Option<Exit>, DriveError<E>> {
        for action in self.app.update(event) {
            match action {
                Action::Quit => return Ok(Some(Exit::Quit)),
                Action::Suspend => return Ok(Some(Exit::Suspend)),
                Action::Read(request) => self.ask(request)?,
                Action::EndTrace => {
                    self.ask(Request::EndTrace)?;
                    self.ending += 1;
                }
            }
        }
        Ok(None)
    }

    fn ask<E: std::error::Error + 'static>(&self, request: Request) -> Result<(), DriveError<E>> {
        if self.worker.request(request) { Ok(()) } else { Err(DriveError::Worker) }
    }
}

/// The next answer, of those that wait or from the thread.
async fn next_reply(waiting: &mut VecDeque<Reply>, worker: &mut Worker) -> Option<Reply> {
    match waiting.pop_front() {
        Some(reply) => Some(reply),
        None => worker.reply().await,
    }
}

#[cfg(test)]
#[path = "drive_tests.rs"]
mod tests;
