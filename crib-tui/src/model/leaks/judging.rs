//! Which groups of files a report of leaks shows, and which of them are suspected.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};

use super::LeakGroup;
use crate::model::groups::{Course, GroupKey, Groups, OpenerId, wider};
use crate::model::suspicion::judge;
use crate::model::{File, FilesTable, Kind, Text, TrackedFile};

/// Files of a group that are shown of it at most.
const MAX_EXAMPLES: usize = 3;

/// From which share of a group's growth on an opener has made most of it.
const MOST: f64 = 0.75;

/// What groups of a report are told apart by.
type Part = (Kind, Text, Option<OpenerId>);

/// Groups that are not suspected by themselves, by what they are told apart by.
type Cleared = HashMap<(Kind, Text), LeakGroup>;

/// The least by which groups grow together that may be suspected together ([`judge`], where none of
/// their files are closed): what spares looking at most of them.
const LEAST_GROWTH: i64 = 8;

/// What a report is made of.
#[derive(Clone, Copy)]
pub(super) struct View<'a> {
    pub groups: &'a Groups,
    pub table: &'a FilesTable,
    /// Whether openings are traced, so that groups can be parted by opener.
    pub traced: bool,
}

/// A group as it is shown (see [`with_openers`]).
struct Judged {
    shown: Vec<LeakGroup>,
    /// By how many files a second what is suspected of it grows.
    grows: f64,
}

impl View<'_> {
    /// Every group, in the order in which they are shown, and by how many files a second all that is
    /// suspected grows: each by what its files are for, and those that show nothing by themselves
    /// together with others, by what the most have in common first.
    pub(super) fn judge_all(self) -> (Vec<LeakGroup>, f64) {
        let (mut found, mut per_second) = (Vec::new(), 0.0);
        let mut cleared = HashMap::new();
        for Judged { shown, grows } in self.judge(|key| Some(key.label.clone())) {
            if shown.iter().any(|group| group.suspected) {
                found.extend(shown);
                per_second += grows;
            } else {
                let named = |group: LeakGroup| ((group.kind, group.label.clone()), group);
                cleared.extend(shown.into_iter().map(named));
            }
        }
        for width in (0..=wider::MOST).rev() {
            let (suspects, grows) = self.judge_wider(width, &mut cleared);
            found.extend(suspects);
            per_second += grows;
        }
        found.extend(cleared.into_values());
        sort(&mut found);
        (found, per_second)
    }

    /// What is suspected of the groups that were cleared by themselves, put together by labels of some
    /// width, and by how many files a second it grows. Those that are in it are taken out.
    fn judge_wider(self, width: usize, cleared: &mut Cleared) -> (Vec<LeakGroup>, f64) {
        let labels = self.wider(width, cleared);
        if labels.is_empty() {
            return (Vec::new(), 0.0);
        }
        let label = |key: &GroupKey| labels.get(&(key.kind, key.label.clone())).cloned();
        let (mut found, mut per_second) = (Vec::new(), 0.0);
        for Judged { shown, grows } in self.judge(label) {
            if shown.iter().any(|group| group.suspected) {
                found.extend(shown.into_iter().map(|group| LeakGroup { is_wider: true, ..group }));
                per_second += grows;
            }
        }
        let taken: HashSet<_> = found.iter().map(|group| (group.kind, &group.label)).collect();
        cleared.retain(|of, _| labels.get(of).is_none_or(|wide| !taken.contains(&(of.0, wide))));
        (found, per_second)
    }

    /// The groups, put together by kind and what `label` says of them, each with what the rule says
    /// of it; those without a label are left out.
    fn judge(self, label: impl Fn(&GroupKey) -> Option<Text>) -> Vec<Judged> {
        let whole = self.judged(|key| Some((key.kind, label(key)?, None)));
        let mut parts: HashMap<(Kind, Text), Vec<LeakGroup>> = HashMap::new();
        if self.traced {
            for part in self.judged(|key| Some((key.kind, label(key)?, key.opener))) {
                parts.entry((part.kind, part.label.clone())).or_default().push(part);
            }
        }
        let judged = |group: LeakGroup| {
            let parts = parts.remove(&(group.kind, group.label.clone())).unwrap_or_default();
            let (shown, grows) = shown(group, parts);
            Judged { shown, grows }
        };
        whole.into_iter().map(judged).collect()
    }

    fn judged(self, part: impl Fn(&GroupKey) -> Option<Part>) -> Vec<LeakGroup> {
        let Self { groups, table, .. } = self;
        let now = groups.timeline().now();
        let mut examples = examples(table, &part);
        let group = |(key, course): (Part, Course)| {
            let verdict = judge(&course, groups.timeline(), groups.ages());
            let examples = examples.remove(&key).unwrap_or_default();
            let (kind, label, opener) = key;
            LeakGroup {
                kind,
                label,
                count: course.count,
                opened: course.opened,
                closed: course.closed,
                per_second: verdict.per_second,
                oldest_seconds: course.oldest.map(|since| now.saturating_sub(since).as_secs_f64()),
                suspected: verdict.suspected,
                stack: None,
                stack_opened: opener.map(|_| course.opened),
                examples,
                opener,
                is_wider: false,
            }
        };
        // A group that all its files have left for another one says nothing.
        let says_something = |group: &LeakGroup| group.count + group.opened + group.closed > 0;
        groups.some_by(&part).into_iter().map(group).filter(says_something).collect()
    }

    /// The labels of some width that groups have in common which were cleared by themselves, where
    /// there are several and they grow enough.
    fn wider(self, width: usize, cleared: &Cleared) -> HashMap<(Kind, Text), Text> {
        let mut sums: HashMap<(Kind, Text), (usize, i64)> = HashMap::new();
        let mut labels = HashMap::new();
        for ((kind, label), group) in cleared {
            let key = GroupKey { kind: *kind, label: label.clone(), netns: None, opener: None };
            let Some(wide) = wider::wider(&key, width) else { continue };
            let (several, growth) = sums.entry((*kind, wide.clone())).or_default();
            *several += 1;
            *growth += group.opened as i64 - group.closed as i64;
            labels.insert((*kind, label.clone()), wide);
        }
        labels.retain(|(kind, _), wide| {
            let sum = sums.get(&(*kind, wide.clone()));
            sum.is_some_and(|&(several, growth)| several > 1 && growth >= LEAST_GROWTH)
        });
        labels
    }
}

