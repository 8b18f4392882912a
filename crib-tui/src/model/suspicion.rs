//! The rule by which a group of files is suspected of being a leak. docs/leaks.md has it in plain
//! words; the numbers there are the constants here.

#[cfg(test)]
mod tests;

use std::ops::Range;
use std::time::Duration;

use super::groups::{Ages, Count, Course, Flow, MAX_AGES, Timeline};

/// How many times as long as the oldest age that is looked at a watch has to be.
const OLDEST_AGE: u32 = 3;
/// Of what came to the files of an age, this share may have gone again where they count as
/// staying: one in four.
const GOES_AT_MOST: f64 = 0.25;
/// How many standard deviations of chance the growth has to exceed, where files that come and go
/// equally often would make it.
const BEYOND_CHANCE: f64 = 2.75;
/// The growth of the last third, as a share of that of the one before, from which on it does not
/// slow down, whatever the first third did.
const AS_MUCH: f64 = 0.75;
/// The same share where the last third also has to stand beside the first.
const HALF_AS_MUCH: f64 = 0.5;
/// How many times as fast as the thirds after it one has to grow for a burst; and how many times as
/// fast as the first third those after it, for the rate to be theirs alone.
const BURST: f64 = 1.5;
/// In how many slots of the watch files must have come at least.
const MIN_SLOTS: usize = 4;
/// The quiet at the end, as a multiple of the longest between two that came, from which on it
/// says that no more come.
const QUIET: usize = 2;

/// What the rule says of one group.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Verdict {
    /// Whether the group only grows.
    pub suspected: bool,
    /// The growth in files a second: of a suspected group, of the files that stay, since it began
    /// to grow; of any other, of all its files over the whole watch. Zero where no time has passed.
    pub per_second: f64,
    /// The age from which on a suspected group's files stay, zero where all do.
    pub stays_from: Duration,
}

/// Looks at a group's history by the rule.
pub fn judge(group: &Course, timeline: &Timeline, ages: Ages) -> Verdict {
    let watched = timeline.now().as_secs_f64();
    let net = group.opened as f64 - group.closed as f64;
    let per_second = if watched > 0.0 { net / watched } else { 0.0 };
    let cleared = Verdict { suspected: false, per_second, stays_from: Duration::ZERO };

    // The youngest age whose files stay is the one to look at: older ones tell of a past that
    // may be over.
    let staying = (0..MAX_AGES)
        .take_while(|&age| ages.age(age) * OLDEST_AGE <= timeline.now())
        .filter_map(|age| Some((age, Growth::of(group.flow(age)?, timeline, ages.age(age))?)))
        .find(|(_, growth)| growth.stays());
    match staying {
        Some((age, growth)) if growth.only_grows() && still_comes(group, timeline) => {
            Verdict { suspected: true, per_second: growth.per_second(), stays_from: ages.age(age) }
        }
        _ => cleared,
    }
}

/// What came to the files of one age, and went from them, in each third of the time since the
/// watch could tell that age.
struct Growth {
    thirds: [Third; 3],
    /// What is left of the first third after the slot in which the first files came.
    since_first: Third,
    slots_in_which_some_came: usize,
}

/// A third of the time.
#[derive(Clone, Copy)]
struct Third {
    count: Count,
    seconds: f64,
}

impl Third {
    fn net(self) -> f64 {
        self.count.came as f64 - self.count.went as f64
    }

    fn per_second(self) -> f64 {
        self.net() / self.seconds
    }

    /// The growth that counts where others grow by so much a second: far more than that is a
    /// burst, of which only as much does.
    fn net_up_to(self, others: f64) -> f64 {
        if self.per_second() > others * BURST { others * self.seconds } else { self.net() }
    }
}

impl Growth {
    /// None where there is too little time for thirds.
    fn of(flow: &Flow, timeline: &Timeline, age: Duration) -> Option<Self> {
        let slots = timeline.first_from(age)..timeline.len();
        if slots.len() < MIN_SLOTS {
            return None;
        }
        let cut = |third: usize| slots.start + slots.len() * third / 3;
        let third = |slots: Range<usize>| {
            let seconds = timeline.start(slots.end).saturating_sub(timeline.start(slots.start));
            Third { count: flow.sum(slots), seconds: seconds.as_secs_f64() }
        };
        let thirds = [0, 1, 2].map(|n| third(cut(n)..cut(n + 1)));
        if thirds.iter().any(|third| third.seconds <= 0.0) {
            return None;
        }
        let quiet = flow.slots(slots.clone()).take_while(|count| count.came == 0).count();
        let began = (slots.start + quiet + 1).min(cut(1));
        let since_first = third(began..cut(1));
        let slots_in_which_some_came = flow.slots(slots).filter(|count| count.came > 0).count();
        Some(Self { thirds, since_first, slots_in_which_some_came })
    }

    /// The growth over all three thirds, without what the first has beyond the other two: that is
    /// a burst at the start, which proves nothing.
    fn net(&self) -> f64 {
        let [first, middle, last] = self.thirds;
        let others = middle.per_second().max(last.per_second());
        first.net_up_to(others) + middle.net() + last.net()
    }

    /// How fast it grows since it began to, without a burst in the first two thirds. The slot in
    /// which the first files came is left out: how much of it there was before them is not known.
    fn per_second(&self) -> f64 {
        let [_, middle, last] = self.thirds;
        let late = middle.net_up_to(last.per_second()) + last.net();
        let seconds = middle.seconds + last.seconds;
        let first = self.since_first;
        // What it did before it grew as it does now says nothing of how fast that is.
        if first.seconds <= 0.0 || first.per_second() * BURST < late / seconds {
            return late / seconds;
        }
        (first.net_up_to(late / seconds) + late) / (first.seconds + seconds)
    }

    fn went(&self) -> f64 {
        self.thirds.iter().map(|third| third.count.went as f64).sum()
    }

    /// Whether files that have reached the age are hardly ever closed, beside those of a burst at
    /// the start, which prove nothing if they stay.
    fn stays(&self) -> bool {
        let came = self.net() + self.went();
        came > 0.0 && self.went() <= came * GOES_AT_MOST
    }

    fn only_grows(&self) -> bool {
        let [first, middle, last] = self.thirds.map(Third::per_second);
        let in_each_third = first > 0.0 && middle > 0.0 && last > 0.0;
        let not_slower = last >= middle * AS_MUCH
            || (last >= middle * HALF_AS_MUCH && last >= first * HALF_AS_MUCH);
        let events = self.net() + 2.0 * self.went();
        let beyond_chance = self.net() >= BEYOND_CHANCE * events.sqrt();
        in_each_third && not_slower && beyond_chance && self.slots_in_which_some_came >= MIN_SLOTS
    }
}

/// Whether the group still gets new files: the quiet since the last is not unusual for it.
fn still_comes(group: &Course, timeline: &Timeline) -> bool {
    let Some(flow) = group.flow(0) else { return false };
    let mut last = None;
    let mut longest = 1;
    let came = flow.slots(0..timeline.len()).enumerate().filter(|(_, count)| count.came > 0);
    for (slot, _) in came {
        if let Some(last) = last {
            longest = longest.max(slot - last);
        }
        last = Some(slot);
    }
    last.is_some_and(|last| timeline.len() - 1 - last <= QUIET * longest)
}
