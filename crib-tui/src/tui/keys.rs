//! The keys, declared once: the footer, the help and the reaction to a key come from here.

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

/// What a key asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the bindings below say what each does")]
pub enum Command {
    Up,
    Down,
    PageUp,
    PageDown,
    First,
    Last,
    Left,
    Right,
    Open,
    Back,
    /// Shows a file's other end, and who else holds it.
    Ends,
    /// Lists what lints found.
    Lints,
    /// Shows a packet's bytes as text instead of as digits, or the other way round.
    Switch,
    /// Writes what is shown to a pcap file.
    Write,
    Search,
    NextMatch,
    PreviousMatch,
    Filter,
    NextSort,
    Invert,
    /// Sort by the column that is shown at this place, counted from 0.
    SortBy(usize),
    Pause,
    /// Shows files in groups, or in groups of the next sort.
    Groups,
    /// Shows what grows.
    Leaks,
    /// Traces who opens files, or ends that.
    Trace,
    Help,
    Suspend,
    Quit,
}

/// What is on the screen, as far as keys are concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Context {
    /// The list of processes.
    Picker,
    /// The table of one process's files.
    Files,
    /// All there is to say about one file.
    File,
    /// The packets of one queue.
    Queue,
    /// All there is to say about one packet.
    Packet,
    /// All files in groups.
    Groups,
    /// What grows among them.
    Leaks,
    /// A file's other end, and who else holds it.
    Ends,
    /// What lints found in the process.
    Lints,
    /// The help.
    Help,
}

/// One line of the help, and perhaps an entry in the footer.
pub struct Binding {
    /// The keys as they are written in the help.
    pub label: &'static str,
    /// What they do, for the help.
    pub help: &'static str,
    /// The key and the word for the footer, where it is shown there.
    pub footer: Option<(&'static str, &'static str)>,
    /// Where they do it.
    pub contexts: &'static [Context],
    keys: &'static [(KeyCode, KeyModifiers, Command)],
}

use Context::{Ends, File, Files, Groups, Help, Leaks, Lints, Packet, Picker, Queue};

const ALL: &[Context] = &[Picker, Files, File, Queue, Packet, Groups, Leaks, Ends, Lints, Help];
const READINGS: &[Context] = &[Picker, Files, File, Queue, Packet, Groups, Leaks, Ends, Lints];
const TABLES: &[Context] = &[Picker, Files, Queue, Groups];
const SEARCHED: &[Context] = &[Picker, Files];
const NONE: KeyModifiers = KeyModifiers::NONE;
const CTRL: KeyModifiers = KeyModifiers::CONTROL;

const fn key(code: KeyCode, command: Command) -> (KeyCode, KeyModifiers, Command) {
    (code, NONE, command)
}

const fn char(c: char, command: Command) -> (KeyCode, KeyModifiers, Command) {
    (KeyCode::Char(c), NONE, command)
}

