//! Columns: the one table of what can be shown of a row, which drives output, filter, sort,
//! the list of columns and the screen alike.

use std::borrow::Cow;
use std::fmt::{self, Debug, Display, Write};
use std::time::Duration;

use super::Text;

/// A sort of table: what its rows are, and which columns they have.
pub trait Table: Copy + Debug + 'static {
    /// A row, which borrows from the model.
    type Row<'a>: Copy;

    /// What a row is, in the plural, as messages say it: `open files`.
    const ROWS: &'static str;

    /// Every column, in the order of the manual.
    fn columns() -> &'static [Column<Self>];

    /// The names of the columns that are shown unless others are asked for.
    fn default_names() -> &'static [&'static str];

    /// The columns that are shown unless others are asked for.
    fn default_columns() -> Vec<&'static Column<Self>> {
        Self::default_names().iter().filter_map(|name| find(name)).collect()
    }
}

/// One column.
pub struct Column<T: Table> {
    /// Its name, upper case: what `-o` and filters call it.
    pub name: &'static str,
    /// What it holds, with the unit.
    pub help: &'static str,
    /// What its values are.
    pub kind: ColumnKind,
    /// Its value in a row. A text that has to be put together is put together in the string that
    /// is given, so that going through many rows takes the room for one.
    pub value: for<'r, 'a> fn(&'r T::Row<'a>, &'r mut String) -> Value<'r>,
}

impl<T: Table> Debug for Column<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// Two columns of one table are the same when they have the same name.
impl<T: Table> PartialEq for Column<T> {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl<T: Table> Eq for Column<T> {}

impl<T: Table> Column<T> {
    /// Its value in a row, as a person reads it.
    pub fn text(&self, row: &T::Row<'_>) -> String {
        (self.value)(row, &mut String::new()).to_string()
    }

    /// How its cells are aligned.
    pub fn align(&self) -> Align {
        match self.kind {
            ColumnKind::Number | ColumnKind::Bytes | ColumnKind::Seconds => Align::Right,
            ColumnKind::Bool | ColumnKind::Text => Align::Left,
        }
    }
}

/// What the values of a column are; each may be unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColumnKind {
    /// Numbers without a unit.
    Number,
    /// Numbers of bytes.
    Bytes,
    /// Numbers of seconds.
    Seconds,
    /// Yes or no.
    Bool,
    /// Text, already escaped.
    Text,
}

impl ColumnKind {
    /// Whether its values are numbers.
    pub fn is_numeric(self) -> bool {
        matches!(self, Self::Number | Self::Bytes | Self::Seconds)
    }

    /// The name of the type, as the list of columns shows it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Number => "number",
            Self::Bytes => "bytes",
            Self::Seconds => "seconds",
            Self::Bool => "boolean",
            Self::Text => "string",
        }
    }
}

/// To which side the cells of a column keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Align {
    /// Text.
    Left,
    /// Numbers.
    Right,
}

/// A cell's value.
///
/// Ordered by what it is (numbers as numbers, text by its bytes), the unknown after
/// everything known.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Value<'a> {
    /// Yes or no.
    Bool(bool),
    /// A number; wide enough for every unsigned and signed field of the kernel.
    Int(i128),
    /// Text without control characters.
    Text(Cow<'a, str>),
    /// The source could not tell, or the row has no such thing.
    Unknown,
}

impl Value<'_> {
    /// Whether the value is known.
    pub fn is_known(&self) -> bool {
        !matches!(self, Self::Unknown)
    }

    /// Whether there is something: not unknown, no, zero or empty.
    pub fn is_truthy(&self) -> bool {
        match self {
            Self::Unknown => false,
            Self::Bool(yes) => *yes,
            Self::Int(number) => *number != 0,
            Self::Text(text) => !text.is_empty(),
        }
    }

    /// The value as a person reads it; `-` where it is unknown. A number is written into `room`.
    pub fn text<'t>(&'t self, room: &'t mut String) -> &'t str {
        match self {
            Self::Unknown => "-",
            Self::Bool(true) => "yes",
            Self::Bool(false) => "no",
            Self::Int(number) => written(room, number),
            Self::Text(text) => text,
        }
    }

    /// The same value, whose text is borrowed.
    pub fn borrowed(&self) -> Value<'_> {
        match self {
            Self::Text(text) => Value::Text(Cow::Borrowed(text)),
            Self::Bool(yes) => Value::Bool(*yes),
            Self::Int(number) => Value::Int(*number),
            Self::Unknown => Value::Unknown,
        }
    }
}

/// What `text` displays, written into `room` in place of what was there.
pub fn written(room: &mut String, text: impl Display) -> &str {
    room.clear();
    // Writing to a String does not fail.
    let _ = write!(room, "{text}");
    room
}

impl Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.text(&mut String::new()))
    }
}

macro_rules! value_from_integers {
    ($($integer:ty)*) => {$(
        impl From<$integer> for Value<'_> {
            fn from(number: $integer) -> Self {
                Self::Int(number.into())
            }
        }
    )*};
}
value_from_integers!(u16 u32 u64 i64);

impl From<bool> for Value<'_> {
    fn from(yes: bool) -> Self {
        Self::Bool(yes)
    }
}

/// Whole seconds.
impl From<Duration> for Value<'_> {
    fn from(duration: Duration) -> Self {
        Self::Int(duration.as_secs().into())
    }
}

impl<'a> From<Cow<'a, str>> for Value<'a> {
    fn from(text: Cow<'a, str>) -> Self {
        Self::Text(text)
    }
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }
}

impl From<String> for Value<'_> {
    fn from(text: String) -> Self {
        Self::Text(Cow::Owned(text))
    }
}

