//! Numbers, times and names in the few columns that a table has for them.

use std::borrow::Cow;
use std::fmt::{Display, Write};
use std::time::{Duration, SystemTime};

use humansize::{BINARY, FormatSizeOptions, format_size};
use jiff::tz::TimeZone;
use unicode_width::UnicodeWidthChar;

use super::theme::Glyphs;
use crate::model::{OpenFlags, Queued};

/// Bytes in at most six columns: `512`, `1.5K`, `3M` (powers of 1024).
pub fn bytes(bytes: u64) -> String {
    let options = FormatSizeOptions::from(BINARY).decimal_places(1).space_after_value(false);
    let text = format_size(bytes, options);
    let text = text.strip_suffix("iB").or(text.strip_suffix('B')).unwrap_or(&text);
    // What is rounded to a whole number needs no decimal place.
    text.replace(".0", "")
}

/// Messages and bytes of one direction: `2/13`, with `?` for what is not known; `-` when
/// neither is, `0` when there is nothing.
pub fn queue(queued: Option<Queued>) -> String {
    match queued.map(|queued| (queued.messages, queued.payload)) {
        None | Some((None, None)) => "-".into(),
        Some((Some(0), Some(0))) => "0".into(),
        Some((Some(messages), None)) => format!("{messages}/?"),
        Some((None, Some(payload))) => format!("?/{}", bytes(payload)),
        Some((Some(messages), Some(payload))) => format!("{messages}/{}", bytes(payload)),
    }
}

/// A length of time by its largest unit or two, in at most five columns: `9s`, `3m20s`,
/// `4h05m`, `12d`.
pub fn age(age: Duration) -> String {
    let seconds = age.as_secs();
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match () {
        () if seconds < 60 => format!("{seconds}s"),
        () if minutes < 10 => format!("{minutes}m{:02}s", seconds % 60),
        () if minutes < 60 => format!("{minutes}m"),
        () if hours < 10 => format!("{hours}h{:02}m", minutes % 60),
        () if hours < 48 => format!("{hours}h"),
        () => format!("{days}d"),
    }
}

/// The refresh interval as the command line takes it: `500ms`, `1s`, `2.5s`, `1m`.
pub fn interval(interval: Duration) -> String {
    let millis = interval.as_millis();
    match millis {
        0..1000 => format!("{millis}ms"),
        _ if millis.is_multiple_of(60_000) => format!("{}m", millis / 60_000),
        _ => format!("{}s", interval.as_secs_f64()),
    }
}

/// The time of day, to the second; empty for a time that no calendar has.
pub fn clock(time: SystemTime, zone: &TimeZone) -> String {
    jiff::Timestamp::try_from(time)
        .map(|time| time.to_zoned_datetime(zone.clone()).strftime("%H:%M:%S").to_string())
        .unwrap_or_default()
}

/// The time of day, to the millisecond; empty for a time that no calendar has.
pub fn moment(time: SystemTime, zone: &TimeZone) -> String {
    jiff::Timestamp::try_from(time)
        .map(|time| time.to_zoned_datetime(zone.clone()).strftime("%H:%M:%S.%3f").to_string())
        .unwrap_or_default()
}

/// The share of `part` in `whole`, in percent; none where there is no whole.
pub fn percent(part: u64, whole: Option<u64>) -> Option<u64> {
    let whole = whole.filter(|&whole| whole > 0)?;
    // At most 2^64 * 100, which 128 bits hold.
    u64::try_from(u128::from(part) * 100 / u128::from(whole)).ok()
}

/// Abbreviations of the flags that are common; what they stand for is in the help.
pub const FLAG_ABBREVIATIONS: &[(&str, &str)] = &[
    ("O_NONBLOCK", "NB"),
    ("O_APPEND", "AP"),
    ("O_DIRECT", "DR"),
    ("O_DIRECTORY", "DIR"),
    ("O_ASYNC", "AS"),
    ("O_SYNC", "SY"),
    ("O_DSYNC", "DS"),
    ("O_PATH", "PA"),
    ("O_TMPFILE", "TMP"),
    ("O_NOATIME", "NA"),
    ("O_NOFOLLOW", "NF"),
];

/// The flags in short, close-on-exec (`CX`) last. Access mode and O_LARGEFILE are left out:
/// the first has a column of its own, the second is on every file of a 64-bit process.
pub fn flags(flags: Option<OpenFlags>, cloexec: Option<bool>) -> String {
    let mut text = String::new();
    push_flags(&mut text, flags, cloexec);
    text
}

