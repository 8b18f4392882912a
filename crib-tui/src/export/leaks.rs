//! What a watch of one process came to, as text or JSON.

use std::io::{self, Write};

use serde::Serialize;

use super::json::{self, Header};
use super::table::{Layout, write_cells, write_line};
use crate::model::column::Align;
use crate::model::leaks::{LeakGroup, Leaks, Traced};
use crate::model::{PerSecond, Seconds};

/// The document of `leaks`.
#[derive(Serialize)]
struct Document<'a> {
    #[serde(flatten)]
    header: &'a Header,
    pid: u32,
    seconds: f64,
    suspected: bool,
    fd_count: u64,
    fd_limit: Option<u64>,
    seconds_to_limit: Option<f64>,
    traced: Option<Traced>,
    groups: &'a [LeakGroup],
}

/// One group with the process that it is of, as a line of its own.
#[derive(Serialize)]
struct Line<'a> {
    pid: u32,
    #[serde(flatten)]
    group: &'a LeakGroup,
}

/// Writes the document.
///
/// # Errors
/// Those of writing.
pub fn document(out: &mut impl Write, header: &Header, leaks: &Leaks) -> io::Result<()> {
    let tenth = |seconds: f64| (seconds * 10.0).round() / 10.0;
    let document = Document {
        header,
        pid: leaks.process.pid,
        seconds: (leaks.seconds * 1000.0).round() / 1000.0,
        suspected: leaks.is_suspected(),
        fd_count: leaks.fd_count,
        fd_limit: leaks.process.fd_limit,
        seconds_to_limit: leaks.seconds_to_limit.map(tenth),
        traced: leaks.traced,
        groups: &leaks.groups,
    };
    json::line(out, &document)
}

/// Writes one group a line.
///
/// # Errors
/// Those of writing.
pub fn lines(out: &mut impl Write, leaks: &Leaks) -> io::Result<()> {
    let pid = leaks.process.pid;
    leaks.groups.iter().try_for_each(|group| json::line(out, &Line { pid, group }))
}

/// Writes what a person wants to know: the sum, the groups that changed, and who opened those
/// that are suspected.
///
/// # Errors
/// Those of writing.
pub fn text(out: &mut impl Write, leaks: &Leaks, layout: Layout) -> io::Result<()> {
    let changed = |group: &&LeakGroup| group.suspected || group.opened + group.closed > 0;
    let shown: Vec<&LeakGroup> = leaks.groups.iter().filter(changed).collect();
    for line in summary(leaks) {
        write_line(out, &line, layout)?;
    }
    if !shown.is_empty() {
        writeln!(out)?;
        write_cells(out, &HEADINGS, shown.iter().map(|group| cells(group)).collect(), layout)?;
    }
    let unchanged = leaks.groups.len() - shown.len();
    if unchanged > 0 {
        let others = if shown.is_empty() { "" } else { "other " };
        let groups = if unchanged == 1 { "group" } else { "groups" };
        write_line(out, &format!("{unchanged} {others}{groups} did not change"), layout)?;
    }
    for group in shown.iter().filter(|group| group.suspected) {
        evidence(out, group, layout)?;
    }
    if let Some(Traced { lost: lost @ 1.., .. }) = leaks.traced {
        writeln!(out)?;
        let line = format!("{lost} openings were lost: there was no room for them or their stacks");
        write_line(out, &line, layout)?;
    }
    Ok(())
}

const HEADINGS: [(&str, Align); 8] = [
    ("LEAK", Align::Left),
    ("KIND", Align::Left),
    ("FDS", Align::Right),
    ("OPENED", Align::Right),
    ("CLOSED", Align::Right),
    ("GROWTH", Align::Right),
    ("OLDEST", Align::Right),
    ("LABEL", Align::Left),
];

fn cells(group: &LeakGroup) -> Vec<String> {
    vec![
        if group.suspected { "yes" } else { "no" }.into(),
        group.kind.name().into(),
        group.count.to_string(),
        group.opened.to_string(),
        group.closed.to_string(),
        PerSecond(group.per_second).to_string(),
        group.oldest_seconds.map(|age| Seconds(age).to_string()).unwrap_or_default(),
        group.label.to_string(),
    ]
}

