//! Tests of the loop: a session from keys to screen, with a source that is made up.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use crossterm::event::{Event as TerminalEvent, KeyCode, KeyEvent, KeyModifiers};
use jiff::tz::TimeZone;
use ratatui::backend::TestBackend;

use super::*;
use crate::model::{
    Dump, DumpReading, FilesReading, ProcessesReading, ReadError, Search, Source, Sweep, sample,
    sample_queues,
};
use crate::tui::theme::Theme;
use crate::tui::worker::Readings;

/// The sample, as often as it is asked for; after `files_until` readings of files it fails as
/// only a bug would make it.
struct Sample {
    files_until: usize,
    /// Each reading of files waits for a word from here, where there is anyone to give it.
    gate: Option<mpsc::Receiver<()>>,
}

impl Readings for Sample {
    fn source(&self) -> Source {
        Source::Bpf
    }

    fn reason(&self) -> Option<&str> {
        None
    }

    fn processes(&mut self) -> Result<ProcessesReading, ReadError> {
        Ok(sample::processes())
    }

    fn files(&mut self, _: u32) -> Result<FilesReading, ReadError> {
        assert_ne!(self.files_until, 0, "a bug, for the test");
        self.files_until -= 1;
        if let Some(gate) = &self.gate {
            let _ = gate.recv();
        }
        Ok(sample::reading())
    }

    fn dump(&mut self, request: &Dump) -> Result<DumpReading, ReadError> {
        sample_queues::dump(request)
    }

    fn sweep(&mut self, _: &Search, _: Option<&[u32]>) -> Result<Sweep, ReadError> {
        Ok(Sweep::new(Source::Bpf, sample::time(), true, Vec::new()))
    }
}

/// Keys that are pressed by the test. As crossterm's stream does, it wakes the task that asked
/// first and forgets those that ask while that one waits.
#[derive(Clone, Default)]
struct Keys(Arc<Mutex<Pressed>>);

#[derive(Default)]
struct Pressed {
    events: VecDeque<Option<io::Result<TerminalEvent>>>,
    waiting: Option<Waker>,
}

impl Keys {
    fn send(&self, event: Option<io::Result<TerminalEvent>>) {
        let mut pressed = self.0.lock().unwrap();
        pressed.events.push_back(event);
        if let Some(waiting) = pressed.waiting.take() {
            waiting.wake();
        }
    }

    fn press(&self, code: KeyCode, modifiers: KeyModifiers) {
        self.send(Some(Ok(TerminalEvent::Key(KeyEvent::new(code, modifiers)))));
    }
}

impl Stream for Keys {
    type Item = io::Result<TerminalEvent>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut pressed = self.0.lock().unwrap();
        match pressed.events.pop_front() {
            Some(event) => Poll::Ready(event),
            None => {
                pressed.waiting.get_or_insert_with(|| context.waker().clone());
                Poll::Pending
            }
        }
    }
}

/// A session in which keys are pressed when the screen shows what they wait for.
struct Session {
    keys: Keys,
    driver: Driver<Keys>,
    terminal: Terminal<TestBackend>,
}

impl Session {
    async fn start(files_until: usize) -> Self {
        Self::with_delay(files_until, Duration::from_millis(5)).await
    }

    async fn with_delay(files_until: usize, delay: Duration) -> Self {
        Self::of(Sample { files_until, gate: None }, delay).await
    }

    async fn of(sample: Sample, delay: Duration) -> Self {
        let (worker, opened) = Worker::start(move || Ok(sample)).await.unwrap();
        let theme = Theme::new(true, false);
        let app = App::new(None, None, delay, opened, theme, TimeZone::UTC);
        let keys = Keys::default();
        let terminal = Terminal::new(TestBackend::new(80, 24)).unwrap();
        Self { keys: keys.clone(), driver: Driver::new(app, keys, worker), terminal }
    }

    fn press(&self, code: KeyCode) {
        self.keys.press(code, KeyModifiers::NONE);
    }

    async fn run(&mut self) -> Result<Exit, String> {
        self.driver.run(&mut self.terminal).await.map_err(|error| error.to_string())
    }

