//! Drives crib-top in a pseudo-terminal and reads its screen.

use std::io::{Read, Write};
use std::num::NonZero;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

/// How long a screen may take to appear before the test gives up. Far more than it ever takes,
/// even under emulation: this bounds a hang, it measures nothing.
pub const PATIENCE: Duration = Duration::from_secs(90);

/// A crib-top that runs in a terminal of its own.
pub struct Terminal {
    master: Box<dyn MasterPty + Send>,
    writer: Box<dyn Write + Send>,
    child: Box<dyn Child + Send + Sync>,
    shown: Arc<Mutex<Shown>>,
    reader: Option<thread::JoinHandle<()>>,
}

struct Shown {
    parser: vt100::Parser,
    raw: Vec<u8>,
}

/// What crib-top left behind.
pub struct Ended {
    /// Its exit code.
    pub code: u32,
    /// Everything that it ever wrote to the terminal.
    pub written: Vec<u8>,
}

fn size(rows: u16, cols: u16) -> PtySize {
    PtySize { rows, cols, pixel_width: 0, pixel_height: 0 }
}

fn nonzero(n: u16) -> NonZero<u16> {
    NonZero::new(n).expect("a terminal has rows and columns")
}

impl Terminal {
    /// Starts `crib-top` with these arguments in a terminal of `cols` by `rows` characters.
    pub fn start(arguments: &[&str], cols: u16, rows: u16) -> Self {
        let here = std::env::current_dir().expect("there is a current directory");
        Self::start_in(&here, arguments, cols, rows)
    }

    /// The same in another directory.
    pub fn start_in(directory: &Path, arguments: &[&str], cols: u16, rows: u16) -> Self {
        let mut command = CommandBuilder::new(super::crib_top_path());
        command.args(arguments);
        command.cwd(directory);
        Self::start_command(command, cols, rows)
    }

    /// The same from a shell, in whose script `"$0" "$@"` is what is to be run.
    pub fn start_by(script: &str, arguments: &[&str], cols: u16, rows: u16) -> Self {
        let mut command = CommandBuilder::new("sh");
        command.args(["-c", script]);
        command.arg(super::crib_top_path());
        command.args(arguments);
        Self::start_command(command, cols, rows)
    }

    fn start_command(mut command: CommandBuilder, cols: u16, rows: u16) -> Self {
        let pty = native_pty_system().openpty(size(rows, cols)).expect("a pseudo-terminal");
        command.env("TERM", "xterm-256color");
        command.env_remove("NO_COLOR");
        let child = pty.slave.spawn_command(command).expect("crib-top can be started");
        let mut reader = pty.master.try_clone_reader().expect("the terminal can be read");
        let writer = pty.master.take_writer().expect("the terminal can be written to");
        let parser = vt100::Parser::new(nonzero(rows), nonzero(cols), 0);
        let shown = Arc::new(Mutex::new(Shown { parser, raw: Vec::new() }));
        let into = Arc::clone(&shown);
        let reader = thread::spawn(move || {
            let mut buffer = [0; 4096];
            // EIO says that the last one who had the terminal open is gone.
            while let Ok(n @ 1..) = reader.read(&mut buffer) {
                let mut shown = into.lock().expect("no thread panics with the lock");
                shown.parser.process(&buffer[..n]);
                shown.raw.extend_from_slice(&buffer[..n]);
            }
        });
        Self { master: pty.master, writer, child, shown, reader: Some(reader) }
    }

    /// Types.
    pub fn send(&mut self, keys: &str) {
        self.writer.write_all(keys.as_bytes()).expect("the terminal can be written to");
    }

    /// The screen's text, one line a row.
    pub fn contents(&self) -> String {
        self.shown.lock().expect("no thread panics with the lock").parser.screen().contents()
    }

    /// Waits until the screen satisfies `wanted`, and returns its text.
    #[track_caller]
    pub fn wait_until(&mut self, what: &str, wanted: impl Fn(&str) -> bool) -> String {
        let start = Instant::now();
        loop {
            let contents = self.contents();
            if wanted(&contents) {
                return contents;
            }
            let ended = self.child.try_wait().expect("our own child can be waited for");
            assert!(ended.is_none(), "crib-top ended ({ended:?}) before {what}:\n{contents}");
            assert!(start.elapsed() < PATIENCE, "never saw {what}; the screen is:\n{contents}");
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits for a text on the screen.
    #[track_caller]
    pub fn wait_for(&mut self, text: &str) -> String {
        self.wait_until(&format!("{text:?}"), |screen| screen.contains(text))
    }

    /// Gives the terminal another size. It loses what it showed, as a terminal may.
    pub fn resize(&mut self, cols: u16, rows: u16) {
        let mut shown = self.shown.lock().expect("no thread panics with the lock");
        shown.parser.screen_mut().set_size(nonzero(rows), nonzero(cols));
        shown.parser.process(b"\x1b[2J");
        drop(shown);
        self.master.resize(size(rows, cols)).expect("the terminal can be resized");
    }

    /// The pid of crib-top.
    pub fn pid(&self) -> u32 {
        self.child.process_id().expect("it was started")
    }

    /// Waits for crib-top's end and checks that it left the terminal as it found it.
    #[track_caller]
    pub fn expect_end(mut self) -> Ended {
        let start = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("our own child can be waited for") {
                break status;
            }
            assert!(start.elapsed() < PATIENCE, "it never ends; screen:\n{}", self.contents());
            thread::sleep(Duration::from_millis(20));
        };
        // Input is by line and echoed again.
        let termios = self.master.get_termios().expect("the terminal has settings");
        let local = termios.local_flags.bits();
        assert!(local & libc::ICANON != 0 && local & libc::ECHO != 0, "it is still in raw mode");
        // Nobody has the terminal open any more but us, so its output ends.
        self.reader.take().map(thread::JoinHandle::join).transpose().expect("the reader is sound");
        let shown = self.shown.lock().expect("no thread panics with the lock");
        let screen = shown.parser.screen();
        assert!(!screen.alternate_screen(), "it is still on the alternate screen");
        assert!(!screen.hide_cursor(), "the cursor is still hidden");
        assert!(!screen.bracketed_paste(), "bracketed paste is still on");
        let mouse = screen.mouse_protocol_mode();
        assert_eq!(mouse, vt100::MouseProtocolMode::None, "the mouse is still reported");
        Ended { code: status.exit_code(), written: shown.raw.clone() }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // A failed test leaves no crib-top behind; one that has ended can't be killed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