/// A group as it is shown (see [`with_openers`]), and by how many files a second what is suspected
/// of it grows.
fn shown(group: LeakGroup, parts: Vec<LeakGroup>) -> (Vec<LeakGroup>, f64) {
    // An opener is told from chance later than the whole, and its files are as many before that.
    let whole = group.suspected.then_some(group.per_second);
    let shown = with_openers(group, parts);
    let suspects = shown.iter().filter(|group| group.suspected);
    let per_second = whole.unwrap_or_else(|| suspects.map(|group| group.per_second).sum());
    (shown, per_second)
}

/// A group with the opener of its files, if it is suspected and one opener has made most of what
/// it grew by; else the parts of it that are suspected by themselves, and the rest.
fn with_openers(mut group: LeakGroup, parts: Vec<LeakGroup>) -> Vec<LeakGroup> {
    let growth = |part: &LeakGroup| part.opened.saturating_sub(part.closed);
    let traced = || parts.iter().filter(|part| part.opener.is_some());
    let largest = traced().max_by_key(|&part| growth(part)).filter(|&part| growth(part) > 0);
    let all: u64 = traced().map(growth).sum();
    let is_most = |part: &LeakGroup| growth(part) as f64 >= MOST * all as f64;
    let suspects = traced().filter(|part| part.suspected).count();
    if group.suspected && (suspects == 0 || largest.is_some_and(is_most)) {
        group.opener = largest.and_then(|part| part.opener);
        group.stack_opened = largest.map(|part| part.opened);
        return vec![group];
    }
    if suspects == 0 {
        return vec![group];
    }
    let suspect = |part: &LeakGroup| part.suspected && part.opener.is_some();
    let (mut found, rest): (Vec<_>, Vec<_>) = parts.into_iter().partition(suspect);
    found.extend(rest.into_iter().reduce(together));
    found
}

/// Two parts of a group as one, which has no opener and is not suspected.
fn together(one: LeakGroup, other: LeakGroup) -> LeakGroup {
    let oldest = [one.oldest_seconds, other.oldest_seconds].into_iter().flatten();
    let mut examples = one.examples;
    examples.extend(other.examples);
    examples.truncate(MAX_EXAMPLES);
    LeakGroup {
        kind: one.kind,
        label: one.label,
        count: one.count + other.count,
        opened: one.opened + other.opened,
        closed: one.closed + other.closed,
        per_second: one.per_second + other.per_second,
        oldest_seconds: oldest.reduce(f64::max),
        suspected: false,
        stack: None,
        stack_opened: None,
        examples,
        opener: None,
        is_wider: one.is_wider,
    }
}

/// Puts the groups in the order in which they are shown.
fn sort(groups: &mut [LeakGroup]) {
    groups.sort_by(|a, b| {
        b.suspected.cmp(&a.suspected).then(b.per_second.total_cmp(&a.per_second)).then_with(|| {
            (Reverse(a.count), a.kind, &a.label, a.opener).cmp(&(
                Reverse(b.count),
                b.kind,
                &b.label,
                b.opener,
            ))
        })
    });
}

