use clap::Parser;
use rstest::rstest;

use super::*;
use crate::model::QueueName;

const TERMINAL: Environment = Environment { interactive: true, no_color: false };
const PIPE: Environment = Environment { interactive: false, no_color: false };

fn resolve(arguments: &str, environment: Environment) -> Result<Settings, SettingsError> {
    let arguments = ["crib-top"].into_iter().chain(arguments.split_whitespace());
    Settings::resolve(&Cli::try_parse_from(arguments).unwrap(), environment)
}

fn task(arguments: &str, environment: Environment) -> Task {
    resolve(arguments, environment).unwrap().task
}

#[test]
fn without_a_command_it_is_the_live_view_on_a_terminal_and_a_table_elsewhere() {
    let Task::Watch(watch) = task("-p 1 -d 500ms -Q socket", TERMINAL) else {
        panic!("no live view");
    };
    assert_eq!(watch.target, Some(Target::Pid(1)));
    assert_eq!(watch.delay, Duration::from_millis(500));
    assert!(watch.filter.as_deref() == Some("socket"));
    assert!(matches!(task("", TERMINAL), Task::Watch(Watch { target: None, .. })));

    assert!(matches!(task("-p 1", PIPE), Task::Print(Print::Files { .. })));
    assert!(matches!(task("-p 1 -J", TERMINAL), Task::Print(Print::Files { .. })));
    assert!(matches!(task("", PIPE), Task::Print(Print::Processes { .. })));
    assert!(matches!(task("-j", TERMINAL), Task::Print(Print::Processes { .. })));
}

#[test]
fn targets_are_pids_and_names() {
    let Task::Print(Print::Files { targets, output, .. }) = task("files -p 12,sshd,12,7z", PIPE)
    else {
        panic!("no files");
    };
    let name = |name: &str| Target::Name(name.into());
    assert_eq!(targets, [Target::Pid(12), name("sshd"), name("7z")]);
    assert_eq!(output.format, Format::Table);
    assert!(output.headings && output.columns.is_none() && output.filter.is_none());
}

#[test]
fn other_ends_are_looked_for_where_they_are_asked_for() {
    for (arguments, expected) in [
        ("files -p 1", false),
        ("files -p 1 --peers", true),
        ("files -p 1 -o +PEER", true),
        ("files -p 1 -o FD,HOLDERS", true),
        ("files -p 1 -Q HOLDERS", true),
        ("files -p 1 -Q FD<3||(not(SOCK.PEER.PID==7))", true),
        ("files -p 1 -Q FD<3||(not(SOCK.PEER.INO==7))", false),
        ("-p 1 -o PEER", true),
        ("-p 1", false),
    ] {
        let Task::Print(Print::Files { peers, .. }) = task(arguments, PIPE) else {
            panic!("no files");
        };
        assert_eq!(peers, expected, "{arguments}");
    }
}

/// The help of each command lists the flags of all.
#[test]
fn what_a_command_refuses_its_help_says() {
    use clap::CommandFactory;

    let mut cli = Cli::command();
    cli.build();
    for command in cli.get_subcommands() {
        let name = command.get_name();
        let told = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        let given = match name {
            "packets" => "-p 1 --fd 1",
            "files" | "leaks" | "lint" | "dump" => "-p 1",
            _ => "",
        };
        for flag in ["-p 1", "-Q 1", "-o FD", "-H"] {
            let given = if flag.starts_with("-p") { "" } else { given };
            let refused = match resolve(&format!("{name} {given} {flag}"), PIPE) {
                Err(error) => error.to_string().contains("takes no"),
                Ok(_) => false,
            };
            let refuses = told.split(';').next().unwrap_or_default();
            assert_eq!(refuses.contains(&flag[..2]), refused, "{name} {flag}");
        }
    }
}

#[test]
fn what_only_a_sweep_finds_is_refused_where_none_is_made() {
    for command in ["lint -p 1", "lint -p 1 --for 1s", "dump -p 1"] {
        for column in ["PEER", "HOLDERS", "SOCK.PEER.PID"] {
            let error = resolve(&format!("{command} -Q {column}"), PIPE).unwrap_err().to_string();
            assert!(error.contains("is found among all processes"), "{command}: {error}");
        }
    }
}