/// What was watched, and what comes of it.
fn summary(leaks: &Leaks) -> Vec<String> {
    let process = &leaks.process;
    let limit = process.fd_limit.map(|limit| format!(" of {limit}")).unwrap_or_default();
    let mut lines = vec![format!(
        "{} ({}), watched for {}: {}{limit} descriptors",
        process.pid,
        process.comm,
        Seconds(leaks.seconds),
        leaks.fd_count,
    )];
    let suspected = leaks.groups.iter().filter(|group| group.suspected).count();
    lines.push(match (suspected, leaks.seconds_to_limit) {
        (0, _) => "no leak is suspected: no group only grows".into(),
        (_, None) => {
            format!("a leak is suspected: descriptors grow by {}", PerSecond(leaks.per_second))
        }
        (_, Some(seconds)) => format!(
            "a leak is suspected: descriptors grow by {}; the limit is reached in {}",
            PerSecond(leaks.per_second),
            Seconds(seconds)
        ),
    });
    lines
}

/// Who opened the files of a suspected group, and some of them.
fn evidence(out: &mut impl Write, group: &LeakGroup, layout: Layout) -> io::Result<()> {
    let fds: Vec<String> =
        group.examples.iter().filter_map(|file| file.fd).map(|fd| fd.to_string()).collect();
    writeln!(out)?;
    let such = if fds.is_empty() { String::new() } else { format!(", such as {}", fds.join(", ")) };
    let title = format!("{} {}{such}", group.kind.name(), group.label);
    write_line(out, &title, layout)?;
    if let (Some(_), Some(opened)) = (&group.stack, group.stack_opened) {
        let title = format!("  {opened} of {} opened by", group.opened);
        write_line(out, &title, layout)?;
    }
    let frames = group.stack.iter().flat_map(|stack| stack.iter());
    frames
        .enumerate()
        .try_for_each(|(n, frame)| write_line(out, &format!("  #{n:<2} {}", frame), layout))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::Arc;

    use serde_json::Value;

    use super::*;
    use crate::model::leaks::{Frame, TracedAt};
    use crate::model::{Kind, Source, sample};

    fn group(label: &str, suspected: bool, (opened, closed): (u64, u64)) -> LeakGroup {
        LeakGroup {
            kind: Kind::Socket,
            label: label.into(),
            count: 5 + opened - closed,
            opened,
            closed,
            per_second: (opened - closed) as f64 / 30.0,
            oldest_seconds: Some(29.987_654_321),
            suspected,
            stack: None,
            stack_opened: None,
            examples: Vec::new(),
            opener: None,
            is_wider: false,
        }
    }

    fn frame(address: u64, symbol: Option<&str>, file: Option<&str>) -> Frame {
        Frame {
            address,
            symbol: symbol.map(Into::into),
            module: Some("ser\x1bver".into()),
            offset: Some(address & 0xfff),
            file: file.map(Into::into),
            line: file.map(|_| 17),
        }
    }

    fn leaks(groups: Vec<LeakGroup>) -> Leaks {
        let per_second = if groups.iter().any(|group| group.suspected) { 10.0 } else { 0.0 };
        Leaks {
            source: Source::Bpf,
            time: sample::time(),
            process: sample::process(),
            seconds: 30.000_4,
            fd_count: 412,
            per_second,
            seconds_to_limit: (per_second > 0.0).then_some(61.2),
            traced: Some(Traced { at: TracedAt::FdInstall, lost: 0 }),
            groups,
        }
    }

    fn suspected() -> Leaks {
        let mut group = group("inet stream tcp 10.0.0.1:\x1b[31m", true, (310, 10));
        group.examples =
            sample::reading().files[3..5].iter().map(|file| (**file).clone()).collect();
        group.stack_opened = Some(300);
        group.stack = Some(Arc::from([
            frame(0x7f00_1234, Some("socket"), None),
            frame(0x40_0567, Some("server::connect"), Some("src/connect.rs")),
            frame(0x40_0abc, None, None),
        ]));
        leaks(vec![group, self::group("/var/log/app.*", false, (0, 0))])
    }

    fn printed(leaks: &Leaks) -> String {
        printed_in(leaks, false)
    }

    fn printed_in(leaks: &Leaks, ascii: bool) -> String {
        let mut out = Vec::new();
        let layout = Layout { headings: true, ascii, width: None };
        text(&mut out, leaks, layout).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_leak_for_people() {
        insta::assert_snapshot!(printed(&suspected()));
    }

    #[test]
    fn what_is_no_ascii_is_escaped_where_that_is_asked_for() {
        let mut group = group("/tmp/\u{e9}", true, (310, 10));
        group.stack = Some(Arc::from([frame(1, Some("\u{e9}t\u{e9}"), Some("\u{fc}.rs"))]));
        let mut leaks = leaks(vec![group]);
        leaks.process.comm = "na\u{ef}ve".into();
        assert!(!printed(&leaks).is_ascii());
        let text = printed_in(&leaks, true);
        assert!(text.is_ascii() && text.contains(r"(na\xc3\xafve)"), "{text}");
    }

    #[test]
    fn no_leak_for_people() {
        let churn = group("inet dgram udp", false, (300, 299));
        insta::assert_snapshot!(printed(&leaks(vec![churn, group("/x", false, (0, 0))])));
        let nothing = printed(&leaks(vec![group("/x", false, (0, 0))]));
        assert!(nothing.ends_with("no group only grows\n1 group did not change\n"), "{nothing}");
    }

    #[test]
    fn the_document_has_the_fields_of_the_manual() {
        let mut out = Vec::new();
        let header = Header::new(Source::Bpf, Some("6.18.44".into()), sample::time());
        document(&mut out, &header, &suspected()).unwrap();
        let document: Value = serde_json::from_slice(&out).unwrap();
        let names = |value: &Value| -> BTreeSet<String> {
            value.as_object().unwrap().keys().cloned().collect()
        };
        let set = |names: &str| names.split_whitespace().map(str::to_owned).collect();
        let fields: BTreeSet<String> = set("schema source kernel time pid seconds suspected \
                                            fd_count fd_limit seconds_to_limit traced groups");
        assert_eq!(names(&document), fields);
        assert_eq!((&document["seconds"], &document["suspected"]), (&30.0.into(), &true.into()));
        let group = &document["groups"][0];
        let fields: BTreeSet<String> = set("kind label count opened closed per_second \
                                            oldest_seconds suspected stack stack_opened examples");
        assert_eq!(names(group), fields);
        assert_eq!(group["oldest_seconds"], 29.987654);
        assert_eq!(group["examples"][0]["fd"], 3);
        let frame = &group["stack"][1];
        let fields: BTreeSet<String> = set("address symbol module offset file line");
        assert_eq!(names(frame), fields);
        assert_eq!(frame["address"], "0x400567");
        assert!(document["groups"][1]["stack"].is_null());

        let mut out = Vec::new();
        lines(&mut out, &suspected()).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert_eq!(text.lines().count(), 2);
        let line: Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
        assert_eq!((&line["pid"], &line["opened"]), (&4242.into(), &310.into()));
    }

    #[test]
    fn rates_and_times_have_the_unit_that_fits() {
        let rates = [10.0, 1.0, 0.5, -2.0, 1.0 / 60.0, 0.001, 0.00001, 0.0]
            .map(|rate| PerSecond(rate).to_string());
        let expected =
            ["+10.0/s", "+1.0/s", "+30.0/min", "-2.0/s", "+1.0/min", "+3.6/h", "+0.0/h", "0"];
        assert_eq!(rates, expected);
        let times =
            [0.04, 59.4, 59.6, 812.0, 18_420.0, 1e6, 1e300].map(|age| Seconds(age).to_string());
        assert_eq!(times[..6], ["0.0s", "59.4s", "1m00s", "13m32s", "5h07m", "11d"]);
    }
}
