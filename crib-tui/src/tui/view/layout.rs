//! Where the parts of a screen stand, and which are left out where there are few rows.

use ratatui::layout::Rect;

/// What a screen would like to show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wants {
    /// Column headings.
    pub headings: bool,
    /// A line under the title.
    pub notice: Notice,
    /// A line above the bottom one: what narrows the table down, or what is wrong with the
    /// line that is typed.
    pub status: bool,
    /// A line is being typed: it must be seen.
    pub typing: bool,
}

/// How much a line under the title is needed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Notice {
    /// There is none.
    #[default]
    None,
    /// It is good to know.
    Background,
    /// The user must know.
    Warning,
}

/// The parts; those that are left out have no height.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Regions {
    /// What the screen is about, and in which state.
    pub title: Rect,
    /// A line of news or of background.
    pub notice: Rect,
    /// The column headings.
    pub headings: Rect,
    /// The table or text.
    pub body: Rect,
    /// What narrows the table down, or what is wrong with what is typed.
    pub status: Rect,
    /// The keys, or the line that is being typed.
    pub bottom: Rect,
}

/// From this height on a screen has room for a line that isn't needed.
const ROOMY: u16 = 10;

impl Regions {
    /// Shares `area` out. Given one row, it is the body's; each further one goes to what
    /// matters most among the rest.
    pub fn of(area: Rect, wants: Wants) -> Self {
        let mut spare = area.height.saturating_sub(1);
        let mut take = |wanted: bool, for_body: u16| {
            let taken = u16::from(wanted && spare > for_body);
            spare -= taken;
            taken
        };
        let typed = take(wants.typing, 0);
        let title = take(true, 0);
        let status = take(wants.status, 0);
        let headings = take(wants.headings, 0);
        let bottom = typed + take(!wants.typing, 1);
        let noticed = match wants.notice {
            Notice::None => false,
            Notice::Background => area.height >= ROOMY,
            Notice::Warning => true,
        };
        let notice = take(noticed, 1);
        let mut y = area.y;
        let mut next = |height: u16| {
            let rect = Rect { y, height, ..area };
            y += height;
            rect
        };
        let others = title + notice + headings + status + bottom;
        Self {
            title: next(title),
            notice: next(notice),
            headings: next(headings),
            body: next(area.height - others),
            status: next(status),
            bottom: next(bottom),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn heights(height: u16, wants: Wants) -> [u16; 6] {
        let Regions { title, notice, headings, body, status, bottom } =
            Regions::of(Rect::new(0, 0, 80, height), wants);
        [title, notice, headings, body, status, bottom].map(|rect| rect.height)
    }

    #[test]
    fn what_matters_most_is_there_first() {
        let table = Wants { headings: true, notice: Notice::Background, ..Wants::default() };
        assert_eq!(heights(24, table), [1, 1, 1, 20, 0, 1]);
        assert_eq!(heights(5, table), [1, 0, 1, 2, 0, 1]);
        assert_eq!(heights(2, table), [1, 0, 0, 1, 0, 0]);
        assert_eq!(heights(1, table), [0, 0, 0, 1, 0, 0]);
        let typing = Wants { typing: true, status: true, ..table };
        assert_eq!(heights(5, typing), [1, 0, 1, 1, 1, 1]);
        assert_eq!(heights(2, typing), [0, 0, 0, 1, 0, 1]);
        assert_eq!(heights(6, Wants { notice: Notice::Warning, ..table }), [1, 1, 1, 2, 0, 1]);
    }

    proptest! {
        #[test]
        fn the_parts_fill_the_screen(
            height: u16, headings: bool, warning: bool, status: bool, typing: bool,
        ) {
            let notice = if warning { Notice::Warning } else { Notice::None };
            let heights = heights(height, Wants { headings, notice, status, typing });
            prop_assert_eq!(heights.iter().map(|&rows| u32::from(rows)).sum::<u32>(), u32::from(height));
            prop_assert!(height == 0 || heights[3] > 0);
        }
    }
}
