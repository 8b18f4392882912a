//! A sparkline in a line of text: how a number has changed, a column a moment. (ratatui has one as
//! a widget of its own, which can't stand in a table's cell.)

use crate::tui::theme::Glyphs;

/// The last `width` columns of what `levels` tells; fewer where there are fewer levels. The least
/// of them is at the bottom and the greatest at the top, unless all are the same.
pub fn line(levels: &[u64], width: usize, glyphs: &Glyphs) -> String {
    let per_column = levels.len().div_ceil(width.max(1)).max(1);
    // Where several share a column, the greatest is seen.
    let columns = levels.rchunks(per_column).rev().filter_map(|chunk| chunk.iter().max().copied());
    let columns: Vec<u64> = columns.collect();
    let Some((&least, &most)) = columns.iter().min().zip(columns.iter().max()) else {
        return String::new();
    };
    let top = glyphs.levels.len() as u64 - 1;
    let height = |level: u64| match most - least {
        0 => 0,
        range => (u128::from(level - least) * u128::from(top)).div_ceil(u128::from(range)) as usize,
    };
    columns.into_iter().map(|level| glyphs.levels[height(level)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use unicode_width::UnicodeWidthStr;

    #[test]
    fn levels_stand_between_the_least_and_the_greatest() {
        let unicode = |levels: &[u64], width| line(levels, width, &Glyphs::UNICODE);
        assert_eq!(unicode(&[], 8), "");
        assert_eq!(unicode(&[5, 5, 5], 8), "▁▁▁");
        assert_eq!(unicode(&[0, 1, 2, 3, 4, 5, 6, 7], 8), "▁▂▃▄▅▆▇█");
        assert_eq!(unicode(&[1000, 1001, 1000], 8), "▁█▁");
        assert_eq!(unicode(&[0, 9, 0, 0, 0], 3), "▁█▁", "the latest are whole");
        assert_eq!(line(&[0, 7], 8, &Glyphs::ASCII), "_#");
    }

    proptest! {
        #[test]
        fn it_fits_and_does_not_panic(levels in prop::collection::vec(any::<u64>(), 0..200), width in 0_usize..100) {
            let text = line(&levels, width, &Glyphs::UNICODE);
            prop_assert!(text.width() <= width.max(1));
            prop_assert_eq!(text.is_empty(), levels.is_empty());
        }
    }
}
