//! The terminal: taken when the UI starts, and given back as it was, whatever happens.

use std::fs::File;
use std::io::{self, BufWriter, IsTerminal, Stdout};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};

use crossterm::cursor::Show;
use crossterm::event::{DisableBracketedPaste, EnableBracketedPaste};
use crossterm::execute;
use crossterm::terminal::{
    EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Signal, getpid, kill_process};

/// What is drawn on. A whole frame is written at once.
pub type Screen = Terminal<CrosstermBackend<BufWriter<Stdout>>>;

/// Whether the terminal is ours. A panic in any thread gives it back; drawing has to end then.
static TAKEN: AtomicBool = AtomicBool::new(false);

/// Whether the terminal is still ours.
pub fn is_taken() -> bool {
    TAKEN.load(Ordering::SeqCst)
}

/// The terminal while it is ours: dropping it gives it back.
pub struct Guard(());

impl Guard {
    /// Takes the terminal: no line editing, no echo, the screen aside.
    ///
    /// # Errors
    /// When standard output is no terminal, or there is none to read keys from.
    pub fn take() -> io::Result<Self> {
        hook_panics();
        let guard = Self(());
        guard.resume()?;
        Ok(guard)
    }

    /// Takes the terminal again after the process was stopped: whoever had it meanwhile may
    /// have changed it.
    ///
    /// # Errors
    /// When the terminal is gone.
    pub fn resume(&self) -> io::Result<()> {
        // Forgets the mode that was found before; the shell may have set another one since.
        disable_raw_mode()?;
        enable_raw_mode()?;
        TAKEN.store(true, Ordering::SeqCst);
        execute!(io::stdout(), EnterAlternateScreen, EnableBracketedPaste)
    }

    /// Gives the terminal back and stops the process, as Ctrl-Z does to one that doesn't
    /// care; returns when it is continued and the terminal is ours again.
    ///
    /// # Errors
    /// When the terminal is gone.
    pub fn suspend(&self) -> io::Result<()> {
        give_back();
        kill_process(getpid(), Signal::STOP)?;
        self.resume()
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        give_back();
    }
}

/// Puts the terminal back as it was found. What fails is not reported: the terminal is gone,
/// or there is nothing left to report it on.
fn give_back() {
    if TAKEN.swap(false, Ordering::SeqCst) {
        let _ = execute!(io::stdout(), DisableBracketedPaste, LeaveAlternateScreen, Show);
        let _ = disable_raw_mode();
    }
}

/// Lets a panic's message appear on the terminal as it was, not on the screen aside.
fn hook_panics() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let report = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            give_back();
            report(info);
        }));
    });
}

/// The terminal that keys come from: standard input, or else the controlling one.
#[derive(Debug)]
pub enum Keyboard {
    /// Standard input is a terminal.
    Stdin(io::Stdin),
    /// It is something else; the controlling terminal stands in.
    Controlling(File),
}

impl Keyboard {
    /// Finds it.
    ///
    /// # Errors
    /// When there is no terminal at all.
    pub fn find() -> io::Result<Self> {
        let stdin = io::stdin();
        if stdin.is_terminal() {
            return Ok(Self::Stdin(stdin));
        }
        File::options().read(true).write(true).open("/dev/tty").map(Self::Controlling)
    }

    fn fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Stdin(stdin) => stdin.as_fd(),
            Self::Controlling(file) => file.as_fd(),
        }
    }

    /// Whether the terminal was closed at its other end. crossterm doesn't tell: it goes on
    /// reading from it without end.
    pub fn is_gone(&self) -> bool {
        let mut fds = [PollFd::from_borrowed_fd(self.fd(), PollFlags::empty())];
        match poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })) {
            Ok(_) => fds[0].revents().intersects(PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL),
            Err(_) => false,
        }
    }
}

/// Whether an error in writing means that nobody is there to see the screen any more.
pub fn means_gone(error: &io::Error) -> bool {
    // EIO: the other end of a pseudo-terminal was closed, or the session lost its terminal.
    matches!(error.kind(), io::ErrorKind::BrokenPipe)
        || error.raw_os_error() == Some(libc::EIO)
        || error.raw_os_error() == Some(libc::ENXIO)
}
