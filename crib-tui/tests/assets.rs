//! The manual page and the completions in `assets/`: made from the definition of the command
//! line, the columns and the text below, and held to them.
//!
//! `CRIB_UPDATE_ASSETS=1 cargo test --test assets` writes them anew.

use std::path::{Path, PathBuf};

use clap::CommandFactory;
use clap_complete::Shell;
use crib_tui::cli::Cli;
use crib_tui::model::column::Table;
use crib_tui::model::lint::Lint;
use crib_tui::model::peers::LISTED;
use crib_tui::model::{Files, Kind, Processes, QueueName};
use crib_tui::tui::keys::{BINDINGS, Context};
use roff::{Inline, Roff, bold, italic, roman};

const REFRESH: &str = "CRIB_UPDATE_ASSETS=1 cargo test --test assets";

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../assets").join(name)
}

/// Holds a file in `assets/` to what it should contain, or writes it when asked to.
fn hold(name: &str, content: &str) {
    let path = path(name);
    if std::env::var_os("CRIB_UPDATE_ASSETS").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(found == content, "assets/{name} is stale; refresh it with: {REFRESH}");
}

#[test]
fn completions_are_fresh() {
    for (shell, name) in [
        (Shell::Bash, "completions/crib-top.bash"),
        (Shell::Zsh, "completions/_crib-top"),
        (Shell::Fish, "completions/crib-top.fish"),
    ] {
        let mut script = Vec::new();
        clap_complete::generate(shell, &mut Cli::command(), "crib-top", &mut script);
        hold(name, &String::from_utf8(script).unwrap());
    }
}

#[test]
fn the_manual_page_is_fresh() {
    hold("crib-top.1", &manual_page());
}

fn manual_page() -> String {
    let command = Cli::command();
    let version = format!("crib-top {}", env!("CARGO_PKG_VERSION"));
    let man = clap_mangen::Man::new(command.clone());
    // Without a date, which would make the page stale by itself; the library would leave its
    // place out, and the fields behind it would move up.
    let mut page = format!(".TH CRIB-TOP 1 \"\" \"{version}\" \"User Commands\"\n").into_bytes();
    man.render_name_section(&mut page).unwrap();
    man.render_synopsis_section(&mut page).unwrap();
    man.render_description_section(&mut page).unwrap();
    commands(&command).to_writer(&mut page).unwrap();
    man.render_options_section(&mut page).unwrap();
    options_of(&command, "files").to_writer(&mut page).unwrap();
    options_of_packets(&command).to_writer(&mut page).unwrap();
    options_of_bench(&command).to_writer(&mut page).unwrap();
    options_of_leaks(&command).to_writer(&mut page).unwrap();
    options_of(&command, "lint").to_writer(&mut page).unwrap();
    lints().to_writer(&mut page).unwrap();
    columns::<Files>("COLUMNS OF FILES").to_writer(&mut page).unwrap();
    columns::<Processes>("COLUMNS OF PS").to_writer(&mut page).unwrap();
    filter().to_writer(&mut page).unwrap();
    keys().to_writer(&mut page).unwrap();
    json().to_writer(&mut page).unwrap();
    rest().iter().try_for_each(|section| section.to_writer(&mut page)).unwrap();
    String::from_utf8(page).unwrap()
}

/// A section whose paragraphs are put together by the methods below.
struct Section(Roff);

impl Section {
    fn new(title: &str) -> Self {
        let mut roff = Roff::new();
        roff.control("SH", [title]);
        Self(roff)
    }

    fn text(mut self, text: &str) -> Self {
        self.0.control("PP", []).text([roman(text)]);
        self
    }

    fn entry(mut self, term: impl Into<Vec<Inline>>, text: &str) -> Self {
        self.0.control("TP", []).text(term).text([roman(text)]);
        self
    }

    /// Lines that are shown as they are.
    fn example(mut self, lines: &str) -> Self {
        self.0.control("PP", []).control("RS", ["4"]).control("nf", []);
        for line in lines.lines() {
            self.0.text([roman(line)]);
        }
        self.0.control("fi", []).control("RE", []);
        self
    }

    fn to_writer(&self, page: &mut Vec<u8>) -> std::io::Result<()> {
        self.0.to_writer(page)
    }
}

