//! Filters: conditions on the columns of a row, in the grammar of scols-filter(5).
//!
//! ```text
//! KIND == "socket" and SOCK.STATE == "CLOSE-WAIT" and RECVQ > 4K
//! ```
//!
//! Beside that grammar, a bare word that is no column's name is searched in all text columns,
//! and so is a string or number that stands alone. A comparison with an unknown value is
//! false, whatever its operator; `not` turns that around.

mod lexer;
mod parser;

use std::cmp::Ordering;
use std::fmt::{self, Display};

use regex::{Regex, RegexBuilder};

use super::Files;
use super::column::{Column, ColumnKind, Table, Value};

/// A condition on the rows of a table.
///
/// Shown, it is an expression that parses to the same filter, with each pair of parentheses.
#[derive(Clone, Debug)]
pub struct Filter<T: Table = Files> {
    expr: Expr<T>,
}

/// The value of a whole number as filters write it: `12`, `-1`, `4K`, `1.5KiB` (of 1024 bytes); none
/// for what isn't one, or is too large.
pub fn parse_number(text: &str) -> Option<i128> {
    let number = lexer::number(text).and_then(Result::ok)?;
    number.is_whole.then_some(number.floor)
}

/// Why an expression is not a filter: one line, which names the place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("at column {column}: {message}")]
pub struct FilterError {
    /// Where it went wrong, in characters from 1.
    pub column: usize,
    /// What was expected or is not known.
    pub message: String,
}

impl<T: Table> Filter<T> {
    /// Reads an expression. An empty one matches every row.
    ///
    /// # Errors
    /// [`FilterError`] where the grammar, the names of the columns or the types of operands
    /// are not followed.
    pub fn parse(text: &str) -> Result<Self, FilterError> {
        parser::parse(text, |_| None).map(|expr| Self { expr })
    }

    /// Whether the condition is about a column for which `wanted` holds, so that what its values come
    /// from has to be known.
    pub fn mentions(&self, wanted: impl Fn(&Column<T>) -> bool) -> bool {
        self.expr.mentions(&wanted)
    }

    /// Whether a row fulfils the condition.
    pub fn matches(&self, row: &T::Row<'_>) -> bool {
        self.matches_with(row, &mut Room::default())
    }

    /// As [`Self::matches`], in room that is kept from row to row.
    pub fn matches_with(&self, row: &T::Row<'_>, room: &mut Room) -> bool {
        self.expr.matches(row, room)
    }
}

impl Filter<Files> {
    /// As [`Self::parse`], for what reads one process alone: no column that only a sweep over all
    /// processes fills.
    ///
    /// # Errors
    /// As there, and where such a column is asked about.
    pub fn parse_without_sweep(text: &str) -> Result<Self, FilterError> {
        let refused = |column: &Column<Files>| {
            let name = Files::SWEPT.iter().find(|name| **name == column.name)?;
            Some(format!(
                "{name} is found among all processes, which crib-top files does, and nothing else"
            ))
        };
        parser::parse(text, refused).map(|expr| Self { expr })
    }
}

/// Room for the texts that a comparison puts together, one for each side.
#[derive(Clone, Debug, Default)]
pub struct Room {
    left: String,
    right: String,
}

impl<T: Table> Display for Filter<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.expr.fmt(f)
    }
}

