//! From the text of a filter to its tokens.

use super::{Comparison, FilterError};
use crate::model::escape;

/// A token, and where it begins, in characters from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Token<'a> {
    pub(super) column: usize,
    pub(super) kind: TokenKind<'a>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum TokenKind<'a> {
    Open,
    Close,
    And,
    Or,
    Not,
    Comparison(Comparison),
    /// `=~`, or `!~` when negated.
    Match {
        negated: bool,
    },
    Bool(bool),
    /// A number, and how it was written.
    Number(i128, &'a str),
    /// One between this number and the next, and how it was written.
    Fraction(i128, &'a str),
    /// The inside of a quoted string.
    Text(&'a str),
    /// A column's name, or a word to search.
    Word(&'a str),
    End,
}

impl TokenKind<'_> {
    /// As an error message calls it.
    pub(super) fn describe(&self) -> String {
        match self {
            Self::Open => "'('".into(),
            Self::Close => "')'".into(),
            Self::And => "'and'".into(),
            Self::Or => "'or'".into(),
            Self::Not => "'not'".into(),
            Self::Comparison(comparison) => comparison.symbol().into(),
            Self::Match { negated: false } => "=~".into(),
            Self::Match { negated: true } => "!~".into(),
            Self::Bool(value) => format!("'{value}'"),
            Self::Number(_, text) | Self::Fraction(_, text) | Self::Word(text) => {
                format!("'{}'", escape(text.as_bytes()))
            }
            Self::Text(text) => format!("\"{}\"", escape(text.as_bytes())),
            Self::End => "the end".into(),
        }
    }
}

/// The tokens of an expression, with [`TokenKind::End`] as the last.
pub(super) fn tokens(text: &str) -> Result<Vec<Token<'_>>, FilterError> {
    let mut lexer = Lexer { rest: text, column: 1 };
    let mut tokens = Vec::new();
    loop {
        let token = lexer.next()?;
        let end = token.kind == TokenKind::End;
        tokens.push(token);
        if end {
            return Ok(tokens);
        }
    }
}

struct Lexer<'a> {
    rest: &'a str,
    column: usize,
}

/// What has a fixed spelling, the longer before what it begins with.
const SYMBOLS: &[(&str, TokenKind<'static>)] = &[
    ("&&", TokenKind::And),
    ("||", TokenKind::Or),
    ("==", TokenKind::Comparison(Comparison::Equal)),
    ("=~", TokenKind::Match { negated: false }),
    ("!=", TokenKind::Comparison(Comparison::NotEqual)),
    ("!~", TokenKind::Match { negated: true }),
    ("<=", TokenKind::Comparison(Comparison::LessOrEqual)),
    (">=", TokenKind::Comparison(Comparison::GreaterOrEqual)),
    ("<", TokenKind::Comparison(Comparison::Less)),
    (">", TokenKind::Comparison(Comparison::Greater)),
    ("!", TokenKind::Not),
    ("(", TokenKind::Open),
    (")", TokenKind::Close),
];

impl<'a> Lexer<'a> {
    fn next(&mut self) -> Result<Token<'a>, FilterError> {
        let blank = self.rest.find(|c: char| !c.is_whitespace()).unwrap_or(self.rest.len());
        self.take(blank);
        let column = self.column;
        let kind = self.kind()?;
        Ok(Token { column, kind })
    }

    /// Steps over `bytes`, which must end between two characters.
    fn take(&mut self, bytes: usize) -> &'a str {
        let (taken, rest) = self.rest.split_at(bytes);
        self.rest = rest;
        self.column += taken.chars().count();
        taken
    }

    fn error(&self, message: impl Into<String>) -> FilterError {
        FilterError { column: self.column, message: message.into() }
    }

    fn kind(&mut self) -> Result<TokenKind<'a>, FilterError> {
        let Some(first) = self.rest.chars().next() else { return Ok(TokenKind::End) };
        for (symbol, kind) in SYMBOLS {
            if self.rest.starts_with(symbol) {
                self.take(symbol.len());
                return Ok(kind.clone());
            }
        }
        match first {
            '=' | '&' | '|' => {
                Err(self.error(format!("'{first}' is no operator; write {first}{first}")))
            }
            '"' | '\'' => self.string(first),
            _ => self.word(),
        }
    }

    fn string(&mut self, quote: char) -> Result<TokenKind<'a>, FilterError> {
        match self.rest[1..].find(quote) {
            Some(length) => {
                let quoted = self.take(length + 2);
                Ok(TokenKind::Text(&quoted[1..=length]))
            }
            None => Err(self.error(format!("the string has no closing {quote}"))),
        }
    }

    fn word(&mut self) -> Result<TokenKind<'a>, FilterError> {
        let ends = |c: char| c.is_whitespace() || "()=!<>&|\"'".contains(c);
        let word = &self.rest[..self.rest.find(ends).unwrap_or(self.rest.len())];
        let kind = match number(word) {
            Some(Ok(Number { floor, is_whole: true })) => TokenKind::Number(floor, word),
            Some(Ok(Number { floor, is_whole: false })) => TokenKind::Fraction(floor, word),
            Some(Err(TooLarge)) => {
                return Err(self.error(format!("{word} is too large a number")));
            }
            None => keyword(word).unwrap_or(TokenKind::Word(word)),
        };
        self.take(word.len());
        Ok(kind)
    }
}