#[test]
fn packets_are_of_one_file_and_all_its_queues_unless_one_is_named() {
    let of = |arguments: &str, environment| {
        let Task::Print(Print::Packets { target, packets, output }) = task(arguments, environment)
        else {
            panic!("no packets");
        };
        assert_eq!(target, Target::Pid(7));
        (packets.request(7), output)
    };
    let text = |hex| PacketsOutput::Text { hex, headings: true };
    let (request, output) = of("packets -p 7 --fd 3", TERMINAL);
    assert_eq!((request, output), (Dump::file(7, 3), text(false)));
    let (request, output) =
        of("packets -p 7 --fd 3 --queue out_of_order --payload 1K --hex", TERMINAL);
    assert_eq!((request.queues, request.payload), (vec![QueueName::OutOfOrder], 1024));
    assert_eq!(output, text(true));
    let pcap =
        |file: &str, environment| of(&format!("-p 7 packets --fd 3 --pcap {file}"), environment).1;
    assert_eq!(pcap("-", PIPE), PacketsOutput::Pcap(PcapTarget::Stdout));
    assert_eq!(pcap("x", TERMINAL), PacketsOutput::Pcap(PcapTarget::File("x".into())));
}

#[test]
fn a_watch_reads_as_often_as_its_length_asks_for() {
    let of = |arguments: &str| {
        let Task::Print(Print::Leaks { leaks, .. }) = task(arguments, PIPE) else {
            panic!("no leaks");
        };
        (leaks.duration.as_secs_f64(), leaks.interval.as_secs_f64())
    };
    assert_eq!(of("leaks -p 1"), (30.0, 1.0));
    assert_eq!(of("leaks -p 1 --for 1h"), (3600.0, 1.0));
    assert_eq!(of("leaks -p 1 --for 3s"), (3.0, 0.1));
    assert_eq!(of("leaks -p 1 --for 200ms"), (0.2, 0.05));
    assert_eq!(of("leaks -p 1 --for 2m -d 5s"), (120.0, 5.0));
}

#[test]
fn a_filter_and_columns_are_those_of_the_command() {
    assert!(resolve("ps -Q FDS>9 -o PID,FDS", PIPE).is_ok());
    assert!(resolve("files -p1 -Q FDS>9", PIPE).is_err());
    assert!(matches!(task("ps -H", PIPE), Task::Print(Print::ProcessColumns { .. })));
    assert!(matches!(task("files -H", PIPE), Task::Print(Print::FileColumns { .. })));
    assert!(matches!(task("-H", TERMINAL), Task::Print(Print::FileColumns { .. })));
}

#[test]
fn colors_are_off_when_either_says_so() {
    let color = |arguments, environment| resolve(arguments, environment).unwrap().style.color;
    assert!(color("", TERMINAL));
    assert!(!color("--no-color", TERMINAL));
    assert!(!color("", Environment { no_color: true, ..TERMINAL }));
}

#[rstest]
#[case("1s", 1000)]
#[case("250ms", 250)]
#[case("0.5s", 500)]
#[case("60m", 3_600_000)]
fn a_delay_has_a_unit(#[case] text: &str, #[case] milliseconds: u64) {
    assert_eq!(values::delay(text), Ok(Duration::from_millis(milliseconds)));
}

#[test]
fn a_payload_is_a_number_of_bytes() {
    assert_eq!(values::payload("0"), Ok(0));
    assert_eq!(values::payload("2K"), Ok(2048));
    assert_eq!(values::payload("8G"), Ok(u32::MAX));
    assert!(values::payload("-1").is_err());
    let watch = |arguments: &str| {
        let Task::Watch(watch) = task(arguments, TERMINAL) else { panic!("no live view") };
        watch.payload
    };
    assert_eq!((watch("-p 7"), watch("-p 7 --payload 0")), (None, Some(0)));
}

#[test]
fn a_benchmark_is_as_large_as_asked_or_as_the_limit_allows() {
    let of = |arguments| {
        let Task::Print(Print::Bench { bench, .. }) = task(arguments, PIPE) else {
            panic!("no benchmark");
        };
        bench
    };
    let (plan, note) = of("bench").plan(20_000).unwrap();
    assert_eq!((plan.fds, plan.sockets, plan.packets, plan.bytes), (19_600, 1000, 10, 1024));
    assert_eq!((plan.rounds, note), (5, None));
    let (plan, note) = of("bench").plan(4096).unwrap();
    assert_eq!(plan.fds, 4080);
    assert!(note.unwrap().contains("RLIMIT_NOFILE"));
    let (plan, note) = of("bench --fds 2K --bytes 2K --rounds 9").plan(4096).unwrap();
    assert_eq!((plan.fds, plan.bytes, plan.rounds, note), (2048, 2048, 9, None));
    let errors = ["bench --fds 5000", "bench --sockets 4081"]
        .map(|arguments| of(arguments).plan(4096).unwrap_err().to_string());
    assert!(
        errors[0].starts_with("--fds 5000 is more than RLIMIT_NOFILE allows here, which is 4080")
    );
    assert!(errors[1].starts_with("--sockets 4081 is more"), "{}", errors[1]);
}

