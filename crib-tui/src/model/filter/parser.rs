//! From the tokens of a filter to its expression, with columns and types resolved.

use std::borrow::Cow;

use super::lexer::{self, Token, TokenKind};
use super::{Comparison, Expr, FilterError, Operand, Word};
use crate::model::column::{self, ColumnKind, Table, Value};
use crate::model::escape;

/// How many parentheses and negations may stand inside one another: the parser, the printer
/// and the matcher call themselves for each.
const MAX_DEPTH: usize = 64;

/// Reads an expression in which no column is named that is `refused`, for the reason given.
pub(super) fn parse<T: Table>(
    text: &str,
    refused: impl Fn(&column::Column<T>) -> Option<String>,
) -> Result<Expr<T>, FilterError> {
    let tokens = lexer::tokens(text)?;
    let mut parser = Parser { tokens: &tokens, depth: 0 };
    if parser.peek().kind == TokenKind::End {
        return Ok(Expr::Constant(true));
    }
    let expr = parser.any()?;
    match parser.peek() {
        Token { kind: TokenKind::End, .. } => {}
        token => return Err(expected("'and', 'or' or the end", token)),
    }
    // Wherever a column's name stands without quotes, it is the column.
    let reason = |token: &Token<'_>| match token.kind {
        TokenKind::Word(name) => column::find(name).and_then(&refused),
        _ => None,
    };
    match tokens.iter().find_map(|token| Some(error(token, reason(token)?))) {
        Some(error) => Err(error),
        None => Ok(expr),
    }
}

struct Parser<'a> {
    /// What is left; the last is the end and is never taken.
    tokens: &'a [Token<'a>],
    depth: usize,
}

fn expected(what: &str, found: &Token<'_>) -> FilterError {
    error(found, format!("expected {what}, found {}", found.kind.describe()))
}

fn error(at: &Token<'_>, message: String) -> FilterError {
    FilterError { column: at.column, message }
}

impl<'a> Parser<'a> {
    fn peek(&self) -> &'a Token<'a> {
        &self.tokens[0]
    }

    fn next(&mut self) -> &'a Token<'a> {
        let token = self.peek();
        if self.tokens.len() > 1 {
            self.tokens = &self.tokens[1..];
        }
        token
    }

    fn take(&mut self, kind: &TokenKind<'_>) -> bool {
        let is_next = self.peek().kind == *kind;
        if is_next {
            self.next();
        }
        is_next
    }

    /// One level further down, which `at` opens.
    fn deeper<R>(
        &mut self,
        at: &Token<'_>,
        parse: impl FnOnce(&mut Self) -> Result<R, FilterError>,
    ) -> Result<R, FilterError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            let message = format!("more than {MAX_DEPTH} conditions inside one another");
            return Err(error(at, message));
        }
        let result = parse(self);
        self.depth -= 1;
        result
    }

    fn any<T: Table>(&mut self) -> Result<Expr<T>, FilterError> {
        let mut list = vec![self.all()?];
        while self.take(&TokenKind::Or) {
            list.push(self.all()?);
        }
        Ok(one_or(list, Expr::Or))
    }

    fn all<T: Table>(&mut self) -> Result<Expr<T>, FilterError> {
        let mut list = vec![self.condition()?];
        while self.take(&TokenKind::And) {
            list.push(self.condition()?);
        }
        Ok(one_or(list, Expr::And))
    }

    fn condition<T: Table>(&mut self) -> Result<Expr<T>, FilterError> {
        let first = self.next();
        match first.kind {
            TokenKind::Not => {
                let inner = self.deeper(first, Self::condition)?;
                Ok(Expr::Not(Box::new(inner)))
            }
            TokenKind::Open => {
                let inner = self.deeper(first, Self::any)?;
                if self.take(&TokenKind::Close) {
                    return Ok(inner);
                }
                Err(expected("')'", self.peek()))
            }
            _ => match self.peek().kind {
                TokenKind::Comparison(comparison) => {
                    self.next();
                    let second = self.next();
                    compare(first, comparison, second)
                }
                TokenKind::Match { negated } => {
                    self.next();
                    let operand = Side::of(first, "a condition")?.into_operand();
                    matches(operand, negated, self.next())
                }
                _ => alone(first),
            },
        }
    }
}

