//! The ways of a section, taking turns.

use std::time::Duration;

use super::statistics::{Times, ratio};
use super::tools::{Sample, Tools};
use super::{BenchError, Progress, Section, Way};

/// Whose system calls are a way's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caller {
    /// This process's.
    Own,
    /// Those of a process that is started.
    Started,
}

/// Reads once, sees to it that everything was seen, and says what the reading alone took.
pub type Read<'a> = Box<dyn FnMut(&mut Tools) -> Result<Sample, BenchError> + 'a>;

/// A way that is to be measured.
pub struct Contender<'a> {
    /// What it is called.
    pub name: &'static str,
    /// What it can't see.
    pub blind: &'static [&'static str],
    /// Whose system calls it takes.
    pub caller: Caller,
    /// The way itself.
    pub read: Read<'a>,
}

impl<'a> Contender<'a> {
    /// A way of this process.
    pub fn new(
        name: &'static str,
        blind: &'static [&'static str],
        read: impl FnMut(&mut Tools) -> Result<Sample, BenchError> + 'a,
    ) -> Self {
        Self { name, blind, caller: Caller::Own, read: Box::new(read) }
    }
}

/// A section that is to be measured.
pub struct Contest<'a> {
    /// What it will say.
    pub section: Section,
    /// Its ways.
    pub contenders: Vec<Contender<'a>>,
}

/// What is known of a way until now.
#[derive(Default)]
struct Course {
    times: Vec<Duration>,
    syscalls: Option<u64>,
    skipped: Option<String>,
}

/// Measures a section.
///
/// # Errors
/// The first way that is wrong, or fails otherwise than by not being possible here.
pub fn run(
    contest: Contest<'_>,
    rounds: u32,
    tools: &mut Tools,
    progress: &mut dyn FnMut(Progress),
) -> Result<Section, BenchError> {
    let Contest { mut section, mut contenders } = contest;
    let mut courses: Vec<Course> = contenders.iter().map(|_| Course::default()).collect();
    let mut each = |tools: &mut Tools,
                    round: u32,
                    keep: &mut dyn FnMut(&mut Course, Caller, Sample)|
     -> Result<(), BenchError> {
        for (contender, course) in contenders.iter_mut().zip(&mut courses) {
            if course.skipped.is_some() {
                continue;
            }
            let Section { name, title, .. } = section;
            let way = contender.name;
            progress(Progress::Turn { section: name, title, way, round, rounds });
            match (contender.read)(tools) {
                Ok(sample) => keep(course, contender.caller, sample),
                Err(BenchError::Unavailable(reason)) => course.skipped = Some(reason),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    };
    each(tools, 0, &mut |_, _, _| ())?;
    tools.count();
    let counted = each(tools, 0, &mut |course, caller, sample| {
        course.syscalls = sample.calls.map(|calls| match caller {
            Caller::Own => calls.own,
            Caller::Started => calls.descendants,
        });
    });
    tools.stop_counting();
    counted?;
    for round in 1..=rounds {
        each(tools, round, &mut |course, _, sample| course.times.push(sample.time))?;
    }
    let ways = contenders.iter().zip(courses);
    section.ways = ways.map(|(contender, course)| way(contender, course)).collect();
    compare(&mut section);
    Ok(section)
}

fn way(contender: &Contender<'_>, course: Course) -> Way {
    let times = if course.skipped.is_some() { None } else { Times::of(&course.times) };
    Way {
        name: contender.name,
        median_ns: times.map(|times| times.median),
        min_ns: times.map(|times| times.min),
        max_ns: times.map(|times| times.max),
        rounds: times.map_or(0, |_| course.times.len() as u32),
        per_item_ns: None,
        ratio: None,
        ratio_to_ours: None,
        syscalls: times.and(course.syscalls),
        blind: contender.blind.to_vec(),
        skipped: course.skipped,
    }
}

/// Fills in what follows from the medians.
fn compare(section: &mut Section) {
    let median =
        |name: &str| section.ways.iter().find(|way| way.name == name).and_then(|way| way.median_ns);
    let (base, ours) = (median(section.base), median(section.ours));
    for way in &mut section.ways {
        let Some(median) = way.median_ns else { continue };
        way.per_item_ns = ratio(median, Some(section.items));
        way.ratio = ratio(median, base);
        way.ratio_to_ours = ratio(median, ours);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tools() -> Tools {
        Tools::new(Err(crate::model::ReadError::Missing {
            what: "no BPF".into(),
            remedy: "get some".into(),
        }))
    }

    fn contest(contenders: Vec<Contender<'_>>) -> Contest<'_> {
        let section = Section {
            name: "things",
            title: "things",
            items: 10,
            item: "thing",
            base: "slow",
            ours: "fast",
            ways: Vec::new(),
        };
        Contest { section, contenders }
    }

    /// A way that always takes so many nanoseconds.
    fn takes(name: &'static str, nanoseconds: u64) -> Contender<'static> {
        let time = Duration::from_nanos(nanoseconds);
        Contender::new(name, &["blue"], move |_| Ok(Sample { time, calls: None }))
    }

    #[test]
    fn ratios_are_to_the_base_and_to_ours() {
        let contenders = vec![takes("slow", 200), takes("fast", 50), takes("slower", 300)];
        let section = run(contest(contenders), 3, &mut tools(), &mut |_| ()).unwrap();
        let numbers: Vec<_> = section
            .ways
            .iter()
            .map(|way| (way.ratio, way.ratio_to_ours, way.per_item_ns, way.rounds))
            .collect();
        assert_eq!(
            numbers,
            [
                (Some(1.0), Some(4.0), Some(20.0), 3),
                (Some(0.25), Some(1.0), Some(5.0), 3),
                (Some(1.5), Some(6.0), Some(30.0), 3),
            ]
        );
        assert_eq!(section.ways[0].blind, ["blue"]);
        assert_eq!(section.ways[0].syscalls, None, "nothing could count them");
    }

    #[test]
    fn a_way_that_can_not_run_is_listed_with_its_reason_and_not_tried_again() {
        let mut tried = 0;
        let absent = Contender::new("slow", &[], |_| {
            tried += 1;
            Err(BenchError::Unavailable("not installed".into()))
        });
        let section =
            run(contest(vec![absent, takes("fast", 50)]), 3, &mut tools(), &mut |_| ()).unwrap();
        let [slow, fast] = &section.ways[..] else { panic!("{section:?}") };
        assert_eq!(slow.skipped.as_deref(), Some("not installed"));
        assert_eq!((slow.median_ns, slow.rounds), (None, 0));
        assert_eq!((fast.ratio, fast.ratio_to_ours), (None, Some(1.0)));
        assert_eq!(tried, 1);
    }

    #[test]
    fn a_way_that_is_wrong_fails_the_benchmark() {
        let wrong = Contender::new("slow", &[], |_| {
            Err(BenchError::Wrong { way: "slow", what: "fds", expected: 9, seen: 0 })
        });
        let error = run(contest(vec![wrong]), 3, &mut tools(), &mut |_| ()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "'slow' saw 0 fds where there are 9; its time would mean nothing"
        );
    }

    #[test]
    fn ways_take_turns() {
        let mut turns = Vec::new();
        let contenders = vec![takes("slow", 200), takes("fast", 50)];
        run(contest(contenders), 2, &mut tools(), &mut |progress| {
            if let Progress::Turn { way, round, .. } = progress {
                turns.push((round, way));
            }
        })
        .unwrap();
        let of = |round| [(round, "slow"), (round, "fast")];
        assert_eq!(turns, [of(0), of(0), of(1), of(2)].concat());
    }
}
