//! Drawing: pure functions of the state, one file a screen, and what all screens share.

pub mod cells;
mod crumbs;
pub mod ends;
pub mod file;
pub mod files;
pub mod groups;
pub mod help;
pub mod layout;
pub mod leaks;
mod lines;
pub mod lints;
pub mod packet;
pub mod picker;
pub mod queue;
mod socket;
#[cfg(test)]
mod tests;
mod title;

use ratatui::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use self::layout::{Regions, Wants};
use super::app::{App, Body, Message, Prompt};
use super::format::cut_end;
use super::keys::{self, Context};
use super::theme::Theme;
use super::widget::bar::{self, Part};
use crate::model::column::Value;

/// Below so many seconds, the time until a limit is reached is a warning.
const SOON: f64 = 3600.0;

/// Draws the whole screen.
pub fn draw(app: &App, frame: &mut Frame<'_>) {
    let regions = regions(app, frame.area());
    let buffer = frame.buffer_mut();
    let (left, right) = title::parts(app, regions.title.width);
    bar::draw(buffer, regions.title, left, right);
    if let Some((text, style)) = title::notice(app) {
        say(buffer, regions.notice, &text, style, &app.theme);
    }
    match (app.help, &app.files) {
        (Some(scroll), _) => help::draw(app, scroll, &regions, buffer),
        (None, Some(files)) => match files.screens.last().map(|screen| &screen.body) {
            None => files::draw(app, files, &regions, buffer),
            Some(Body::File(screen)) => screen.sheet.draw(buffer, regions.body, &app.theme),
            Some(Body::Queue(screen)) => queue::draw(app, screen, &regions, buffer),
            Some(Body::Packet(screen)) => screen.sheet.draw(buffer, regions.body, &app.theme),
            Some(Body::Groups(screen)) => groups::draw(app, files, screen, &regions, buffer),
            Some(Body::Leaks(screen)) => leaks::draw(files, screen, &regions, buffer, &app.theme),
            Some(Body::Ends(screen)) => screen.sheet.draw(buffer, regions.body, &app.theme),
            Some(Body::Lints(screen)) => screen.sheet.draw(buffer, regions.body, &app.theme),
        },
        (None, None) => picker::draw(app, &regions, buffer),
    }
    if let Some((text, style)) = status(app) {
        say(buffer, regions.status, &text, style, &app.theme);
    }
    match &app.prompt {
        None => bar::draw(buffer, regions.bottom, footer(app), Vec::new()),
        Some(prompt) => {
            if let Some(cursor) = draw_prompt(prompt, regions.bottom, &app.theme, buffer) {
                frame.set_cursor_position(cursor);
            }
        }
    }
}

/// Where the parts of the present screen stand in `area`.
pub fn regions(app: &App, area: Rect) -> Regions {
    let context = app.context();
    Regions::of(
        area,
        Wants {
            headings: matches!(
                context,
                Context::Picker | Context::Files | Context::Queue | Context::Groups
            ),
            notice: title::weight(app),
            status: has_status(app),
            typing: app.prompt.is_some(),
        },
    )
}

/// One line of text, cut where it doesn't fit.
fn say(buffer: &mut Buffer, area: Rect, text: &str, style: Style, theme: &Theme) {
    if area.is_empty() {
        return;
    }
    // Where there is room, it stands apart from the edge.
    let indent = if area.width > 30 { 1 } else { 0 };
    let width = area.width - indent;
    let text = cut_end(text, width.into(), &theme.glyphs);
    buffer.set_stringn(area.x + indent, area.y, text, width.into(), style);
}

/// A count; dim where it is nothing.
fn number<'a>(number: Option<u64>, theme: &Theme) -> Line<'a> {
    match number {
        None => dash(theme),
        Some(0) => Line::styled("0", theme.dim),
        Some(number) => Line::raw(number.to_string()),
    }
}