fn keyword(word: &str) -> Option<TokenKind<'static>> {
    Some(match word.to_ascii_lowercase().as_str() {
        "and" => TokenKind::And,
        "or" => TokenKind::Or,
        "not" => TokenKind::Not,
        "true" => TokenKind::Bool(true),
        "false" => TokenKind::Bool(false),
        "eq" => TokenKind::Comparison(Comparison::Equal),
        "ne" => TokenKind::Comparison(Comparison::NotEqual),
        "lt" => TokenKind::Comparison(Comparison::Less),
        "le" => TokenKind::Comparison(Comparison::LessOrEqual),
        "gt" => TokenKind::Comparison(Comparison::Greater),
        "ge" => TokenKind::Comparison(Comparison::GreaterOrEqual),
        _ => return None,
    })
}

/// A number that doesn't fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TooLarge;

/// A number as it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Number {
    /// The largest whole number that is not larger.
    pub floor: i128,
    /// Whether that is the number itself.
    pub is_whole: bool,
}

/// The value of `12`, `-1`, `0.5`, `4K`, `4KiB`; none for what isn't written as a number.
pub(super) fn number(word: &str) -> Option<Result<Number, TooLarge>> {
    let unsigned = word.strip_prefix('-').unwrap_or(word);
    let after_digits = |text: &str| text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, suffix) = unsigned.split_at(after_digits(unsigned));
    let (decimals, suffix) = match suffix.strip_prefix('.') {
        Some(rest) => match rest.split_at(after_digits(rest)) {
            ("", _) => return None,
            parts => parts,
        },
        None => ("", suffix),
    };
    if digits.is_empty() {
        return None;
    }
    let shift = match suffix.strip_suffix("iB").unwrap_or(suffix) {
        "" if suffix.is_empty() => 0,
        "K" | "k" => 10,
        "M" => 20,
        "G" => 30,
        "T" => 40,
        "P" => 50,
        "E" => 60,
        "Z" => 70,
        "Y" => 80,
        _ => return None,
    };
    let value = || -> Option<Number> {
        let parts = 10_i128.checked_pow(decimals.len().try_into().ok()?)?;
        let value: i128 = format!("{digits}{decimals}").parse().ok()?;
        let value = value.checked_mul(1 << shift)?;
        let value = if word.starts_with('-') { -value } else { value };
        let is_whole = value.rem_euclid(parts) == 0;
        Some(Number { floor: value.div_euclid(parts), is_whole })
    };
    Some(value().ok_or(TooLarge))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_told_from_words() {
        let whole = |floor| Some(Ok(Number { floor, is_whole: true }));
        assert_eq!(number("4K"), whole(4096));
        assert_eq!(number("1MiB"), whole(1 << 20));
        assert_eq!(number("16E"), whole(1 << 64));
        assert_eq!(number("1YiB"), whole(1 << 80));
        assert_eq!(number("-7"), whole(-7));
        assert_eq!(number("1.50K"), whole(1536));
        assert_eq!(number("2.0"), whole(2));
        assert_eq!(number("0.5"), Some(Ok(Number { floor: 0, is_whole: false })));
        assert_eq!(number("-0.5"), Some(Ok(Number { floor: -1, is_whole: false })));
        for word in
            ["", "-", "K", "4KB", "iB", "4iB", "127.0.0.1", "8:1", "0x10", "1.", ".5", "1.K"]
        {
            assert_eq!(number(word), None, "{word}");
        }
        assert_eq!(number(&"9".repeat(40)), Some(Err(TooLarge)));
        assert_eq!(number(&format!("0.{}", "1".repeat(40))), Some(Err(TooLarge)));
    }

    #[test]
    fn tokens_know_their_column_in_characters() {
        let columns: Vec<_> =
            tokens(" é=='ü' &&(x").unwrap().iter().map(|token| token.column).collect();
        assert_eq!(columns, [2, 3, 5, 9, 11, 12, 13]);
    }
}