/// All keys, in the order in which footer and help name them.
pub const BINDINGS: &[Binding] = &[
    Binding {
        label: "Enter",
        help: "open what is selected: a process, file, queue, packet, watch or file in flight",
        footer: Some(("Enter", "open")),
        contexts: READINGS,
        keys: &[key(KeyCode::Enter, Command::Open)],
    },
    Binding {
        label: "Esc Backspace",
        help: "go back",
        footer: Some(("Esc", "back")),
        contexts: &[Files, File, Queue, Packet, Groups, Leaks, Ends, Lints, Help],
        keys: &[key(KeyCode::Esc, Command::Back), key(KeyCode::Backspace, Command::Back)],
    },
    Binding {
        label: "Esc Backspace",
        help: "show all processes again after a search",
        footer: None,
        contexts: &[Picker],
        keys: &[key(KeyCode::Esc, Command::Back), key(KeyCode::Backspace, Command::Back)],
    },
    Binding {
        label: "/",
        help: "search: processes by pid, name, user and command line; files by any text",
        footer: Some(("/", "search")),
        contexts: SEARCHED,
        keys: &[char('/', Command::Search)],
    },
    Binding {
        label: "n N",
        help: "go to the next or the previous match",
        footer: None,
        contexts: &[Files],
        keys: &[char('n', Command::NextMatch), char('N', Command::PreviousMatch)],
    },
    Binding {
        label: "f",
        help: "show only files for which an expression holds, e.g. KIND == \"socket\"",
        footer: Some(("f", "filter")),
        contexts: &[Files],
        keys: &[char('f', Command::Filter)],
    },
    Binding {
        label: "s",
        help: "sort by the next column",
        footer: Some(("s", "sort")),
        contexts: TABLES,
        keys: &[char('s', Command::NextSort)],
    },
    Binding {
        label: "1-9",
        help: "sort by that column; once more inverts",
        footer: None,
        contexts: TABLES,
        keys: &[
            char('1', Command::SortBy(0)),
            char('2', Command::SortBy(1)),
            char('3', Command::SortBy(2)),
            char('4', Command::SortBy(3)),
            char('5', Command::SortBy(4)),
            char('6', Command::SortBy(5)),
            char('7', Command::SortBy(6)),
            char('8', Command::SortBy(7)),
            char('9', Command::SortBy(8)),
        ],
    },
    Binding {
        label: "I",
        help: "invert the sort",
        footer: None,
        contexts: TABLES,
        keys: &[char('I', Command::Invert)],
    },
    Binding {
        label: "Space",
        help: "pause: read nothing until pressed again",
        footer: Some(("Space", "pause")),
        contexts: READINGS,
        keys: &[char(' ', Command::Pause)],
    },
    Binding {
        label: "t",
        help: "show files in groups: by label, kind, opener or network namespace",
        footer: Some(("t", "groups")),
        contexts: &[Files, Groups, Leaks],
        keys: &[char('t', Command::Groups)],
    },
    Binding {
        label: "l",
        help: "show what grows, and whether a leak is suspected",
        footer: Some(("l", "leaks")),
        contexts: &[Files, Groups],
        keys: &[char('l', Command::Leaks)],
    },
    Binding {
        label: "o",
        help: "trace who opens files, while groups or leaks are shown; once more ends it",
        footer: Some(("o", "openers")),
        contexts: &[Files, Groups, Leaks],
        keys: &[char('o', Command::Trace)],
    },
    Binding {
        label: "p",
        help: "find the file's other end and who else holds it, among all processes",
        footer: Some(("p", "other end")),
        contexts: &[Files, File],
        keys: &[char('p', Command::Ends)],
    },
    Binding {
        label: "L",
        help: "list what is in trouble about the process's files, or looks like it",
        footer: Some(("L", "findings")),
        contexts: &[Files, File],
        keys: &[char('L', Command::Lints)],
    },
    Binding {
        label: "w",
        help: "write the queue or packet to a pcap file in the current directory",
        footer: Some(("w", "write pcap")),
        contexts: &[Queue, Packet],
        keys: &[char('w', Command::Write)],
    },
    Binding {
        label: "x",
        help: "show a packet's bytes as text instead of in hexadecimal, and back",
        footer: Some(("x", "hex/text")),
        contexts: &[Packet],
        keys: &[char('x', Command::Switch)],
    },
    Binding {
        label: "Up Down k j",
        help: "one row up or down",
        footer: None,
        contexts: ALL,
        keys: &[
            key(KeyCode::Up, Command::Up),
            key(KeyCode::Down, Command::Down),
            char('k', Command::Up),
            char('j', Command::Down),
        ],
    },
    Binding {
        label: "PgUp PgDn",
        help: "one page up or down",
        footer: None,
        contexts: ALL,
        keys: &[key(KeyCode::PageUp, Command::PageUp), key(KeyCode::PageDown, Command::PageDown)],
    },
    Binding {
        label: "Home End g G",
        help: "to the first or the last row",
        footer: None,
        contexts: ALL,
        keys: &[
            key(KeyCode::Home, Command::First),
            key(KeyCode::End, Command::Last),
            char('g', Command::First),
            char('G', Command::Last),
        ],
    },
    Binding {
        label: "Left Right h",
        help: "show more of long names",
        footer: None,
        contexts: TABLES,
        keys: &[
            key(KeyCode::Left, Command::Left),
            key(KeyCode::Right, Command::Right),
            char('h', Command::Left),
        ],
    },
    Binding {
        label: "l",
        help: "the same as Right where it shows nothing of its own",
        footer: None,
        contexts: &[Picker, Queue],
        keys: &[char('l', Command::Right)],
    },
    Binding {
        label: "? F1",
        help: "this help",
        footer: Some(("?", "help")),
        contexts: READINGS,
        keys: &[char('?', Command::Help), key(KeyCode::F(1), Command::Help)],
    },
    Binding {
        label: "? F1",
        help: "leave the help",
        footer: None,
        contexts: &[Help],
        keys: &[char('?', Command::Back), key(KeyCode::F(1), Command::Back)],
    },
    Binding {
        label: "Ctrl-Z",
        help: "stop crib-top and go back to the shell; `fg` continues it",
        footer: None,
        contexts: ALL,
        keys: &[(KeyCode::Char('z'), CTRL, Command::Suspend)],
    },
    Binding {
        label: "q Ctrl-C",
        help: "quit",
        footer: Some(("q", "quit")),
        contexts: ALL,
        keys: &[char('q', Command::Quit), (KeyCode::Char('c'), CTRL, Command::Quit)],
    },
];

