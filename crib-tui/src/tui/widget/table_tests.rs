//! Tests of the table: fitting columns, arranging rows, and keeping the selection.

use std::cell::Cell;

use proptest::prelude::*;
use ratatui::style::Color;

use super::*;
use crate::tui::widget::arrange::arrange;

fn column(title: &'static str, min: u16, max: u16, priority: u8) -> Column<i64, Cell<usize>> {
    Column {
        title,
        min,
        max,
        priority,
        align: Align::Right,
        first: Direction::Ascending,
        cell: |row, drawn, _| {
            drawn.set(drawn.get() + 1);
            Line::raw(row.to_string())
        },
        key: |row, _| Value::from((*row >= 0).then_some(*row)),
    }
}

fn columns() -> Vec<Column<i64, Cell<usize>>> {
    vec![
        column("FD", 5, 5, 0),
        column("KIND", 8, 12, 1),
        column("OPS", 10, 20, LUXURY),
        column("NAME", 20, FILL, 0),
    ]
}

fn shown(width: u16) -> Vec<(&'static str, u16)> {
    let columns = columns();
    fit(&columns, width).iter().map(|placed| (columns[placed.column].title, placed.width)).collect()
}

#[test]
fn columns_go_by_priority_and_the_last_one_takes_the_rest() {
    assert_eq!(shown(120), [("FD", 5), ("KIND", 12), ("OPS", 20), ("NAME", 79)]);
    assert_eq!(shown(79), [("FD", 5), ("KIND", 8), ("OPS", 10), ("NAME", 52)]);
    assert_eq!(shown(78), [("FD", 5), ("KIND", 12), ("NAME", 58)]);
    assert_eq!(shown(39), [("FD", 5), ("KIND", 8), ("NAME", 23)]);
    assert_eq!(shown(29), [("FD", 5), ("NAME", 22)]);
    assert_eq!(shown(19), [("FD", 5), ("NAME", 12)]);
    assert_eq!(shown(4), [("FD", 3)]);
    assert_eq!(shown(1), []);
}

#[test]
fn unknown_stands_last_in_both_directions() {
    let rows = [3, -1, 1, 2];
    let sorted = |direction| {
        arrange(&rows, &columns(), Some(Sort { column: 0, direction }), |_| true)
            .into_iter()
            .map(|row| rows[row as usize])
            .collect::<Vec<_>>()
    };
    assert_eq!(sorted(Direction::Ascending), [1, 2, 3, -1]);
    assert_eq!(sorted(Direction::Descending), [3, 2, 1, -1]);
    assert_eq!(arrange(&rows, &columns(), None, |row| *row > 1), [0, 3]);
}

#[test]
fn the_selection_follows_its_row() {
    let mut cursor = Cursor::default();
    let before = ["a", "b", "c", "d"];
    cursor.select(2, 4, 2, |index| before[index]);
    assert_eq!((cursor.index(), cursor.offset()), (2, 1));
    let after = ["x", "y", "a", "b", "c", "d"];
    cursor.follow(6, 2, |index| after[index]);
    assert_eq!((cursor.index(), cursor.offset()), (4, 3));
    // It is gone: the row that moved up is selected now.
    let gone = ["x", "y", "a", "b", "d"];
    cursor.follow(5, 2, |index| gone[index]);
    assert_eq!(cursor.index(), 4);
    cursor.follow(0, 2, |_| "");
    assert_eq!((cursor.index(), cursor.offset()), (0, 0));
}

#[test]
fn a_table_that_shows_its_top_keeps_showing_it() {
    let mut cursor = Cursor::default();
    cursor.select(0, 2, 5, |index| ["b", "c"][index]);
    cursor.follow(3, 5, |index| ["a", "b", "c"][index]);
    assert_eq!((cursor.index(), cursor.offset()), (1, 0));
}

#[test]
fn only_the_rows_that_are_seen_are_drawn() {
    let theme = Theme::new(true, false);
    let area = Rect::new(0, 0, 80, 10);
    let mut buffer = Buffer::empty(area);
    let drawn = Cell::new(0);
    let at = |index: usize| -> &i64 {
        assert!(index < 1_000_000);
        &7
    };
    let rows = Rows {
        len: 1_000_000,
        offset: 999_995,
        selected: 999_999,
        at: &at,
        look: |_, _| ("+", Style::new()),
    };
    let columns = columns();
    draw_rows(&mut buffer, area, &columns, &rows, &drawn, &theme);
    assert_eq!(drawn.get(), 5 * 4);
}

proptest! {
    #[test]
    fn columns_stay_inside_and_apart(width: u16) {
        let mut free = GUTTER;
        for placed in fit(&columns(), width) {
            prop_assert!(placed.x >= free && placed.width > 0);
            free = placed.x + placed.width;
            prop_assert!(free <= width);
        }
    }

    #[test]
    fn the_selected_row_is_always_seen(
        steps in prop::collection::vec((-50isize..50, 0usize..100, 1usize..20), 1..50),
    ) {
        let mut cursor = Cursor::default();
        for (by, len, page) in steps {
            cursor.follow(len, page, |index| index);
            cursor.step(by, len, page, |index| index);
            prop_assert!(len == 0 || cursor.index() < len);
            prop_assert!(cursor.offset() <= cursor.index());
            prop_assert!(cursor.index() < cursor.offset() + page);
        }
    }
}

#[test]
fn the_selected_row_has_one_colour_from_end_to_end() {
    let (columns, theme, context) = (columns(), Theme::new(true, false), Cell::new(0));
    let area = Rect::new(0, 0, 60, 2);
    let mut buffer = Buffer::empty(area);
    let rows = Rows {
        len: 2,
        offset: 0,
        selected: 1,
        at: &|index| &[7, 8][index],
        look: |_, _: &Cell<usize>| ("!", Style::new().fg(Color::Yellow)),
    };
    draw_rows(&mut buffer, area, &columns, &rows, &context, &theme);
    let colours = |y| -> Vec<_> { (0..60).map(|x| buffer[(x, y)].fg).collect() };
    assert_eq!(colours(1), [Color::Yellow; 60]);
    assert_ne!(colours(0), [Color::Yellow; 60], "gaps show no colour");
}
