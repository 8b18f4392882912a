//! Groups as a person looks at them: put together in one of several ways, with what the rule says.

use std::time::Duration;

use super::{Course, GroupKey, Groups, OpenerId, Timeline, wider};
use crate::model::suspicion::judge;
use crate::model::{Kind, Text};

/// Over how long what comes and goes in a second is counted, where a slot is not longer.
const LATELY: Duration = Duration::from_secs(10);

/// What files are put together by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Grouping {
    /// Kind and label: what they are for.
    #[default]
    Label,
    /// Kind alone.
    Kind,
    /// The call that opened them.
    Opener,
    /// The network namespace that sockets are in.
    Namespace,
}

impl Grouping {
    /// All of them, in the order in which they are gone through.
    pub const ALL: [Self; 4] = [Self::Label, Self::Kind, Self::Opener, Self::Namespace];

    /// What it is by, in words.
    pub fn name(self) -> &'static str {
        match self {
            Self::Label => "label",
            Self::Kind => "kind",
            Self::Opener => "opener",
            Self::Namespace => "network namespace",
        }
    }

    /// The one after this, the first after the last.
    pub fn next(self) -> Self {
        let place = Self::ALL.iter().position(|&grouping| grouping == self).unwrap_or(0);
        Self::ALL[(place + 1) % Self::ALL.len()]
    }
}

/// Which group it is, among those of one grouping.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum GroupName {
    /// Files of one kind for one purpose.
    Label(Kind, Text),
    /// Files of one kind for several purposes (see [`super::wider`]).
    Wider(Kind, Text),
    /// Files of one kind.
    Kind(Kind),
    /// Files that one call opened; none for those of which nobody has seen it.
    Opener(Option<OpenerId>),
    /// Sockets of one network namespace, by its inode; none for everything else.
    Namespace(Option<u64>),
}

impl GroupName {
    /// The group that files with `key` belong to.
    pub fn of(grouping: Grouping, key: &GroupKey) -> Self {
        match grouping {
            Grouping::Label => Self::Label(key.kind, key.label.clone()),
            Grouping::Kind => Self::Kind(key.kind),
            Grouping::Opener => Self::Opener(key.opener),
            Grouping::Namespace => Self::Namespace(key.netns),
        }
    }

    /// Whether files with `key` belong to it.
    pub fn holds(&self, key: &GroupKey) -> bool {
        match self {
            Self::Label(kind, label) => key.kind == *kind && key.label == *label,
            Self::Wider(kind, label) => key.kind == *kind && wider::takes_in(label, key),
            Self::Kind(kind) => key.kind == *kind,
            Self::Opener(opener) => key.opener == *opener,
            Self::Namespace(netns) => key.netns == *netns,
        }
    }
}

/// One group, and what became of it.
#[derive(Clone, Debug, PartialEq)]
pub struct GroupSummary {
    /// Which one it is.
    pub name: GroupName,
    /// Files that are open.
    pub count: u64,
    /// Files that were opened in a second lately; none before there were two readings.
    pub opened_per_second: Option<f64>,
    /// Files that were closed in a second lately.
    pub closed_per_second: Option<f64>,
    /// The growth in files a second, as in [`super::super::suspicion::Verdict`].
    pub per_second: f64,
    /// Whether it only grows.
    pub suspected: bool,
    /// The age of the oldest open file.
    pub oldest: Option<Duration>,
    /// Whether that may be older: it was there in the first reading.
    pub oldest_is_at_least: bool,
    /// Bytes that wait in both directions; none where nothing is known to wait anywhere.
    pub queued: Option<u64>,
    /// How many files were open over time.
    pub levels: Vec<u64>,
    /// How many bytes waited over time.
    pub queued_levels: Vec<u64>,
}

impl GroupSummary {
    fn new(name: GroupName, course: Course, groups: &Groups) -> Self {
        let timeline = groups.timeline();
        let verdict = judge(&course, timeline, groups.ages());
        let lately = lately(&course, timeline);
        Self {
            name,
            count: course.count,
            opened_per_second: lately.map(|(opened, _)| opened),
            closed_per_second: lately.map(|(_, closed)| closed),
            per_second: verdict.per_second,
            suspected: verdict.suspected,
            oldest: course.oldest.map(|since| timeline.now().saturating_sub(since)),
            oldest_is_at_least: course.oldest == Some(Duration::ZERO),
            queued: course.queued,
            levels: course.levels.as_slice().to_vec(),
            queued_levels: course.queued_levels.as_slice().to_vec(),
        }
    }
}