/// The only one of a list, or all of them together.
fn one_or<T: Table>(mut list: Vec<Expr<T>>, join: fn(Vec<Expr<T>>) -> Expr<T>) -> Expr<T> {
    match list.pop() {
        Some(only) if list.is_empty() => only,
        last => {
            list.extend(last);
            join(list)
        }
    }
}

/// A condition without an operator.
fn alone<T: Table>(token: &Token<'_>) -> Result<Expr<T>, FilterError> {
    let word = match token.kind {
        TokenKind::Bool(value) => return Ok(Expr::Constant(value)),
        TokenKind::Word(name) => match column::find(name) {
            Some(column) => return Ok(Expr::Has(column)),
            None => name,
        },
        TokenKind::Text(text) | TokenKind::Number(_, text) | TokenKind::Fraction(_, text) => text,
        _ => return Err(expected("a condition", token)),
    };
    Word::new(word).map(Expr::Word).map_err(|_| error(token, "the word is too long".into()))
}

fn matches<T: Table>(
    operand: Operand<T>,
    negated: bool,
    pattern: &Token<'_>,
) -> Result<Expr<T>, FilterError> {
    let TokenKind::Text(text) = pattern.kind else {
        return Err(expected("a regular expression in quotes", pattern));
    };
    match regex::Regex::new(text) {
        Ok(regex) => Ok(Expr::Match { operand, negated, regex }),
        Err(reason) => {
            // The library draws the pattern with a marker below, and says why in the last line.
            let reason = reason.to_string();
            let reason = reason.lines().last().unwrap_or_default();
            let reason = escape(reason.trim_start_matches("error: ").as_bytes());
            Err(error(pattern, format!("not a regular expression: {reason}")))
        }
    }
}

fn compare<T: Table>(
    first: &Token<'_>,
    comparison: Comparison,
    second: &Token<'_>,
) -> Result<Expr<T>, FilterError> {
    let left: Side<'_, T> = Side::of(first, "a condition")?;
    let after = format!("a column or a value after {}", comparison.symbol());
    let right: Side<'_, T> = Side::of(second, &after).map_err(|problem| match second.kind {
        TokenKind::Word(word) if column::nearest::<T>(word).is_none() => {
            let word = escape(word.as_bytes());
            let hint = format!("text is written in quotes: \"{word}\"");
            error(second, format!("no column is called '{word}'; {hint}"))
        }
        _ => problem,
    })?;
    let (left, right) = match (left, right) {
        (Side::Column(column), Side::Fraction(floor, _)) if column.kind.is_numeric() => {
            return Ok(compare_with_fraction(column, comparison, floor));
        }
        (Side::Fraction(floor, _), Side::Column(column)) if column.kind.is_numeric() => {
            return Ok(compare_with_fraction(column, comparison.turned(), floor));
        }
        (Side::Column(column), side) if !side.is_column() => {
            let value = side.cast(column.name, column.kind, second)?;
            (Operand::Column(column), Operand::Literal(value))
        }
        (side, Side::Column(column)) if !side.is_column() => {
            let value = side.cast(column.name, column.kind, first)?;
            (Operand::Literal(value), Operand::Column(column))
        }
        // A fraction is known by the whole number below it, which is enough beside a column.
        (left, right) if left.is_fraction_beside(&right) || right.is_fraction_beside(&left) => {
            let names = format!("{} and {}", left.describe(), right.describe());
            return Err(error(second, format!("{names} can't be compared: neither is a column")));
        }
        (left, right) => {
            let (left_type, right_type) = (left.type_name(), right.type_name());
            if left_type != right_type {
                let names = format!("{} and {}", left.describe(), right.describe());
                let types = format!("{left_type} and {right_type}");
                return Err(error(second, format!("{names} can't be compared: {types}")));
            }
            (left.into_operand(), right.into_operand())
        }
    };
    Ok(Expr::Compare(left, comparison, right))
}

/// Compares a column of whole numbers with one between `floor` and the next.
fn compare_with_fraction<T: Table>(
    column: &'static column::Column<T>,
    comparison: Comparison,
    floor: i128,
) -> Expr<T> {
    let with = |comparison| {
        let floor = Operand::Literal(Value::Int(floor));
        Expr::Compare(Operand::Column(column), comparison, floor)
    };
    let (above, below) = (with(Comparison::Greater), with(Comparison::LessOrEqual));
    match comparison {
        Comparison::Greater | Comparison::GreaterOrEqual => above,
        Comparison::Less | Comparison::LessOrEqual => below,
        // None is equal to it, and all that are known are not.
        Comparison::Equal => Expr::And(vec![above, below]),
        Comparison::NotEqual => Expr::Or(vec![above, below]),
    }
}