fn commands(command: &clap::Command) -> Section {
    let section = Section::new("COMMANDS").text(
        "Without a command, crib-top lets you choose a process, or opens the one that -p names, \
         and shows its files live. When standard output is no terminal, it prints what \
         crib-top ps or crib-top files would.",
    );
    command.get_subcommands().fold(section, |section, command| {
        let about = command.get_about().map(ToString::to_string).unwrap_or_default();
        let refuses = command.get_after_help().map(|text| format!(" {text}")).unwrap_or_default();
        section.entry([bold(command.get_name())], &format!("{about}.{refuses}"))
    })
}

/// The options that one command alone has.
fn options_of(command: &clap::Command, name: &str) -> Section {
    let command = command.find_subcommand(name).expect("a command of this name");
    let section = Section::new(&format!("OPTIONS OF {}", name.to_uppercase()));
    command.get_arguments().fold(section, |section, argument| {
        let Some(long) = argument.get_long() else { return section };
        let value = argument.get_value_names().filter(|_| argument.get_action().takes_values());
        let value = value.map(|names| format!(" <{}>", names[0])).unwrap_or_default();
        let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
        section.entry([bold(format!("--{long}")), italic(value)], &format!("{help}."))
    })
}

fn lints() -> Section {
    let section = Section::new("LINTS").text(
        "What files -o +LINT names and lint explains. What has to last is seen over several readings \
         only: in the terminal UI and by lint --for. The rules are in docs/lints.md.",
    );
    Lint::ALL.into_iter().fold(section, |section, lint| {
        let text = format!("Found: {}. It means: {}.", lint.summary(), lint.means());
        section.entry([bold(lint.name())], &text)
    })
}

fn options_of_bench(command: &clap::Command) -> Section {
    options_of(command, "bench").text(
        "Two processes are started to be looked into: one that holds files, each with a path of \
         its own in the directory for temporary files, and one that holds unix sockets with \
         packets in their queues. Ways take turns, after a round that warms up and one whose \
         system calls are counted, by a program at the tracepoint sys_enter. A way that does not \
         see every file, packet and byte fails the benchmark; one that can't run here is listed \
         with the reason. The processes end, and remove their files, when the benchmark ends, \
         however it ends.",
    )
}

fn options_of_leaks(command: &clap::Command) -> Section {
    options_of(command, "leaks")
        .text(
            "The process is read again and again, and its open files are followed. They are put \
             into groups: sockets by protocol and by the address that they are connected to or \
             were accepted at, other files by their path, in which each number is folded into *. \
             A group is suspected of being a leak when its files stay and it only grows: from \
             some age on, at most a third of the watch, hardly any are closed; in each third of \
             the time more come to that age than go; the growth does not slow down or stop; and \
             it is more than chance, which takes eight files at least. A burst at the start, a \
             pool that has filled up, and a server whose count swings are not suspected; a pool \
             that is still filling up is.",
        )
        .text(
            "Watch several times as long as files of the process live. Without -d a reading is \
             taken each thirtieth of the time, at most each second. Ctrl-C ends the watch early, \
             and what was seen is judged; a second one ends crib-top (exit status 130). A process that ends or calls \
             exec while it is watched is an error (exit status 1), and what was seen until then \
             is printed.",
        )
        .text(
            "Unless --no-trace is given, it is also traced who opens files: at the kernel's \
             fd_install where it may be traced, else at the end of the system calls that make \
             descriptors. Of each suspected group the stack is shown that opened its files. Stacks \
             are unwound by the unwind information of the mapped files; frame pointers are not \
             needed. Where tracing is refused, that is said, and there are no stacks.",
        )
}

fn options_of_packets(command: &clap::Command) -> Section {
    options_of(command, "packets").text(
        "The file that --pcap writes is pcapng. Packets have the protocol headers that the kernel \
         still has; where it has none, or none that fit, headers are made from the socket's \
         addresses, and the packet's comment says so. Comments also name the process, the \
         descriptor and the queue, and what could not be read. Messages of unix sockets and pipes \
         have the link type of Wireshark's exported packets. The file is readable by its owner \
         alone and takes its name, and the place of a file of the user's own, when it is whole; a \
         symbolic link, or what is not a regular file of the user's own, is refused. \
         Use --payload to have more than the first 4 KiB of each message.",
    )
}

fn columns<T: Table>(title: &str) -> Section {
    let default = T::default_names().join(",");
    let section = Section::new(title).text(&format!("Shown by default: {default}."));
    T::columns().iter().fold(section, |section, column| {
        let term = [bold(column.name), roman(" <"), italic(column.kind.name()), roman(">")];
        section.entry(term, column.help)
    })
}