/// What a number with decimal places is sorted by.
fn millionths<'a>(number: Option<f64>) -> Value<'a> {
    number.map_or(Value::Unknown, |number| Value::Int((number * 1e6) as i128))
}

/// What stands for something that isn't known.
fn dash<'a>(theme: &Theme) -> Line<'a> {
    Line::styled("-", theme.dim)
}

/// How alarming a share of the limit is, in percent.
fn usage_style(percent: u64, theme: &Theme) -> Style {
    match percent {
        0..80 => Style::new(),
        80..95 => theme.warning,
        _ => theme.error,
    }
}

/// Whether [`status`] has something to say, without the cost of saying it.
fn has_status(app: &App) -> bool {
    status(app).is_some()
}

/// What is wrong with the line that is typed, or what narrows the table down.
fn status(app: &App) -> Option<(String, Style)> {
    let theme = &app.theme;
    if let Some(prompt) = &app.prompt {
        return prompt.error.clone().map(|error| (error, theme.error));
    }
    match &app.message {
        Some(Message::Done(text)) => return Some((text.clone(), theme.new)),
        Some(Message::Refused(text)) => return Some((text.clone(), theme.error)),
        None => {}
    }
    match (app.context(), &app.files) {
        (Context::Picker, _) if !app.picker.query().is_empty() => {
            Some((format!("search: {}", app.picker.query()), theme.prompt))
        }
        (Context::Files, Some(files)) => {
            let filter = files.arrangement.filter.as_ref().map(|filter| {
                let (shown, all) = (files.order.len(), files.rows().len());
                format!("filter: {}  ({shown} of {all})", filter.text())
            });
            let search = files.search.as_ref().filter(|search| !search.is_empty());
            let search = search.map(|search| format!("search: {search}  (n next, N previous)"));
            let group = files.arrangement.group.as_ref().map(|group| {
                let glyphs = &theme.glyphs;
                format!("group: {}", groups::label(group, &files.watched.frames, glyphs))
            });
            let parts: Vec<_> = group.into_iter().chain(filter).chain(search).collect();
            (!parts.is_empty()).then(|| (parts.join("  "), theme.prompt))
        }
        _ => None,
    }
}

/// The keys; help and quit stay longest, since they lead to the others.
fn footer(app: &App) -> Vec<Part<'static>> {
    keys::footer(app.context())
        .zip(1..)
        .map(|((key, word), place)| {
            let priority = if matches!(key, "?" | "q") { 0 } else { place };
            let key = Span::styled(key, app.theme.key);
            Part::new(priority, [key, Span::styled(format!(" {word}"), app.theme.dim)])
        })
        .collect()
}

/// Draws the line that is typed and says where its cursor stands.
fn draw_prompt(
    prompt: &Prompt,
    area: Rect,
    theme: &Theme,
    buffer: &mut Buffer,
) -> Option<Position> {
    if area.is_empty() {
        return None;
    }
    // On a narrow terminal the line itself matters more than what it is for.
    let label = match area.width {
        0..16 => String::new(),
        _ => format!("{}: ", prompt.purpose.label()),
    };
    let (x, _) = buffer.set_stringn(area.x, area.y, label, area.width.into(), theme.prompt);
    let width = area.right().saturating_sub(x);
    // One column is kept for the cursor behind the text.
    let scroll = prompt.input.visual_scroll(usize::from(width.saturating_sub(1)));
    let mut skipped = 0;
    let text: String = prompt
        .input
        .value()
        .chars()
        .skip_while(|&c| {
            let skip = skipped < scroll;
            skipped += unicode_width::UnicodeWidthChar::width(c).unwrap_or(0);
            skip
        })
        .collect();
    buffer.set_stringn(x, area.y, text, width.into(), Style::new());
    let cursor = prompt.input.visual_cursor().saturating_sub(scroll);
    let cursor = u16::try_from(cursor).unwrap_or(u16::MAX).min(width.saturating_sub(1));
    Some(Position::new(x.saturating_add(cursor).min(area.right().saturating_sub(1)), area.y))
}