/// What stands on one side of an operator, as it was written.
enum Side<'a, T: Table> {
    Column(&'static column::Column<T>),
    Bool(bool),
    Number(i128, &'a str),
    Fraction(i128, &'a str),
    Text(&'a str),
}

impl<'a, T: Table> Side<'a, T> {
    fn of(token: &Token<'a>, what: &str) -> Result<Self, FilterError> {
        match token.kind {
            TokenKind::Bool(value) => Ok(Self::Bool(value)),
            TokenKind::Number(value, text) => Ok(Self::Number(value, text)),
            TokenKind::Fraction(floor, text) => Ok(Self::Fraction(floor, text)),
            TokenKind::Text(text) => Ok(Self::Text(text)),
            TokenKind::Word(name) => match column::find(name) {
                Some(column) => Ok(Self::Column(column)),
                None => {
                    let nearest = column::nearest::<T>(name);
                    let unknown = column::ColumnError::Unknown { name: name.to_owned(), nearest };
                    Err(error(token, unknown.to_string()))
                }
            },
            _ => Err(expected(what, token)),
        }
    }

    fn is_column(&self) -> bool {
        matches!(self, Self::Column(_))
    }

    /// Whether it is a fraction, and the other one a number.
    fn is_fraction_beside(&self, other: &Self) -> bool {
        matches!((self, other), (Self::Fraction(..), Self::Number(..) | Self::Fraction(..)))
    }

    fn type_name(&self) -> &'static str {
        match self {
            Self::Column(column) => match column.kind {
                kind if kind.is_numeric() => "number",
                ColumnKind::Bool => "true or false",
                _ => "text",
            },
            Self::Bool(_) => "true or false",
            Self::Number(..) | Self::Fraction(..) => "number",
            Self::Text(_) => "text",
        }
    }

    fn describe(&self) -> String {
        match self {
            Self::Column(column) => column.name.to_owned(),
            Self::Bool(value) => value.to_string(),
            Self::Number(_, text) | Self::Fraction(_, text) => (*text).to_owned(),
            Self::Text(text) => format!("\"{}\"", escape(text.as_bytes())),
        }
    }

    /// The value as a column of this kind would have it: what is written decides only where
    /// the column doesn't.
    fn cast(
        &self,
        column: &str,
        kind: ColumnKind,
        at: &Token<'_>,
    ) -> Result<Value<'static>, FilterError> {
        let value = match kind {
            ColumnKind::Text => Some(Value::Text(Cow::Owned(match self {
                Self::Bool(value) => value.to_string(),
                Self::Number(_, text) | Self::Fraction(_, text) | Self::Text(text) => {
                    (*text).to_owned()
                }
                Self::Column(column) => column.name.to_owned(),
            }))),
            ColumnKind::Bool => match self {
                Self::Bool(value) => Some(*value),
                Self::Number(0, _) => Some(false),
                Self::Number(1, _) => Some(true),
                Self::Text(text) => match text.to_ascii_lowercase().as_str() {
                    "true" | "yes" => Some(true),
                    "false" | "no" => Some(false),
                    _ => None,
                },
                _ => None,
            }
            .map(Value::Bool),
            ColumnKind::Number | ColumnKind::Bytes | ColumnKind::Seconds => match self {
                Self::Number(value, _) => Some(*value),
                Self::Text(text) => super::parse_number(text),
                _ => None,
            }
            .map(Value::Int),
        };
        value.ok_or_else(|| {
            let wanted = match kind {
                ColumnKind::Bool => "true or false",
                _ => "a number",
            };
            error(at, format!("{column} is {wanted}, and {} is not", self.describe()))
        })
    }

    fn into_operand(self) -> Operand<T> {
        match self {
            Self::Column(column) => Operand::Column(column),
            Self::Bool(value) => Operand::Literal(Value::Bool(value)),
            Self::Number(value, _) => Operand::Literal(Value::Int(value)),
            Self::Fraction(_, text) | Self::Text(text) => {
                Operand::Literal(Value::Text(Cow::Owned(text.to_owned())))
            }
        }
    }
}
