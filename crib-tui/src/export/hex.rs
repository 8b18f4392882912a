//! Bytes as lines of hexadecimal numbers and text.

use std::fmt::Write as _;
use std::ops::Range;

const PER_LINE: usize = 16;

/// Lines of an offset, 16 bytes, and these as text; `??` and `?` where `gaps` says that a byte
/// is not known.
pub(super) fn lines(bytes: &[u8], gaps: &[Range<usize>]) -> impl Iterator<Item = String> {
    bytes.chunks(PER_LINE).enumerate().map(move |(line, bytes)| {
        let start = line * PER_LINE;
        let (mut numbers, mut text) = (String::new(), String::new());
        for (at, &byte) in bytes.iter().enumerate() {
            if at == PER_LINE / 2 {
                numbers.push(' ');
            }
            let known = !is_gap(gaps, start + at);
            // Writing to a string does not fail.
            let _ = if known { write!(numbers, "{byte:02x} ") } else { write!(numbers, "?? ") };
            text.push(if known { printable(byte) } else { '?' });
        }
        format!("{start:08x}  {numbers:<49} |{text}|")
    })
}

/// The first bytes as text, at most `len` of them.
pub(super) fn preview(bytes: &[u8], gaps: &[Range<usize>], len: usize) -> String {
    let bytes = bytes.iter().take(len).enumerate();
    bytes.map(|(at, &byte)| if is_gap(gaps, at) { '?' } else { printable(byte) }).collect()
}

fn is_gap(gaps: &[Range<usize>], at: usize) -> bool {
    gaps.iter().any(|gap| gap.contains(&at))
}

/// The character of a byte of printable ASCII, and a dot for any other.
fn printable(byte: u8) -> char {
    if matches!(byte, b' '..=b'~') { byte.into() } else { '.' }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_aligned_and_what_is_not_known_is_marked() {
        let bytes: Vec<u8> = (b'A'..b'A' + 18).chain([0x1b, 0xff]).collect();
        insta::assert_snapshot!(lines(&bytes, std::slice::from_ref(&(6..10))).collect::<Vec<_>>().join("\n"), @r"
        00000000  41 42 43 44 45 46 ?? ??  ?? ?? 4b 4c 4d 4e 4f 50  |ABCDEF????KLMNOP|
        00000010  51 52 1b ff                                       |QR..|
        ");
        assert_eq!(preview(b"a\x1b[2J\xff", &[], 5), "a.[2J");
        assert_eq!(preview(b"abc", std::slice::from_ref(&(1..2)), 8), "a?c");
        assert_eq!(lines(b"", &[]).count(), 0);
    }
}
