//! Which rows of a table are shown, and in which order: a view is a list of their numbers.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::ops::Range;

use super::table::{Column, Direction, Sort};
use crate::model::column::Value;

/// The unknown stands last in either direction.
fn compare(a: &Value<'_>, b: &Value<'_>, direction: Direction) -> Ordering {
    match direction {
        Direction::Descending if a.is_known() && b.is_known() => b.cmp(a),
        _ => a.cmp(b),
    }
}

/// The numbers of the rows that `wanted` holds for, in the wanted order; rows that sort alike
/// keep the order they came in.
pub fn arrange<R, C>(
    rows: &[R],
    columns: &[Column<R, C>],
    sort: Option<Sort>,
    mut wanted: impl FnMut(&R) -> bool,
) -> Vec<u32> {
    // A process has at most 2^30 descriptors (sysctl fs.nr_open), a system 2^22 processes.
    let numbered = (0u32..).zip(rows).filter(|(_, row)| wanted(row));
    let Some((column, sort)) = sort.and_then(|sort| Some((columns.get(sort.column)?, sort))) else {
        return numbered.map(|(number, _)| number).collect();
    };
    let mut keys = Keys::default();
    let mut keyed: Vec<_> =
        numbered.map(|(number, row)| (keys.keep(row, column.key), number)).collect();
    keyed.sort_by(|(a, _), (b, _)| compare(&keys.value(a), &keys.value(b), sort.direction));
    keyed.into_iter().map(|(_, number)| number).collect()
}

/// What rows are sorted by, each computed once; their texts lie behind one another in one string.
#[derive(Default)]
struct Keys {
    texts: String,
    room: String,
}

/// A value whose text, if it is one, lies in [`Keys`].
enum Key {
    Text(Range<usize>),
    Other(Value<'static>),
}

impl Keys {
    fn keep<R>(&mut self, row: &R, key: for<'a> fn(&'a R, &'a mut String) -> Value<'a>) -> Key {
        match key(row, &mut self.room) {
            Value::Text(text) => {
                let start = self.texts.len();
                self.texts.push_str(&text);
                Key::Text(start..self.texts.len())
            }
            Value::Bool(yes) => Key::Other(Value::Bool(yes)),
            Value::Int(number) => Key::Other(Value::Int(number)),
            Value::Unknown => Key::Other(Value::Unknown),
        }
    }

    fn value<'a>(&'a self, key: &'a Key) -> Value<'a> {
        match key {
            Key::Text(range) => Value::Text(Cow::Borrowed(&self.texts[range.clone()])),
            Key::Other(value) => value.borrowed(),
        }
    }
}