fn filter() -> Section {
    Section::new("FILTER")
        .text(
            "The expression of -Q follows scols-filter(5). Column names are written without \
             quotes and in any case, text in single or double quotes, numbers with an optional \
             suffix K, M, G, T, P, E, Z or Y (of 1024, KiB and so on for the same).",
        )
        .example(
            "KIND == \"socket\" and SOCK.STATE == \"CLOSE-WAIT\" and RECVQ > 4K\n\
             not CLOEXEC and (NAME =~ \"^/etc/\" or DELETED)",
        )
        .entry(
            [bold("== != < <= > >="), roman(", or "), bold("eq ne lt le gt ge")],
            "Compare numbers as numbers and text by its bytes.",
        )
        .entry(
            [bold("=~ !~")],
            "Whether a regular expression in quotes matches somewhere in the value, or doesn't.",
        )
        .entry(
            [bold("and or not"), roman(", or "), bold("&& || !")],
            "Combine conditions: not turns the comparison after it around; and binds closer than or; parentheses group.",
        )
        .text(
            "A column that stands alone is true when it has a value that is not no, zero or \
             empty. A bare word that is no column's name, and a string or number that stands \
             alone, is searched in all text columns without regard to case. A comparison with an \
             unknown value is false, whatever the operator.",
        )
}

fn keys() -> Section {
    let section = Section::new("KEYS").text("In the live view; no key changes the target.");
    // How to leave the help is said there.
    let bindings = BINDINGS.iter().filter(|binding| binding.contexts != [Context::Help]);
    bindings.fold(section, |section, binding| {
        let contexts: Vec<_> = binding.contexts.iter().map(|&context| view(context)).collect();
        let all = [
            Context::Picker,
            Context::Files,
            Context::File,
            Context::Queue,
            Context::Packet,
            Context::Groups,
            Context::Leaks,
            Context::Lints,
        ];
        let everywhere = all.iter().all(|&context| contexts.contains(&view(context)));
        let place =
            if everywhere { String::new() } else { format!(" In: {}.", contexts.join(", ")) };
        section.entry([bold(binding.label)], &format!("{}.{place}", sentence(binding.help)))
    })
}

fn view(context: Context) -> &'static str {
    match context {
        Context::Picker => "the list of processes",
        Context::Files => "the table of files",
        Context::File => "the view of one file",
        Context::Queue => "the packets of a queue",
        Context::Packet => "the view of one packet",
        Context::Groups => "the groups of files",
        Context::Leaks => "the view of what grows",
        Context::Ends => "other end",
        Context::Lints => "the list of findings",
        Context::Help => "the help",
    }
}

fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