/// As [`flags`], appended to `text`.
pub fn push_flags(text: &mut String, flags: Option<OpenFlags>, cloexec: Option<bool>) {
    for name in flags.into_iter().flat_map(OpenFlags::names) {
        if matches!(name, "O_RDONLY" | "O_WRONLY" | "O_RDWR" | "O_LARGEFILE") {
            continue;
        }
        let known = FLAG_ABBREVIATIONS.iter().find(|(long, _)| *long == name);
        push_word(text, known.map_or(name.trim_start_matches("O_"), |(_, short)| short));
    }
    if cloexec == Some(true) {
        push_word(text, "CX");
    }
}

fn push_word(text: &mut String, word: &str) {
    if !text.is_empty() {
        text.push(',');
    }
    text.push_str(word);
}

/// What `value` displays, in ASCII where the terminal has no more.
pub fn name(value: &impl Display, glyphs: &Glyphs) -> String {
    let mut text = String::new();
    push_name(&mut text, value, glyphs);
    text
}

/// As [`name`], appended to `text`.
pub fn push_name(text: &mut String, value: &impl Display, glyphs: &Glyphs) {
    let start = text.len();
    // Writing to a String does not fail, here and below.
    let _ = write!(text, "{value}");
    if !glyphs.ascii || text[start..].is_ascii() {
        return;
    }
    let mut utf8 = [0; 4];
    for c in text.split_off(start).chars() {
        if c.is_ascii() {
            text.push(c);
        } else {
            for byte in c.encode_utf8(&mut utf8).bytes() {
                let _ = write!(text, "\\x{byte:02x}");
            }
        }
    }
}

/// `text` in at most `width` columns, its end cut off.
pub fn cut_end<'a>(text: &'a str, width: usize, glyphs: &Glyphs) -> Cow<'a, str> {
    if fits(text, width) {
        return Cow::Borrowed(text);
    }
    let head = head(text, width.saturating_sub(1));
    if width == 0 { Cow::Borrowed("") } else { Cow::Owned(format!("{head}{}", glyphs.ellipsis)) }
}

/// `text` in at most `width` columns, its middle cut out: a path is known by where it begins
/// and even more by where it ends.
pub fn cut_middle<'a>(text: &'a str, width: usize, glyphs: &Glyphs) -> Cow<'a, str> {
    if fits(text, width) {
        return Cow::Borrowed(text);
    }
    if width < 6 {
        return cut_end(text, width, glyphs);
    }
    let start = (width - 1) / 3;
    let head = head(text, start);
    let tail = tail(text, width - 1 - start);
    Cow::Owned(format!("{head}{}{tail}", glyphs.ellipsis))
}

/// As [`cut_middle`], but moved to the left by `shift` columns, as far as there is anything
/// left to show.
pub fn shifted<'a>(text: &'a str, shift: u16, width: usize, glyphs: &Glyphs) -> Cow<'a, str> {
    if shift == 0 || fits(text, width) {
        return cut_middle(text, width, glyphs);
    }
    let total = text.chars().map(columns).sum::<usize>();
    // One column goes to the ellipsis in front.
    let kept = total.saturating_sub(shift.into()).max(width.saturating_sub(1));
    let rest = format!("{}{}", glyphs.ellipsis, tail(text, kept));
    Cow::Owned(cut_end(&rest, width, glyphs).into_owned())
}

/// `text` in pieces of at most `width` columns, at least one, divided behind spaces where there
/// are any.
pub fn wrap(text: &str, width: usize) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let piece = match head(text, width) {
            piece if piece.len() == text.len() => piece,
            piece => piece.rfind(' ').map_or(piece, |space| &piece[..=space]),
        };
        // A character that is wider than the whole width is put on a line nevertheless.
        let end = if piece.is_empty() {
            text.chars().next().map_or(0, char::len_utf8)
        } else {
            piece.len()
        };
        let (piece, left) = text.split_at(end);
        rest = (!left.is_empty()).then_some(left);
        Some(piece)
    })
}

fn columns(c: char) -> usize {
    c.width().unwrap_or(0)
}

fn fits(text: &str, width: usize) -> bool {
    // No character is wider than its UTF-8 bytes are many.
    text.len() <= width || text.chars().map(columns).sum::<usize>() <= width
}

/// The longest beginning of `text` that fits.
fn head(text: &str, width: usize) -> &str {
    let mut used = 0;
    let end = text.char_indices().find(|&(_, c)| {
        used += columns(c);
        used > width
    });
    &text[..end.map_or(text.len(), |(at, _)| at)]
}