/// The files of each group that were opened first during the watch; before it, where there are no
/// others.
fn examples(
    table: &FilesTable,
    part: &impl Fn(&GroupKey) -> Option<Part>,
) -> HashMap<Part, Vec<File>> {
    // The groups' keys are many fewer than the files.
    let mut found: HashMap<usize, Vec<&TrackedFile>> = HashMap::new();
    for row in table.rows.iter().filter(|row| !row.is_closed()) {
        let Some(track) = row.track else { continue };
        let rows = found.entry(track.group()).or_default();
        rows.push(row);
        if rows.len() > 16 * MAX_EXAMPLES {
            first_few(rows);
        }
    }
    let mut parts: HashMap<Part, Vec<&TrackedFile>> = HashMap::new();
    for (group, rows) in found {
        let Some(key) = table.groups.get(group) else { continue };
        let Some(part) = part(key) else { continue };
        parts.entry(part).or_default().extend(rows);
    }
    parts
        .into_iter()
        .map(|(part, mut rows)| {
            first_few(&mut rows);
            (part, rows.into_iter().map(|row| File::clone(&row.file)).collect())
        })
        .collect()
}

fn first_few(rows: &mut Vec<&TrackedFile>) {
    rows.sort_by_key(|row| (row.seen.is_at_least(), row.seen, row.file.tid, row.file.fd));
    rows.truncate(MAX_EXAMPLES);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(opener: Option<u32>, suspected: bool, opened: u64, closed: u64) -> LeakGroup {
        LeakGroup {
            kind: Kind::Socket,
            label: "inet dgram udp".into(),
            count: opened - closed,
            opened,
            closed,
            per_second: (opened - closed) as f64,
            oldest_seconds: Some(opened as f64),
            suspected,
            stack: None,
            stack_opened: opener.map(|_| opened),
            examples: Vec::new(),
            opener: opener.map(OpenerId),
            is_wider: false,
        }
    }

    /// Opener, whether it is suspected, opened.
    fn parted(whole: LeakGroup, parts: Vec<LeakGroup>) -> Vec<(Option<u32>, bool, u64)> {
        let of =
            |group: LeakGroup| (group.opener.map(|opener| opener.0), group.suspected, group.opened);
        with_openers(whole, parts).into_iter().map(of).collect()
    }

    #[test]
    fn a_group_with_one_opener_is_shown_whole() {
        let parts = vec![group(None, false, 5, 5), group(Some(1), true, 95, 0)];
        assert_eq!(parted(group(None, true, 100, 5), parts), [(Some(1), true, 100)]);
        // Many come and go by one call, and some stay that were opened by another.
        let parts = vec![group(Some(1), false, 1000, 999), group(Some(2), true, 30, 0)];
        assert_eq!(parted(group(None, true, 1030, 999), parts), [(Some(2), true, 1030)]);
    }

    #[test]
    fn several_openers_have_a_line_each() {
        let parts = || {
            vec![
                group(Some(1), true, 50, 0),
                group(None, false, 3, 0),
                group(Some(2), true, 40, 0),
                group(Some(3), false, 9, 9),
            ]
        };
        let expected = [(Some(1), true, 50), (Some(2), true, 40), (None, false, 12)];
        assert_eq!(parted(group(None, true, 102, 9), parts()), expected);
        // What is lost in the swings of the whole is seen in a part.
        assert_eq!(parted(group(None, false, 102, 9), parts()), expected);
    }

    #[test]
    fn the_sum_does_not_depend_on_how_many_openers_are_told_yet() {
        let parts = |second| vec![group(Some(1), true, 50, 0), group(Some(2), second, 40, 0)];
        for (whole, second, expected) in
            [(true, true, 90.0), (true, false, 90.0), (false, true, 90.0), (false, false, 50.0)]
        {
            let (shown, per_second) = shown(group(None, whole, 90, 0), parts(second));
            assert_eq!((shown.len(), per_second), (2, expected), "{whole} {second}");
        }
        assert_eq!(shown(group(None, false, 90, 0), Vec::new()).1, 0.0);
    }

    #[test]
    fn a_group_without_suspects_stays_as_it_is() {
        let part = || vec![group(Some(1), false, 9, 9), group(Some(2), false, 3, 0)];
        assert_eq!(parted(group(None, false, 12, 9), part()), [(None, false, 12)]);
        assert_eq!(parted(group(None, true, 12, 0), Vec::new()), [(None, true, 12)]);
        // Many stacks that each opened a few: the largest stands for all.
        let parts = (0..20).map(|n| group(Some(n), false, if n == 7 { 3 } else { 2 }, 0));
        let parts: Vec<_> = parts.collect();
        assert_eq!(parted(group(None, true, 41, 0), parts.clone()), [(Some(7), true, 41)]);
        assert_eq!(with_openers(group(None, true, 41, 0), parts)[0].stack_opened, Some(3));
    }
}