/// What a key asks for where it is pressed; none where it has no meaning.
pub fn command(context: Context, event: &KeyEvent) -> Option<Command> {
    if event.kind == KeyEventKind::Release {
        return None;
    }
    // Whether Shift is reported beside an upper-case letter differs between terminals.
    let modifiers = event.modifiers - KeyModifiers::SHIFT;
    BINDINGS
        .iter()
        .filter(|binding| binding.contexts.contains(&context))
        .flat_map(|binding| binding.keys)
        .find(|&&(code, wanted, _)| code == event.code && wanted == modifiers)
        .map(|&(_, _, command)| command)
}

/// The keys and words of the footer.
pub fn footer(context: Context) -> impl Iterator<Item = (&'static str, &'static str)> {
    BINDINGS
        .iter()
        .filter(move |binding| binding.contexts.contains(&context))
        .filter_map(|binding| binding.footer)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn press(code: KeyCode, modifiers: KeyModifiers) -> KeyEvent {
        KeyEvent::new(code, modifiers)
    }

    #[test]
    fn no_key_means_two_things_in_one_place() {
        for &context in ALL {
            let mut seen = Vec::new();
            for binding in BINDINGS.iter().filter(|binding| binding.contexts.contains(&context)) {
                for &(code, modifiers, _) in binding.keys {
                    assert!(!seen.contains(&(code, modifiers)), "{context:?}: {code:?}");
                    seen.push((code, modifiers));
                }
            }
        }
    }

    #[test]
    fn quitting_works_everywhere() {
        for &context in ALL {
            for (code, modifiers) in [(KeyCode::Char('q'), NONE), (KeyCode::Char('c'), CTRL)] {
                assert_eq!(command(context, &press(code, modifiers)), Some(Command::Quit));
            }
        }
    }

    #[test]
    fn shift_beside_an_upper_case_letter_makes_no_difference() {
        for modifiers in [NONE, KeyModifiers::SHIFT] {
            let event = press(KeyCode::Char('I'), modifiers);
            assert_eq!(command(Files, &event), Some(Command::Invert));
        }
        assert_eq!(command(Files, &press(KeyCode::Char('I'), KeyModifiers::ALT)), None);
    }

    #[test]
    fn keys_for_all_files_do_nothing_elsewhere() {
        for &context in ALL {
            let of = |c| command(context, &press(KeyCode::Char(c), NONE));
            let table_or_watch = matches!(context, Files | Groups | Leaks);
            assert_eq!(of('t'), table_or_watch.then_some(Command::Groups));
            assert_eq!(of('o'), table_or_watch.then_some(Command::Trace));
            let leaks = matches!(context, Files | Groups);
            let right = matches!(context, Picker | Queue).then_some(Command::Right);
            assert_eq!(of('l'), leaks.then_some(Command::Leaks).or(right));
            let file = matches!(context, Files | File);
            assert_eq!(of('p'), file.then_some(Command::Ends));
        }
    }

    #[test]
    fn a_file_tells_the_ways_that_lead_from_it() {
        let shown: Vec<_> = footer(File).collect();
        assert!(shown.contains(&("p", "other end")) && shown.contains(&("L", "findings")));
    }

    #[test]
    fn keys_for_packets_do_nothing_elsewhere() {
        for &context in ALL {
            let switch = command(context, &press(KeyCode::Char('x'), NONE));
            assert_eq!(switch, (context == Packet).then_some(Command::Switch));
            let write = command(context, &press(KeyCode::Char('w'), NONE));
            let packets = matches!(context, Queue | Packet);
            assert_eq!(write, packets.then_some(Command::Write));
        }
    }

    #[test]
    fn letting_a_key_go_does_nothing() {
        let event = KeyEvent::new_with_kind(KeyCode::Char('q'), NONE, KeyEventKind::Release);
        assert_eq!(command(Files, &event), None);
    }
}
