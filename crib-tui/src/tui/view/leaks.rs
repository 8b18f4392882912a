//! What grows in a process, and who opens it.

use ratatui::buffer::Buffer;

use super::layout::Regions;
use super::say;
use crate::model::groups::GroupName;
use crate::model::leaks::{LeakGroup, Leaks};
use crate::model::{PerSecond, Seconds, count};
use crate::tui::app::screens::{LeakLink, LeaksScreen};
use crate::tui::app::{Files, Phase};
use crate::tui::format::name;
use crate::tui::theme::{Glyphs, Theme};
use crate::tui::view::cells;
use crate::tui::widget::sheet::SheetLine;
use crate::tui::worker::Tracing;

/// The report: what comes of the watch, then the suspected groups with their evidence, then the
/// others that changed.
pub fn lines(report: &Leaks, tracing: &Tracing, glyphs: &Glyphs) -> Vec<SheetLine<LeakLink>> {
    let mut lines = vec![SheetLine::Section("Watch")];
    lines.push(SheetLine::Field("watched for", Seconds(report.seconds).to_string()));
    let limit = report.process.fd_limit.map(|limit| format!(" of {limit}")).unwrap_or_default();
    lines.push(SheetLine::Field("descriptors", format!("{}{limit}", report.fd_count)));
    lines.push(SheetLine::Field("openings", tracing_in_words(tracing)));
    if let Some(lost) = lost(tracing) {
        let text = format!("{lost}: there was no room for them or their stacks");
        lines.push(SheetLine::Note(text));
    }
    lines.push(SheetLine::Empty);
    let (suspects, others): (Vec<_>, Vec<_>) =
        report.groups.iter().partition(|group| group.suspected);
    match report.seconds_to_limit {
        _ if suspects.is_empty() => {
            lines.push(SheetLine::Section("No leak is suspected"));
            lines.push(SheetLine::Text("No group only grows so far.".into()));
        }
        limit => {
            lines.push(SheetLine::Section("A leak is suspected"));
            let rate = PerSecond(report.per_second);
            lines.push(SheetLine::Note(match limit {
                Some(limit) => {
                    format!(
                        "descriptors grow by {rate}; the limit is reached in {}",
                        Seconds(limit)
                    )
                }
                None => format!("descriptors grow by {rate}"),
            }));
        }
    }
    for group in suspects {
        lines.push(SheetLine::Empty);
        lines.push(SheetLine::Heading(heading()));
        lines.push(link(group, glyphs));
        // Before the stack, which may be long.
        lines.extend(group.examples.iter().filter_map(|file| {
            let fd = file.fd?;
            let text = format!("       fd {fd}  {}", cells::name(file, glyphs));
            Some(SheetLine::Link(LeakLink::File { tid: file.tid, fd }, text))
        }));
        if let (Some(_), Some(opened)) = (&group.stack, group.stack_opened) {
            lines.push(SheetLine::Heading(format!("  {opened} of {} opened by", group.opened)));
        }
        let frames = group.stack.iter().flat_map(|stack| stack.iter()).enumerate();
        lines.extend(
            frames.map(|(n, frame)| SheetLine::Text(format!("#{n:<2} {}", name(frame, glyphs)))),
        );
    }
    let changed: Vec<_> = others.iter().filter(|group| group.opened + group.closed > 0).collect();
    if !changed.is_empty() {
        lines.push(SheetLine::Empty);
        lines.push(SheetLine::Section("Changed"));
        lines.push(SheetLine::Heading(heading()));
        lines.extend(changed.iter().map(|group| link(group, glyphs)));
    }
    let unchanged = others.len() - changed.len();
    if unchanged > 0 {
        lines.push(SheetLine::Empty);
        lines.push(SheetLine::Text(format!("{} did not change", count(unchanged as u64, "group"))));
    }
    lines
}

/// Whether and where openings are traced.
pub fn tracing_in_words(tracing: &Tracing) -> String {
    match tracing {
        Tracing::Off => "not traced; `o` traces who opens files".to_owned(),
        Tracing::Refused(why) => why.clone(),
        Tracing::On(traced) => format!("traced {}", traced.at.in_words()),
    }
}

/// How many openings were lost, if any.
pub fn lost(tracing: &Tracing) -> Option<String> {
    let Tracing::On(traced) = tracing else { return None };
    (traced.lost > 0).then(|| format!("{} lost", count(traced.lost, "opening")))
}

fn heading() -> String {
    row("FDS", "OPENED", "CLOSED", "GROWTH", "OLDEST", "GROUP")
}

fn link(group: &LeakGroup, glyphs: &Glyphs) -> SheetLine<LeakLink> {
    let text = row(
        &group.count.to_string(),
        &group.opened.to_string(),
        &group.closed.to_string(),
        &PerSecond(group.per_second).to_string(),
        &group.oldest_seconds.map(|age| Seconds(age).to_string()).unwrap_or_default(),
        &format!("{} {}", group.kind.name(), name(&group.label, glyphs)),
    );
    let name = if group.is_wider { GroupName::Wider } else { GroupName::Label };
    SheetLine::Link(LeakLink::Group(name(group.kind, group.label.clone())), text)
}

fn row(fds: &str, opened: &str, closed: &str, growth: &str, oldest: &str, group: &str) -> String {
    format!("{fds:>7} {opened:>7} {closed:>7} {growth:>9} {oldest:>7}  {group}")
}

/// Draws the report, or that it is on its way.
pub fn draw(
    files: &Files,
    screen: &LeaksScreen,
    regions: &Regions,
    buffer: &mut Buffer,
    theme: &Theme,
) {
    if screen.told {
        screen.sheet.draw(buffer, regions.body, theme);
    } else {
        let alive = files.phase == Phase::Alive;
        let text = if alive { "reading its open files" } else { "the process has ended" };
        say(buffer, regions.body, text, theme.dim, theme);
    }
}