#[derive(Clone, Debug)]
enum Expr<T: Table> {
    /// All of them, at least two.
    And(Vec<Expr<T>>),
    /// Any of them, at least two.
    Or(Vec<Expr<T>>),
    Not(Box<Expr<T>>),
    Constant(bool),
    /// Whether the column has a value that is not no, zero or empty.
    Has(&'static Column<T>),
    /// Whether any text column contains the word.
    Word(Word),
    Compare(Operand<T>, Comparison, Operand<T>),
    /// Whether the operand's text matches, or with `negated` does not.
    Match {
        operand: Operand<T>,
        negated: bool,
        regex: Regex,
    },
}

/// A word to be searched without regard to case.
#[derive(Clone, Debug)]
struct Word {
    text: String,
    regex: Regex,
}

impl Word {
    /// # Errors
    /// For a word so long that its regular expression exceeds the limit of the library.
    fn new(text: &str) -> Result<Self, regex::Error> {
        let regex = RegexBuilder::new(&regex::escape(text)).case_insensitive(true).build()?;
        Ok(Self { text: text.to_owned(), regex })
    }
}

#[derive(Clone, Debug)]
enum Operand<T: Table> {
    Column(&'static Column<T>),
    Literal(Value<'static>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Comparison {
    fn symbol(self) -> &'static str {
        match self {
            Self::Equal => "==",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
        }
    }

    /// The same with its two sides exchanged.
    fn turned(self) -> Self {
        match self {
            Self::Equal | Self::NotEqual => self,
            Self::Less => Self::Greater,
            Self::LessOrEqual => Self::GreaterOrEqual,
            Self::Greater => Self::Less,
            Self::GreaterOrEqual => Self::LessOrEqual,
        }
    }

    fn holds(self, ordering: Ordering) -> bool {
        match self {
            Self::Equal => ordering.is_eq(),
            Self::NotEqual => ordering.is_ne(),
            Self::Less => ordering.is_lt(),
            Self::LessOrEqual => ordering.is_le(),
            Self::Greater => ordering.is_gt(),
            Self::GreaterOrEqual => ordering.is_ge(),
        }
    }
}

impl<T: Table> Expr<T> {
    fn mentions(&self, wanted: &dyn Fn(&Column<T>) -> bool) -> bool {
        let operand = |operand: &Operand<T>| match operand {
            Operand::Column(column) => wanted(column),
            Operand::Literal(_) => false,
        };
        match self {
            Self::And(all) | Self::Or(all) => all.iter().any(|expr| expr.mentions(wanted)),
            Self::Not(expr) => expr.mentions(wanted),
            Self::Has(column) => wanted(column),
            Self::Compare(left, _, right) => operand(left) || operand(right),
            Self::Match { operand: one, .. } => operand(one),
            Self::Constant(_) | Self::Word(_) => false,
        }
    }

    fn matches(&self, row: &T::Row<'_>, room: &mut Room) -> bool {
        let Room { left: text, right: other } = room;
        match self {
            Self::And(all) => all.iter().all(|expr| expr.matches(row, room)),
            Self::Or(any) => any.iter().any(|expr| expr.matches(row, room)),
            Self::Not(expr) => !expr.matches(row, room),
            Self::Constant(value) => *value,
            Self::Has(column) => (column.value)(row, text).is_truthy(),
            Self::Word(word) => {
                T::columns().iter().filter(|column| column.kind == ColumnKind::Text).any(|column| {
                    let value = (column.value)(row, text);
                    value.is_known() && word.regex.is_match(value.text(other))
                })
            }
            Self::Compare(left, comparison, right) => {
                let (left, right) = (left.value(row, text), right.value(row, other));
                left.is_known() && right.is_known() && comparison.holds(left.cmp(&right))
            }
            Self::Match { operand, negated, regex } => {
                let value = operand.value(row, text);
                value.is_known() && regex.is_match(value.text(other)) != *negated
            }
        }
    }
}

impl<T: Table> Operand<T> {
    fn value<'r>(&'r self, row: &'r T::Row<'_>, room: &'r mut String) -> Value<'r> {
        match self {
            Self::Column(column) => (column.value)(row, room),
            Self::Literal(value) => value.borrowed(),
        }
    }
}

impl<T: Table> Display for Expr<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let joined = |f: &mut fmt::Formatter<'_>, list: &[Self], operator: &str| {
            list.iter().enumerate().try_for_each(|(index, expr)| {
                let before = if index > 0 { operator } else { "" };
                // And and or inside one another, and not, need their parentheses.
                match expr {
                    Self::And(_) | Self::Or(_) => write!(f, "{before}({expr})"),
                    _ => write!(f, "{before}{expr}"),
                }
            })
        };
        match self {
            Self::And(all) => joined(f, all, " and "),
            Self::Or(any) => joined(f, any, " or "),
            Self::Not(expr) => write!(f, "not ({expr})"),
            Self::Constant(value) => write!(f, "{value}"),
            Self::Has(column) => f.write_str(column.name),
            Self::Word(word) => f.write_str(&quoted(&word.text)),
            Self::Compare(left, comparison, right) => {
                write!(f, "{left} {} {right}", comparison.symbol())
            }
            Self::Match { operand, negated, regex } => {
                let operator = if *negated { "!~" } else { "=~" };
                write!(f, "{operand} {operator} {}", quoted(regex.as_str()))
            }
        }
    }
}

impl<T: Table> Display for Operand<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Column(column) => f.write_str(column.name),
            Self::Literal(Value::Text(text)) => f.write_str(&quoted(text)),
            Self::Literal(Value::Bool(value)) => write!(f, "{value}"),
            Self::Literal(value) => write!(f, "{value}"),
        }
    }
}

/// In the quotes that the text doesn't contain: the grammar has no escapes, so no literal
/// can contain both.
fn quoted(text: &str) -> String {
    if text.contains('"') { format!("'{text}'") } else { format!("\"{text}\"") }
}

#[cfg(test)]
mod tests;
