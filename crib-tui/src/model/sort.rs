//! Sorting rows by their columns.

use std::cmp::Ordering;

use super::column::{Column, Table, Value};

/// One key to sort by.
#[derive(Debug)]
pub struct SortKey<T: Table> {
    /// The column whose values decide.
    pub column: &'static Column<T>,
    /// Whether the greatest come first. The unknown come last either way.
    pub descending: bool,
}

// Derived, these would ask the same of T, which is only a name.
impl<T: Table> Clone for SortKey<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: Table> Copy for SortKey<T> {}

impl<T: Table> PartialEq for SortKey<T> {
    fn eq(&self, other: &Self) -> bool {
        self.column == other.column && self.descending == other.descending
    }
}

impl<T: Table> Eq for SortKey<T> {}

impl<T: Table> SortKey<T> {
    fn compare(&self, a: &Value<'_>, b: &Value<'_>) -> Ordering {
        if self.descending && a.is_known() && b.is_known() { b.cmp(a) } else { a.cmp(b) }
    }
}

/// Sorts by the first key, rows that are equal there by the second, and so on; rows that are
/// equal in all of them keep their order.
pub fn sort<T: Table>(keys: &[SortKey<T>], rows: &mut [T::Row<'_>]) {
    sort_by_row(keys, rows, |row| row);
}

/// As [`sort`], for items that carry a row.
pub fn sort_by_row<'a, T: Table, I>(
    keys: &[SortKey<T>],
    items: &mut [I],
    row: impl Fn(&I) -> &T::Row<'a>,
) {
    // From the last key to the first, stable each time. A key's values are computed once a
    // row, since names are put together from several fields.
    for key in keys.iter().rev() {
        let mut order: Vec<(Value<'_>, usize)> = items
            .iter()
            .enumerate()
            .map(|(index, item)| ((key.column.value)(row(item)), index))
            .collect();
        order.sort_by(|(a, _), (b, _)| key.compare(a, b));
        permute(items, order.into_iter().map(|(_, index)| index).collect());
    }
}

/// Puts at each place the item whose index stands there in `order`, a permutation.
fn permute<I>(items: &mut [I], mut order: Vec<usize>) {
    for place in 0..items.len() {
        // What stood at an earlier place was moved away from it by that place's swap: follow.
        let mut from = order[place];
        while from < place {
            from = order[from];
        }
        order[place] = from;
        items.swap(place, from);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::column::find;
    use super::super::{File, FileRow, Files, sample};
    use super::*;

    fn key(name: &str, descending: bool) -> SortKey<Files> {
        SortKey { column: find(name).unwrap(), descending }
    }

    fn sorted(sizes: &[(u32, Option<i64>)], keys: &[SortKey<Files>]) -> Vec<u32> {
        let process = sample::process();
        let files: Vec<File> =
            sizes.iter().map(|&(fd, size)| File { size, ..File::unknown(Some(fd)) }).collect();
        let mut rows: Vec<_> = files.iter().map(|file| FileRow::new(&process, file)).collect();
        sort(keys, &mut rows);
        rows.iter().filter_map(|row| row.file.fd).collect()
    }

    #[test]
    fn numbers_sort_as_numbers_and_the_unknown_comes_last_both_ways() {
        let sizes = [(0, Some(10)), (1, None), (2, Some(9)), (3, Some(100))];
        assert_eq!(sorted(&sizes, &[key("SIZE", false)]), [2, 0, 3, 1]);
        assert_eq!(sorted(&sizes, &[key("SIZE", true)]), [3, 0, 2, 1]);
    }

    #[test]
    fn equal_rows_keep_their_order_or_follow_the_next_key() {
        let sizes = [(5, Some(1)), (3, Some(1)), (4, Some(0))];
        assert_eq!(sorted(&sizes, &[key("SIZE", false)]), [4, 5, 3]);
        assert_eq!(sorted(&sizes, &[key("SIZE", true)]), [5, 3, 4]);
        assert_eq!(sorted(&sizes, &[key("SIZE", false), key("FD", false)]), [4, 3, 5]);
        assert_eq!(sorted(&sizes, &[]), [5, 3, 4]);
    }

    proptest! {
        #[test]
        fn it_agrees_with_the_standard_sort(sizes: Vec<Option<i64>>) {
            let sizes: Vec<(u32, Option<i64>)> = (0..).zip(sizes).collect();
            let mut expected = sizes.clone();
            expected.sort_by_key(|&(_, size)| (size.is_none(), size));
            let expected: Vec<u32> = expected.into_iter().map(|(fd, _)| fd).collect();
            prop_assert_eq!(sorted(&sizes, &[key("SIZE", false)]), expected);
        }
    }
}