/// The longest end of `text` that fits.
fn tail(text: &str, width: usize) -> &str {
    let mut used = 0;
    let start = text.char_indices().rev().find(|&(_, c)| {
        used += columns(c);
        used > width
    });
    &text[start.map_or(0, |(at, c)| at + c.len_utf8())..]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::theme::Theme;
    use proptest::prelude::*;
    use rstest::rstest;

    #[rstest]
    #[case(0, "0")]
    #[case(1023, "1023")]
    #[case(1024, "1K")]
    #[case(1536, "1.5K")]
    #[case((12 << 20) - 1, "12M")]
    #[case(12 << 20, "12M")]
    #[case(u64::MAX, "16E")]
    fn bytes_are_compact(#[case] value: u64, #[case] expected: &str) {
        assert_eq!(bytes(value), expected);
    }

    #[rstest]
    #[case(0, "0s")]
    #[case(59, "59s")]
    #[case(200, "3m20s")]
    #[case(3599, "59m")]
    #[case(3900, "1h05m")]
    #[case(86_400, "24h")]
    #[case(200_000, "2d")]
    fn ages_take_at_most_five_columns(#[case] seconds: u64, #[case] expected: &str) {
        assert_eq!(age(Duration::from_secs(seconds)), expected);
    }

    #[test]
    fn a_queue_says_what_is_not_known() {
        let queued = |messages, payload| Some(Queued { messages, payload, memory: None });
        assert_eq!(queue(queued(Some(2), Some(13))), "2/13");
        assert_eq!(queue(queued(Some(0), Some(0))), "0");
        assert_eq!(queue(queued(None, Some(4096))), "?/4K");
        assert_eq!(queue(queued(Some(1), None)), "1/?");
        assert_eq!(queue(queued(None, None)), "-");
        assert_eq!(queue(None), "-");
    }

    #[test]
    fn flags_are_short_and_leave_out_what_is_everywhere() {
        let bits = libc::O_RDWR | libc::O_NONBLOCK | libc::O_APPEND | 0o100_000;
        assert_eq!(flags(Some(OpenFlags(bits as u32)), Some(true)), "AP,NB,CX");
        assert_eq!(flags(Some(OpenFlags(libc::O_EXCL as u32)), Some(false)), "EXCL");
        assert_eq!(flags(None, None), "");
    }

    #[test]
    fn intervals_read_like_the_option() {
        let of = |millis| interval(Duration::from_millis(millis));
        assert_eq!([of(500), of(1000), of(2500), of(60_000)], ["500ms", "1s", "2.5s", "1m"]);
    }

    #[test]
    fn shares_are_in_percent() {
        assert_eq!(percent(1, Some(3)), Some(33));
        assert_eq!(percent(u64::MAX, Some(u64::MAX)), Some(100));
        assert_eq!(percent(1, Some(0)), None);
        assert_eq!(percent(1, None), None);
    }

    #[test]
    fn names_are_cut_where_it_hurts_least() {
        let glyphs = Theme::new(true, false).glyphs;
        assert_eq!(cut_end("abcdef", 4, &glyphs), "abc…");
        assert_eq!(cut_end("abcdef", 6, &glyphs), "abcdef");
        assert_eq!(cut_middle("/var/log/nginx/access.log", 16, &glyphs), "/var/…access.log");
        assert_eq!(cut_middle("日本語日本語", 7, &glyphs), "日…本語");
    }

    #[test]
    fn a_shifted_name_shows_its_end_at_last() {
        let glyphs = Theme::new(true, false).glyphs;
        assert_eq!(shifted("0123456789", 2, 6, &glyphs), "…2345…");
        assert_eq!(shifted("0123456789", 4, 6, &glyphs), "…4567…");
        assert_eq!(shifted("0123456789", 400, 6, &glyphs), "…56789");
        assert_eq!(shifted("0123456789", 4, 10, &glyphs), "0123456789");
    }

    #[test]
    fn wrapping_loses_nothing() {
        assert_eq!(wrap("abcdef", 4).collect::<Vec<_>>(), ["abcd", "ef"]);
        assert_eq!(wrap("a bc def", 4).collect::<Vec<_>>(), ["a ", "bc ", "def"]);
        assert_eq!(wrap("", 4).collect::<Vec<_>>(), [""]);
        assert_eq!(wrap("日本", 1).collect::<Vec<_>>(), ["日", "本"]);
        assert_eq!(wrap("ab", 0).collect::<Vec<_>>(), ["a", "b"]);
    }

    #[test]
    fn an_ascii_terminal_gets_ascii_names() {
        assert_eq!(name(&"café", &Theme::new(true, true).glyphs), "caf\\xc3\\xa9");
        assert_eq!(name(&"café", &Theme::new(true, false).glyphs), "café");
    }

    proptest! {
        #[test]
        fn a_cut_name_fits(text: String, width in 0usize..40) {
            let glyphs = Theme::new(true, false).glyphs;
            for cut in [cut_end(&text, width, &glyphs), cut_middle(&text, width, &glyphs)] {
                prop_assert!(cut.chars().map(columns).sum::<usize>() <= width);
            }
        }
    }
}