    /// Lets the loop run until `text` is on the screen. Each turn ends with the loop's future
    /// dropped, as a signal drops it: nothing may be lost by that.
    async fn until(&mut self, text: &str) {
        while !self.screen().contains(text) {
            let turn = tokio::time::timeout(Duration::from_millis(10), self.run()).await;
            assert!(turn.is_err(), "it ended: {turn:?}");
        }
    }

    fn screen(&self) -> String {
        self.terminal.backend().buffer().content().iter().map(|cell| cell.symbol()).collect()
    }
}

#[tokio::test]
async fn a_session_from_the_list_to_a_file_and_out() {
    let mut session = Session::start(usize::MAX).await;
    session.until("3 processes").await;
    session.press(KeyCode::Enter);
    session.until("/dev/pts/0").await;
    session.press(KeyCode::Enter);
    session.until("close on exec").await;
    session.press(KeyCode::Char('q'));
    assert_eq!(session.run().await, Ok(Exit::Quit));
}

#[tokio::test]
async fn a_session_down_to_a_packet_and_back() {
    let mut session = Session::start(usize::MAX).await;
    session.until("3 processes").await;
    session.press(KeyCode::Enter);
    session.until("/dev/pts/0").await;
    session.press(KeyCode::Down);
    session.press(KeyCode::Enter);
    session.until("1 of 16").await;
    session.press(KeyCode::Enter);
    session.until("fd 1 pipe > pipe").await;
    session.until("hello").await;
    session.press(KeyCode::Enter);
    session.until("68 65 6c 6c 6f").await;
    for expected in ["fd 1 pipe > pipe ", "1 of 16", "/dev/pts/0", "3 processes"] {
        session.press(KeyCode::Esc);
        session.until(expected).await;
    }
}

#[tokio::test]
async fn keys_do_not_wait_for_the_next_refresh() {
    let mut session = Session::with_delay(usize::MAX, Duration::from_secs(1_000_000)).await;
    let keys = session.keys.clone();
    let hands = std::thread::spawn(move || {
        for code in [KeyCode::Down, KeyCode::Enter, KeyCode::Esc, KeyCode::Char('q')] {
            // Long enough for the loop to be asleep each time.
            std::thread::sleep(Duration::from_millis(50));
            keys.press(code, KeyModifiers::NONE);
        }
    });
    assert_eq!(session.run().await, Ok(Exit::Quit));
    hands.join().unwrap();
}

#[tokio::test]
async fn a_reading_that_takes_long_holds_up_neither_keys_nor_drawing() {
    let (finish, gate) = mpsc::channel();
    let sample = Sample { files_until: usize::MAX, gate: Some(gate) };
    let mut session = Session::of(sample, Duration::from_millis(5)).await;
    session.until("3 processes").await;
    session.press(KeyCode::Enter);
    session.until("reading its open files").await;
    session.press(KeyCode::Char('?'));
    session.until("crib-top help").await;
    session.press(KeyCode::Esc);
    session.until("reading its open files").await;
    finish.send(()).unwrap();
    session.until("/dev/pts/0").await;
    // The next one is under way, and the rows can be gone through meanwhile.
    session.press(KeyCode::Down);
    session.press(KeyCode::Char('f'));
    session.until("filter: ").await;
    drop(finish);
}

#[tokio::test]
async fn ctrl_z_leaves_the_loop_and_it_goes_on_where_it_was() {
    let mut session = Session::start(usize::MAX).await;
    session.until("3 processes").await;
    session.press(KeyCode::Enter);
    session.keys.press(KeyCode::Char('z'), KeyModifiers::CONTROL);
    assert_eq!(session.run().await, Ok(Exit::Suspend));
    session.until("9 of 1024 fds").await;
}

#[tokio::test]
async fn the_end_of_input_is_the_end() {
    let mut session = Session::start(usize::MAX).await;
    session.until("3 processes").await;
    session.keys.send(Some(Err(io::Error::other("the terminal is gone"))));
    assert_eq!(session.run().await, Ok(Exit::Quit));
    let mut session = Session::start(usize::MAX).await;
    session.keys.send(None);
    assert_eq!(session.run().await, Ok(Exit::Quit));
}

#[tokio::test]
async fn a_reading_thread_that_panics_is_an_error_and_no_hang() {
    let mut session = Session::start(1).await;
    session.until("3 processes").await;
    session.press(KeyCode::Enter);
    let error = session.run().await.unwrap_err();
    assert!(error.contains("reading thread ended"), "{error}");
}