impl<'a> From<&'a Text> for Value<'a> {
    fn from(text: &'a Text) -> Self {
        Self::Text(text.escaped())
    }
}

impl<'a, V: Into<Value<'a>>> From<Option<V>> for Value<'a> {
    fn from(value: Option<V>) -> Self {
        value.map_or(Self::Unknown, Into::into)
    }
}

/// Why a list of columns is not one. Each message is one line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ColumnError {
    /// A name that no column has.
    #[error("no column is called '{}'{}", super::escape(.name.as_bytes()), did_you_mean(*.nearest))]
    Unknown {
        /// What was asked for.
        name: String,
        /// The column whose name is most like it, if any is.
        nearest: Option<&'static str>,
    },
    /// Nothing between two commas, or nothing at all.
    #[error("a column's name is missing in the list '{}'", super::escape(.list.as_bytes()))]
    Missing {
        /// The whole list.
        list: String,
    },
}

fn did_you_mean(nearest: Option<&str>) -> String {
    nearest.map(|name| format!("; did you mean {name}?")).unwrap_or_default()
}

/// The column of a name, whatever its case.
pub fn find<T: Table>(name: &str) -> Option<&'static Column<T>> {
    T::columns().iter().find(|column| column.name.eq_ignore_ascii_case(name))
}

/// The name that is most like `name`, where one is like it at all.
pub fn nearest<T: Table>(name: &str) -> Option<&'static str> {
    let upper = name.to_ascii_uppercase();
    // A third of the letters may be wrong: more, and any short name is like any other.
    let bound = (upper.chars().count() / 3).max(1);
    T::columns()
        .iter()
        // A part of a dotted name is what one remembers of it: STATE of SOCK.STATE.
        .map(|column| {
            let last = column.name.rsplit('.').next().unwrap_or(column.name);
            let whole = strsim::damerau_levenshtein(&upper, column.name);
            (whole.min(strsim::damerau_levenshtein(&upper, last) + 1), column.name)
        })
        .filter(|&(distance, _)| distance <= bound)
        .min_by_key(|&(distance, _)| distance)
        .map(|(_, name)| name)
}

/// The columns of a list like `FD,NAME`; one that begins with `+` adds to the default ones.
///
/// Added columns come before the last default one, which is the widest: behind it they would
/// be cut off on a screen.
///
/// # Errors
/// [`ColumnError`] for a name that no column has, and for an empty one.
pub fn select<T: Table>(list: &str) -> Result<Vec<&'static Column<T>>, ColumnError> {
    let adds = list.trim_start().starts_with('+');
    let mut columns = if adds { T::default_columns() } else { Vec::new() };
    let last = if adds { columns.pop() } else { None };
    for item in list.split(',') {
        let name = item.trim();
        let name = name.strip_prefix('+').unwrap_or(name);
        if name.is_empty() {
            return Err(ColumnError::Missing { list: list.to_owned() });
        }
        let column = find(name).ok_or_else(|| ColumnError::Unknown {
            name: name.to_owned(),
            nearest: nearest::<T>(name),
        })?;
        if !(adds && (columns.contains(&column) || last == Some(column))) {
            columns.push(column);
        }
    }
    columns.extend(last);
    Ok(columns)
}

#[cfg(test)]
mod tests {
    use super::super::Files;
    use super::*;

    fn names(list: &str) -> Result<Vec<&'static str>, ColumnError> {
        Ok(select::<Files>(list)?.iter().map(|column| column.name).collect())
    }

    #[test]
    fn values_order_by_what_they_are_and_the_unknown_comes_last() {
        let mut values = [Value::Unknown, 10_u64.into(), "b".into(), 9_u64.into(), "B".into()];
        values.sort();
        assert_eq!(values, [9_u64.into(), 10_u64.into(), "B".into(), "b".into(), Value::Unknown]);
    }

    #[test]
    fn values_read_as_a_person_reads_them() {
        let text = |value: Value<'_>| value.to_string();
        assert_eq!(text(Value::Unknown), "-");
        assert_eq!(text(true.into()), "yes");
        assert_eq!(text(u64::MAX.into()), "18446744073709551615");
        assert_eq!(text((&Text::from("a\x1b[m")).into()), "a\\x1b[m");
        assert_eq!(format!("{:>4}|{:<4}|", Value::from(7_u64), Value::from("x")), "   7|x   |");
    }

    #[test]
    fn a_list_names_columns_in_any_case_and_order() {
        assert_eq!(names("name, fd,Sock.State").unwrap(), ["NAME", "FD", "SOCK.STATE"]);
    }

    #[test]
    fn a_plus_adds_to_the_default_columns_what_is_not_among_them() {
        let (last, others) = Files::default_names().split_last().unwrap();
        assert_eq!(
            names("+FD,+INO,REFS,name").unwrap(),
            [others, &["INO", "REFS"], &[*last]].concat()
        );
    }

    #[test]
    fn a_wrong_name_is_an_error_that_names_the_nearest() {
        let error = |list| names(list).unwrap_err().to_string();
        assert_eq!(error("FD,NAM"), "no column is called 'NAM'; did you mean NAME?");
        assert_eq!(error("STATE"), "no column is called 'STATE'; did you mean SOCK.STATE?");
        assert_eq!(error("colour\n"), "no column is called 'colour'");
        assert_eq!(error("FD,\x1b"), "no column is called '\\x1b'");
        assert_eq!(error("FD,,NAME"), "a column's name is missing in the list 'FD,,NAME'");
        assert_eq!(error(""), "a column's name is missing in the list ''");
    }
}