fn json() -> Section {
    let kinds: Vec<_> = Kind::ALL.into_iter().map(Kind::name).collect();
    Section::new("JSON")
        .text(
            "-J prints one document, -j one object a line: for files and dump each file with the \
             pid of its process, for packets each message with pid, fd and queue, for ps each \
             process, for leaks each group, for lint each finding, for --list-columns each column with \
             name, type, help and default. Numbers are numbers and the unknown is null. \
             Strings are valid UTF-8; bytes that aren't, and control characters, appear as \\xNN. \
             The names of fields don't change within a schema.",
        )
        .text("crib-top files -J:")
        .example(
            r#"{"schema":1,"source":"bpf"|"procfs","kernel":"6.18.44",
 "time":"2026-11-23T18:40:00.123456Z",
 "processes":[{"pid":1,"comm":"x","uid":0,"user":"root",
   "fd_count":3,"fd_limit":1024,"complete":true,
   "other_mounts":false,"lints":[FINDING...],"files":[FILE...]}]}"#,
        )
        .text(
            "other_mounts is true where the process is in another mount namespace than crib-top; \
             see NAMESPACES.",
        )
        .text("FILE:")
        .example(
            r#"{"fd":3,"kind":"socket","ops":"socket_file_ops","mode":"rw",
 "flags":["O_RDWR","O_NONBLOCK"],"cloexec":true,"pos":0,
 "path":"socket:[1234]","deleted":false,"dev":"0:8","rdev":null,
 "ino":1234,"size":0,"refs":1,"tid":null,
 "socket":SOCKET|null,"pipe":PIPE|null,"epoll":EPOLL|null,
 "watched_by":[4],"lints":[FINDING...]}"#,
        )
        .text(&format!(
            "kind is one of {}. mode is r, w, rw, or - for O_PATH. tid is set for a file in the \
             table of a thread that has one of its own; threads that share a table are counted \
             once. watched_by lists the descriptors of the epoll instances that watch it; it is \
             left out where that is not known. lints are what one reading tells; files in flight \
             and examples have none.",
            kinds.join(", ")
        ))
        .text("FINDING:")
        .example(
            r#"{"name":"peer-gone","seen":"...","means":"...","look":"..."}"#,
        )
        .text("SOCKET:")
        .example(
            r#"{"family":"inet","type":"stream","protocol":"tcp",
 "state":"ESTABLISHED","local":"127.0.0.1:80",
 "remote":"127.0.0.1:4711","recv":QUEUED,"send":QUEUED,
 "accept":{"pending":0,"max":128}|null,"rcvbuf":131072,
 "sndbuf":2626560,"drops":0,"error":0,
 "shutdown":"none"|"read"|"write"|"both",
 "peer":{"pid":7,"fd":4,"ino":1235}|null,"inflight_files":0,
 "netns":4026531840}"#,
        )
        .text("QUEUED counts messages, bytes that a reader would get, and memory charged:")
        .example(r#"{"messages":2,"payload":13,"memory":1664}"#)
        .text("PIPE and EPOLL:")
        .example(
            r#"{"bytes":5,"buffers":1,"slots":16,"readers":1,"writers":1}
{"watches":[{"fd":5,"events":"IN|ET","data":5,"ready":false}]}"#,
        )
        .text(&format!(
            "With --peers, crib-top files looks through the descriptors of all processes and says \
             who is at the other ends: it fills peer in, and adds peers to SOCKET and PIPE, and \
             eventfd, holders and holder_count to FILE. holders are all descriptors of that open \
             file, null where they could not be learnt, and at most {LISTED} of holder_count.",
        ))
        .example(
            r#""peers":[{"pid":7,"comm":"x","fd":4,"mode":"r"}],
"holders":[{"pid":1,"comm":"x","fd":3},{"pid":7,"comm":"y","fd":3}],
"holder_count":2,"eventfd":{"peers":[...]}"#,
        )
        .text(
            "crib-top dump -J is the document of files, in which each socket and pipe has queues, \
             and a TCP socket what TCP knows of the connection. crib-top packets -J:",
        )
        .example(
            r#"{"schema":1,"source":"bpf","kernel":...,"time":...,"pid":1,"fd":3,
 "socket":SOCKET|null,"pipe":PIPE|null,"queues":[
  {"name":"receive","messages":2,"payload":13,"memory":1664,
   "torn":false,"complete":true,"packets":[PACKET...]}]}"#,
        )
        .text(&format!(
            "name is one of {}. A queue that the socket doesn't have is left out. torn says that \
             it changed while it was read, as often as it was tried: packets may be missing or be \
             there twice. complete says that packets are all that there are. PACKET:",
            QueueName::ALL.map(QueueName::name).join(", ")
        ))
        .example(
            r#"{"index":0,"len":8,"truesize":832,"time":"..."|null,
 "from":"127.0.0.1:5353"|null,"seq":null,"end_seq":null,
 "tcp_flags":["PSH","ACK"]|null,
 "parts":{"linear":8,"paged":0,"frags":0},"consumed":0,
 "files":[FILE...],"headers":"4500...","captured":8,
 "payload":"68656c6c6f210a00","unreadable":0,"torn":false}"#,
        )
        .text(
            "len is what a reader would get, without the consumed bytes, which a stream's reader \
             took before, or which TCP received twice. files are in flight in the message (SCM_RIGHTS) and have no fd; a \
             socket among them has queues, or deeper where it was not looked into: it lies too deep, or \
             is in flight in another place before, which has its queues. \
             headers and payload are hexadecimal; captured counts the bytes that were read, \
             unreadable those that were asked for and could not be: they are 0 in payload. Both, \
             and what --payload cut off, make up len.",
        )
        .text("crib-top bench -J:")
        .example(
            r#"{"schema":1,"source":...,"kernel":...,"time":...,
 "workload":{"fds":19600,"sockets":1000,"packets":10,
   "bytes":1024,"rounds":5},"calls_unknown":"..."|null,
 "sections":[{"name":"files","title":"...","items":19603,
   "item":"fd","base":"empty iterator",
   "ours":"crib-top, steady","ways":[WAY...]}]}"#,
        )
        .text(
            "name is one of files, sockets, transports, system, tracing. ratio is the median by that of \
             base, ratio_to_ours by that of ours. calls_unknown says why system calls were not \
             counted. -j prints one WAY a line, with its section. WAY:",
        )
        .example(
            r#"{"name":"lsof","median_ns":254000000,"min_ns":249000000,
 "max_ns":444000000,"rounds":5,"per_item_ns":12945.1,
 "ratio":50.7,"ratio_to_ours":11.5,"syscalls":179651|null,
 "blind":["queues"],"skipped":"lsof is not installed"|null}"#,
        )
        .text("crib-top ps -J:")
        .example(
            r#"{"schema":1,"source":...,"kernel":...,"time":...,
 "processes":[{"pid":1,"comm":"x","uid":0,"user":"root",
   "fd_count":3,"fd_limit":1024,"sockets":1,
   "recv_payload":0,"send_payload":0}]}"#,
        )
        .text("crib-top leaks -J:")
        .example(
            r#"{"schema":1,"source":...,"kernel":...,"time":...,"pid":1,
 "seconds":30.0,"suspected":true,"fd_count":613,"fd_limit":1024,
 "seconds_to_limit":41.1|null,
 "traced":{"at":"fd_install"|"sys_exit","lost":0}|null,"groups":[
  {"kind":"socket","label":"inet dgram udp","count":412,
   "opened":310,"closed":10,"per_second":10.0,
   "oldest_seconds":29.5,"suspected":true,
   "stack":[FRAME...]|null,"stack_opened":300|null,
   "examples":[FILE...]}]}"#,
        )
        .text(
            "The group that is suspected most comes first. per_second is the growth: of a \
             suspected group, of the files that stay; of another, opened less closed. \
             seconds_to_limit is the time until all suspected groups together reach the limit on \
             descriptors. examples are files of the group, those that were opened first during \
             the watch. traced says where openings were seen, and how many were lost for want of \
             room. stack is there for suspected groups, innermost frame first; FRAME:",
        )
        .example(
            r#"{"address":"0x7f0a5c10adc7","symbol":"socket"|null,
 "module":"libc.so.6"|null,"offset":1093063|null,
 "file":"./socket/socket.c"|null,"line":120|null}"#,
        )
        .text("crib-top lint -J:")
        .example(
            r#"{"schema":1,"source":...,"kernel":...,"time":...,"pid":1,
 "comm":"x","seconds":6.0,"readings":31,"fd_count":3,
 "fd_limit":1024,"complete":true,"findings":[
  {"fd":3|null,"tid":null,"kind":"socket"|null,"label":"..."|null,
   "name":"peer-gone","seen":"...","means":"...","look":"..."}]}"#,
        )
        .text("fd, kind and label are null where a finding is about the process as a whole.")
}