/// The groups by a grouping, without those of which nothing is left to tell.
pub fn summaries(groups: &Groups, grouping: Grouping) -> Vec<GroupSummary> {
    let says_something = |course: &Course| course.count + course.opened + course.closed > 0;
    groups
        .by(|key| GroupName::of(grouping, key))
        .into_iter()
        .filter(|(_, course)| says_something(course))
        .map(|(name, course)| GroupSummary::new(name, course, groups))
        .collect()
}

/// How many files were opened and closed in a second lately.
fn lately(course: &Course, timeline: &Timeline) -> Option<(f64, f64)> {
    let len = timeline.len();
    let begin = timeline.now().saturating_sub(LATELY);
    // The latest slot counts however long it is.
    let first = timeline.first_from(begin).min(len.checked_sub(1)?);
    let seconds = (timeline.now() - timeline.start(first)).as_secs_f64();
    let count = course.flow(0).map(|flow| flow.sum(first..len)).unwrap_or_default();
    (seconds > 0.0).then(|| (count.came as f64 / seconds, count.went as f64 / seconds))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::model::groups::Opening;
    use crate::model::{File, FileId, FilesReading, History, sample};

    fn reading(files: &[(u32, u64)]) -> FilesReading {
        let file = |&(fd, id)| {
            let file = File::unknown(Some(fd));
            Arc::new(File { id: Some(FileId::new(id)), path: Some("/a".into()), ..file })
        };
        FilesReading { files: files.iter().map(file).collect(), ..sample::reading() }
    }

    #[test]
    fn what_comes_and_goes_lately_is_told_by_the_second() {
        let mut history = History::new(Duration::from_secs(1));
        let none = |_: &File| Opening::default();
        let observe = |history: &mut History, second, files: &[(u32, u64)]| {
            history.observe(reading(files), Duration::from_secs(second), none);
            summaries(history.groups(), Grouping::Label)
        };
        let [group] = &observe(&mut history, 0, &[(1, 1)])[..] else { panic!() };
        assert_eq!((group.count, group.opened_per_second, group.per_second), (1, None, 0.0));
        let [group] = &observe(&mut history, 2, &[(1, 1), (2, 2)])[..] else { panic!() };
        assert_eq!((group.opened_per_second, group.closed_per_second), (Some(0.5), Some(0.0)));
        assert!(group.oldest_is_at_least && group.oldest == Some(Duration::from_secs(2)));
        // Nothing happens for a while; then one goes.
        for second in 3..20 {
            observe(&mut history, second, &[(1, 1), (2, 2)]);
        }
        let [group] = &observe(&mut history, 20, &[(2, 2)])[..] else { panic!() };
        assert_eq!((group.opened_per_second, group.closed_per_second), (Some(0.0), Some(0.1)));
        assert!(!group.oldest_is_at_least && group.oldest == Some(Duration::from_secs(18)));
        assert_eq!(group.levels, [vec![2; 18], vec![1]].concat());
        assert_eq!(group.name, GroupName::Label(Kind::Unknown, "/a".into()));
        assert_eq!(summaries(history.groups(), Grouping::Namespace)[0].count, 1);
    }

    #[test]
    fn a_name_holds_what_it_was_made_of_and_nothing_else() {
        let key = |kind, label: &str, netns, opener: Option<u32>| GroupKey {
            kind,
            label: label.into(),
            netns,
            opener: opener.map(OpenerId),
        };
        let keys = [
            key(Kind::Socket, "tcp", Some(1), None),
            key(Kind::Socket, "udp", Some(2), Some(1)),
            key(Kind::Pipe, "udp", None, Some(2)),
        ];
        for grouping in Grouping::ALL {
            for (key, other) in keys.iter().zip(keys.iter().cycle().skip(1)) {
                let name = GroupName::of(grouping, key);
                assert!(name.holds(key));
                assert_eq!(name.holds(other), name == GroupName::of(grouping, other));
            }
        }
        let round = Grouping::ALL.map(Grouping::next);
        assert_eq!(round, [Grouping::Kind, Grouping::Opener, Grouping::Namespace, Grouping::Label]);
    }
}
