//! Bytes that came from someone else (file names, command names), made safe to show.

use std::borrow::Cow;
use std::fmt::{self, Display, Write};

use serde::{Serialize, Serializer};

/// A string of bytes from the kernel or another process: usually UTF-8, never trusted.
///
/// The bytes are kept as they are for comparing; [`Display`] and serialisation escape them,
/// so that no control sequence of a hostile name reaches a terminal or a log.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Text(Box<[u8]>);

impl Text {
    /// A unix socket's name, of what unix(7) has in `sun_path`: a path, or a NUL byte and an abstract
    /// name, which may hold anything, NUL bytes too.
    pub fn of_unix_name(sun_path: &[u8]) -> Self {
        match sun_path {
            [] => Self::default(),
            [0, name @ ..] => [b"@", name].concat().into(),
            path => path.split(|&byte| byte == 0).next().unwrap_or_default().into(),
        }
    }

    /// The bytes exactly as they were read.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The text as [`Display`] shows it; borrowed where nothing has to be escaped.
    pub fn escaped(&self) -> Cow<'_, str> {
        match str::from_utf8(&self.0) {
            Ok(text) if !text.contains(is_unsafe) => Cow::Borrowed(text),
            _ => Cow::Owned(self.to_string()),
        }
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<&[u8]> for Text {
    fn from(bytes: &[u8]) -> Self {
        Self(bytes.into())
    }
}

impl From<Vec<u8>> for Text {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes.into())
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self(text.as_bytes().into())
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self(text.into_bytes().into())
    }
}

impl Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for chunk in self.0.utf8_chunks() {
            for c in chunk.valid().chars() {
                if is_unsafe(c) {
                    let mut utf8 = [0; 4];
                    escape_bytes(f, c.encode_utf8(&mut utf8).as_bytes())?;
                } else {
                    f.write_char(c)?;
                }
            }
            escape_bytes(f, chunk.invalid())?;
        }
        Ok(())
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

impl Serialize for Text {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// `bytes` as valid UTF-8 without control characters: what would do harm appears as `\xNN`.
pub fn escape(bytes: &[u8]) -> String {
    Text::from(bytes).to_string()
}

/// Whether a character can move the cursor, change the terminal's state or turn the reading
/// direction around (Unicode TR 36, section 3.1): such characters are escaped.
fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{200e}' | '\u{200f}' | '\u{061c}' // direction marks
            | '\u{2028}'..='\u{202e}' // line and paragraph separators, embeddings, overrides
            | '\u{2066}'..='\u{2069}') // isolates
}

fn escape_bytes(f: &mut fmt::Formatter<'_>, bytes: &[u8]) -> fmt::Result {
    bytes.iter().try_for_each(|byte| write!(f, "\\x{byte:02x}"))
}

/// `1 byte`, `2 bytes`: so many of what `unit` names one of.
pub fn count(count: u64, unit: &str) -> String {
    format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn plain_names_stay_as_they_are() {
        assert_eq!(escape(b"/tmp/caf\xc3\xa9 \\x41"), "/tmp/café \\x41");
    }

    #[test]
    fn controls_and_invalid_bytes_become_hex() {
        assert_eq!(escape(b"a\x1b[31m\n\xff\x7f"), "a\\x1b[31m\\x0a\\xff\\x7f");
        assert_eq!(escape("\u{9b}2J".as_bytes()), "\\xc2\\x9b2J");
        assert_eq!(escape("\u{202e}txt".as_bytes()), "\\xe2\\x80\\xaetxt");
    }

    proptest! {
        #[test]
        fn no_byte_string_leaves_a_control_character(bytes: Vec<u8>) {
            prop_assert!(!escape(&bytes).chars().any(is_unsafe));
            prop_assert!(Text::of_unix_name(&bytes).as_bytes().len() <= bytes.len());
            let text = Text::from(bytes);
            prop_assert_eq!(text.escaped(), text.to_string());
        }
    }
}