#[test]
fn lints_are_all_wanted_but_those_that_are_named() {
    let wanted = |arguments: &str| match task(arguments, TERMINAL) {
        Task::Watch(watch) => watch.lints,
        Task::Print(Print::Files { output, .. } | Print::Dump { output, .. }) => output.lints,
        Task::Print(Print::Lint { output, .. }) => output.lints,
        _ => panic!("no lints"),
    };
    use crate::model::lint::Lint;
    for command in ["", "files", "dump", "lint"] {
        assert_eq!(wanted(&format!("{command} -p 1")), LintSet::ALL);
        let some = wanted(&format!("{command} -p 1 --no-lint peer-gone,fd-limit"));
        assert_eq!(some, LintSet::ALL.without(Lint::PeerGone).without(Lint::FdLimit));
        assert!(wanted(&format!("{command} -p 1 --no-lint all")).is_empty());
    }
    let listed = task("--list-lints", TERMINAL);
    assert!(matches!(listed, Task::Print(Print::Lints { format: Format::Table, .. })));
}

#[test]
fn lint_reads_once_unless_it_is_told_for_how_long() {
    let of = |arguments| {
        let Task::Print(Print::Lint { target, watch, .. }) = task(arguments, TERMINAL) else {
            panic!("no lint");
        };
        assert_eq!(target, Target::Pid(7));
        watch.map(|watch| (watch.duration.as_millis(), watch.interval.as_millis()))
    };
    assert_eq!(of("lint -p 7"), None);
    assert_eq!(of("lint -p 7 --for 6s"), Some((6_000, 200)));
    assert_eq!(of("lint -p 7 --for 5m"), Some((300_000, 1_000)));
    assert_eq!(of("lint -p 7 --for 6s -d 2s"), Some((6_000, 2_000)));
}

#[test]
fn each_bad_argument_has_a_message_that_says_what_to_do() {
    let errors: Vec<String> = [
        "files",
        "-p 1,2",
        "-p 1 -o +INO",
        "-n",
        "files -p 1,,2",
        "files -p 99999999999",
        "-d 5",
        "-d 5h",
        "-d soon",
        "-d 1.2.3s",
        "-d 0s",
        "-d 61m",
        "--payload lots",
        "files -p 1 -o FD,NAM",
        "ps -o FD",
        "files -p 1 -Q FD=",
        "files -p 1 -J -j",
        "files -p 1 -J -o FD",
        "doctor -p 1",
        "doctor -H",
        "bench --fds 0",
        "bench --sockets x",
        "bench --packets 100K",
        "bench --bytes 9K",
        "bench --rounds 1001",
        "bench --sockets 1M --bytes 8K",
        "bench -p 1",
        "bench --source procfs",
        "bench -H",
        "packets --fd 3",
        "packets -p 1",
        "packets -p 1,2 --fd 3",
        "packets -p 1 --fd three",
        "packets -p 1 --fd 3 --queue recv",
        "packets -p 1 --fd 3 -J --hex",
        "packets -p 1 --fd 3 -j --pcap x",
        "packets -p 1 --fd 3 --hex --pcap x",
        "packets -p 1 --fd 3 --pcap -",
        "packets -p 1 --fd 3 -Q socket",
        "packets -H",
        "dump",
        "dump -p 1 -o FD",
        "leaks",
        "leaks -p 1,2",
        "leaks -p 1 --for 30",
        "leaks -p 1 --for ever",
        "leaks -p 1 --for 0s",
        "leaks -p 1 --for 3s -d 1s",
        "leaks -p 1 -Q socket",
        "leaks -H",
        "lint",
        "lint -p 1,2",
        "lint -p 1 --for 5",
        "lint -p 1 -o FD",
        "lint -H",
        "files -p 1 --no-lint close-wait,closewait",
        "files -p 1 --no-lint ,",
        "--no-lint x",
    ]
    .map(|arguments| resolve(arguments, TERMINAL).unwrap_err().to_string())
    .into();
    insta::assert_snapshot!(errors.join("\n"));
}