fn rest() -> [Section; 5] {
    [
        Section::new("NAMESPACES")
            .text(
                "Processes have the ids of the pid namespace that crib-top runs in, and those \
                 that have none there are not shown; users are those of its user namespace, and \
                 unknown where they have no id there. Addresses of sockets are those of the \
                 socket's own network namespace, whose inode number is netns.",
            )
            .text(
                "A path is told from the root directory of crib-top where the file can be reached \
                 from there, and else from the top of the mounts that the file is on, as the \
                 links in /proc/PID/fd do. Of a process with mounts of its own, as in a container, \
                 paths are thus as that sees them; crib-top says so, and from outside they are \
                 below /proc/PID/root. What was mounted there and is not any more begins with its \
                 own root directory.",
            ),
        Section::new("PRIVILEGES")
            .text(
                "Reading by BPF takes CAP_BPF and CAP_PERFMON in the initial user namespace; \
                 CAP_SYS_PTRACE tells threads with a descriptor table of their own, and with \
                 CAP_DAC_READ_SEARCH it reads /proc of other users' processes. Without root:",
            )
            .example("sudo setcap cap_bpf,cap_perfmon,cap_sys_ptrace=ep /usr/local/bin/crib-top")
            .text(
                "Whoever may execute that file may read what any process holds. All other \
                 capabilities are given up at the start, most of these when the programs are \
                 loaded, and all when what was asked for has been read. doctor says what is \
                 missing.",
            ),
        Section::new("EXIT STATUS")
            .entry([bold("0")], "Done. A closed pipe is not an error.")
            .entry([bold("1")], "The target doesn't exist or went away, or nothing matched.")
            .entry([bold("2")], "The arguments can't be followed.")
            .entry(
                [bold("3")],
                "A privilege or a kernel feature is missing; the message names it and the remedy.",
            )
            .entry([bold("10")], "leaks suspects a leak.")
            .text("Diagnostics go to standard error, one line each."),
        Section::new("ENVIRONMENT")
            .entry([bold("NO_COLOR")], "No colors are used when it is set and not empty."),
        Section::new("SEE ALSO").text("lsfd(1), lsof(8), ss(8), scols-filter(5), proc(5)"),
    ]
}
