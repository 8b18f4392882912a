//! Small readers of the bytes that /proc prints: numbers and words, never a panic.

/// The words of a line, separated by any run of blanks.
pub fn words(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(|byte| matches!(byte, b' ' | b'\t')).filter(|word| !word.is_empty())
}

/// The lines of a text, without their ends; a last line without an end counts too.
pub fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.strip_suffix(b"\n").unwrap_or(text).split(|&byte| byte == b'\n')
}

/// An unsigned number in the given base, the whole word and nothing else.
pub fn number(word: &[u8], base: u32) -> Option<u64> {
    // from_str_radix takes a sign, which no field read here has.
    if word.first() == Some(&b'+') {
        return None;
    }
    u64::from_str_radix(std::str::from_utf8(word).ok()?, base).ok()
}

/// An unsigned decimal number that fits.
pub fn decimal<T: TryFrom<u64>>(word: &[u8]) -> Option<T> {
    T::try_from(number(word, 10)?).ok()
}

/// A hexadecimal number that fits.
pub fn hex<T: TryFrom<u64>>(word: &[u8]) -> Option<T> {
    T::try_from(number(word, 16)?).ok()
}

/// A signed decimal number.
pub fn signed(word: &[u8]) -> Option<i64> {
    std::str::from_utf8(word).ok()?.parse().ok()
}

/// What stands behind `name:` in a text of `name: value` lines, blanks around it removed.
pub fn field<'a>(text: &'a [u8], name: &str) -> Option<&'a [u8]> {
    lines(text).find_map(|line| {
        let value = line.strip_prefix(name.as_bytes())?.strip_prefix(b":")?;
        Some(value.trim_ascii())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn words_and_lines_skip_what_separates_them() {
        assert_eq!(words(b"  a\t b ").collect::<Vec<_>>(), [b"a", b"b"]);
        assert_eq!(lines(b"a\n\nb\n").collect::<Vec<_>>(), [&b"a"[..], b"", b"b"]);
    }

    #[test]
    fn numbers_are_whole_words_that_fit() {
        assert_eq!(decimal::<u8>(b"255"), Some(255));
        assert_eq!(decimal::<u8>(b"256"), None);
        assert_eq!(decimal::<u32>(b"+1"), None);
        assert_eq!(decimal::<u32>(b"1x"), None);
        assert_eq!(hex::<u32>(b"FfFFffff"), Some(u32::MAX));
        assert_eq!(signed(b"-1"), Some(-1));
    }

    #[test]
    fn a_field_is_found_by_its_whole_name() {
        let text = b"posx:\t1\npos:\t 42 \nflags:\n";
        assert_eq!(field(text, "pos"), Some(&b"42"[..]));
        assert_eq!(field(text, "flags"), Some(&b""[..]));
        assert_eq!(field(text, "ino"), None);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>) {
            words(&bytes).chain(lines(&bytes)).for_each(|part| {
                let _ = (decimal::<u16>(part), hex::<u16>(part), signed(part));
            });
            field(&bytes, "pos");
        }
    }
}
