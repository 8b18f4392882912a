//! Files are put into groups, and what comes and goes is counted.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::*;
use crate::model::lint::Beside;
use crate::model::{FileId, FilesReading, History, Source, sample};

fn file(fd: u32, id: u64, path: &str) -> File {
    File {
        id: Some(FileId::new(id)),
        kind: Kind::Regular,
        path: Some(path.into()),
        ..File::unknown(Some(fd))
    }
}

fn reading(files: Vec<File>) -> FilesReading {
    FilesReading {
        source: Source::Bpf,
        time: SystemTime::UNIX_EPOCH,
        process: sample::process(),
        files: files.into_iter().map(Arc::new).collect(),
        complete: true,
        beside: Beside::default(),
    }
}

/// Groups after these readings, a second apart.
fn after(readings: impl IntoIterator<Item = FilesReading>) -> Groups {
    let mut history = History::new(Duration::from_secs(1));
    for (reading, second) in readings.into_iter().zip(0..) {
        history.observe(reading, Duration::from_secs(second), |_| Opening::default());
    }
    history.groups().clone()
}

/// Label, count, opened, closed.
fn counts(groups: &Groups) -> Vec<(String, u64, u64, u64)> {
    let of = |Group { key, course }: &Group| {
        (key.label.to_string(), course.count, course.opened, course.closed)
    };
    groups.groups().iter().map(of).collect()
}

#[test]
fn files_that_differ_by_a_number_are_one_group() {
    let files = vec![file(3, 1, "/log/a.1"), file(4, 2, "/log/a.2"), file(5, 3, "/etc/x")];
    let groups = after([reading(files.clone()), reading(files[1..].to_vec())]);
    assert_eq!(counts(&groups), [("/log/a.*".into(), 1, 0, 1), ("/etc/x".into(), 1, 0, 0)]);
}

#[test]
fn what_appears_is_opened_and_ages() {
    let old = file(3, 1, "/a");
    let groups = after([
        reading(vec![old.clone()]),
        reading(vec![old.clone(), file(4, 2, "/a")]),
        reading(vec![file(4, 2, "/a"), file(3, 9, "/a")]),
        reading(vec![file(4, 2, "/a"), file(3, 9, "/a")]),
    ]);
    assert_eq!(counts(&groups), [("/a".into(), 2, 2, 1)]);
    let group = &groups.groups()[0].course;
    assert_eq!(group.oldest, Some(Duration::from_secs(1)));
    assert_eq!(group.levels.as_slice(), [2; 3]);
    let came = |age: usize| {
        group
            .flow(age)
            .unwrap()
            .slots(0..3)
            .map(|count| (count.came, count.went))
            .collect::<Vec<_>>()
    };
    assert_eq!(came(0), [(1, 0), (1, 1), (0, 0)]);
    assert_eq!(came(1), [(0, 0), (1, 1), (1, 0)], "the file that was there had reached it too");
    assert_eq!(came(2), [(0, 0), (0, 0), (1, 0)]);
}

#[test]
fn an_inode_tells_files_apart_whose_memory_was_used_again() {
    let with_inode = |ino| File { ino: Some(ino).into(), ..file(3, 1, "pipe:[7]") };
    let groups = after([reading(vec![with_inode(1)]), reading(vec![with_inode(2)])]);
    assert_eq!(counts(&groups), [("pipe:[*]".into(), 1, 1, 1)]);
}

#[test]
fn an_incomplete_reading_closes_only_what_was_replaced() {
    let files = vec![file(3, 1, "/a"), file(4, 2, "/a")];
    let part = FilesReading { complete: false, ..reading(vec![file(3, 9, "/a")]) };
    let groups = after([reading(files), part]);
    assert_eq!(counts(&groups), [("/a".into(), 2, 1, 1)]);
}

#[test]
fn a_socket_that_is_connected_moves_with_its_past() {
    let socket = |remote: &str| {
        let mut file = File::clone(&sample::reading().files[3]);
        let socket = file.socket.as_mut().unwrap();
        (socket.local, socket.remote) = (Some("10.0.0.2:40000".into()), Some(remote.into()));
        file
    };
    let bare = socket("");
    let groups = after([
        reading(vec![]),
        reading(vec![bare.clone()]),
        reading(vec![bare]),
        reading(vec![socket("10.0.0.1:5432")]),
    ]);
    let label = "inet stream tcp 10.0.0.1:5432";
    assert_eq!(counts(&groups), [("inet stream tcp".into(), 0, 0, 0), (label.into(), 1, 1, 0)]);
    let [from, to] = groups.groups() else { panic!() };
    for age in 0..3 {
        let sums =
            [from, to].map(|group| group.course.flow(age).map_or(0, |flow| flow.sum(0..3).came));
        assert_eq!(sums, [0, 1], "age {age}");
    }
}

#[test]
fn names_of_chance_in_one_directory_share_a_group_in_the_end() {
    let name = |n: usize| {
        let letter = |n: usize| char::from(b'a' + n as u8 % 26);
        format!("/tmp/tmp{}{}", letter(n), letter(n / 26))
    };
    let files = (0..200).map(|n| file(n as u32, n as u64, &name(n))).collect();
    let groups = after([reading(files)]);
    assert_eq!(groups.groups().len(), MAX_NAMES + 1);
    let last = counts(&groups).pop().unwrap();
    assert_eq!(last, ("/tmp/*".into(), (200 - MAX_NAMES) as u64, 0, 0));
}

#[test]
fn the_number_of_groups_is_bounded() {
    let files = (0..5000u32).map(|n| {
        let letters: String = n.to_string().bytes().map(|b| char::from(b - b'0' + b'a')).collect();
        file(n, n.into(), &format!("/{letters}/x"))
    });
    let groups = after([reading(files.collect())]);
    assert_eq!(groups.groups().len(), MAX_GROUPS + 1);
    assert_eq!(groups.groups().iter().map(|group| group.course.count).sum::<u64>(), 5000);
    assert_eq!(groups.groups()[MAX_GROUPS].key.label, Text::from(OTHERS));
}

/// Each file with its descriptor as opener.
fn by_fd(file: &File) -> Opening {
    Opening { opener: file.fd.map(OpenerId), at: None }
}

#[test]
fn openers_and_namespaces_part_groups_which_can_be_put_together_again() {
    let mut history = History::new(Duration::from_secs(1));
    history.observe(reading(vec![file(3, 1, "/a")]), Duration::ZERO, by_fd);
    let socket = |fd, netns| {
        let mut file = File { fd: Some(fd), ..File::clone(&sample::reading().files[3]) };
        file.id = Some(FileId::new(fd.into()));
        file.socket.as_mut().unwrap().netns = Some(netns);
        file
    };
    let files = vec![file(3, 1, "/a"), file(4, 2, "/a"), socket(5, 1), socket(6, 2)];
    history.observe(reading(files), Duration::from_secs(1), by_fd);
    let groups = history.groups();
    let openers: Vec<_> = groups.groups().iter().map(|group| group.key.opener).collect();
    // How what was there from the start was opened nobody has seen.
    assert_eq!(openers, [None, Some(OpenerId(4)), Some(OpenerId(5)), Some(OpenerId(6))]);
    let counts = |sums: Vec<Course>| -> Vec<_> {
        sums.into_iter().map(|course| (course.count, course.opened)).collect()
    };
    fn courses<K>(sums: Vec<(K, Course)>) -> Vec<Course> {
        sums.into_iter().map(|(_, course)| course).collect()
    }
    assert_eq!(counts(courses(groups.by(|key| key.kind))), [(2, 1), (2, 2)]);
    assert_eq!(counts(courses(groups.by(|key| key.netns))), [(2, 1), (1, 1), (1, 1)]);
    assert_eq!(counts(courses(groups.by(|_| ()))), [(4, 3)]);
    let all = courses(groups.by(|_| ())).remove(0);
    assert_eq!(all.levels.as_slice(), [4]);
    assert_eq!(all.flow(0).unwrap().sum(0..1), Count { came: 3, went: 0 });
}

#[test]
fn openers_are_given_up_before_groups_are() {
    let mut history = History::new(Duration::from_secs(1));
    history.observe(reading(vec![]), Duration::ZERO, by_fd);
    let files = (0..5000).map(|n| file(n, n.into(), "/a"));
    history.observe(reading(files.collect()), Duration::from_secs(1), by_fd);
    let files = (0..5000).map(|n| file(n, n.into(), if n == 7 { "/b" } else { "/a" }));
    let files = files.map(|file| File { id: Some(FileId::new(10_000)), ..file });
    history.observe(reading(files.collect()), Duration::from_secs(2), by_fd);
    let groups = history.groups();
    assert_eq!(groups.groups().len(), MAX_PARTED + 2);
    let labels: Vec<_> = groups.by(|key| key.label.clone());
    let labels: Vec<_> = labels.iter().map(|(l, course)| (l.to_string(), course.count)).collect();
    assert_eq!(labels, [("/a".to_owned(), 4999), ("/b".to_owned(), 1)]);
}

#[test]
fn a_traced_file_is_as_old_as_its_opening() {
    let mut history = History::new(Duration::from_secs(1));
    let millis = Duration::from_millis;
    history.observe(reading(vec![]), Duration::ZERO, |_| Opening::default());
    let opened = |file: &File| {
        // Each at a quarter second past its number, which need not lie between the readings.
        let at = file.fd.map(|fd| millis(1000 * u64::from(fd) + 250));
        Opening { opener: None, at }
    };
    let files = (0..3).map(|fd| file(fd, fd.into(), "/a")).collect();
    let table = history.observe(reading(files), millis(2000), opened);
    let ages: Vec<_> = table.rows.iter().map(|row| row.seen.age(table.elapsed)).collect();
    assert_eq!(ages, [millis(1750), millis(750), millis(0)]);
    assert_eq!(history.groups().groups()[0].course.oldest, Some(millis(250)));
}

#[test]
fn a_number_that_is_there_twice_is_counted_once() {
    let twice = || reading(vec![file(3, 1, "/a"), file(3, 2, "/a")]);
    let groups = after([twice(), twice(), twice()]);
    assert_eq!(counts(&groups), [("/a".into(), 1, 0, 0)]);
}

#[test]
fn bytes_that_wait_are_summed_up() {
    let socket = |fd, bytes| {
        let mut file = File { fd: Some(fd), ..File::clone(&sample::reading().files[3]) };
        let socket = file.socket.as_mut().unwrap();
        let queued = |payload| Some(crate::model::Queued { messages: None, payload, memory: None });
        (socket.recv, socket.send) = (queued(bytes), queued(Some(1)));
        file
    };
    let groups = after([
        reading(vec![socket(3, Some(5)), socket(4, None)]),
        reading(vec![socket(3, Some(9))]),
        reading(vec![]),
    ]);
    let course = groups.by(|_| ()).remove(0).1;
    assert_eq!((course.queued, course.queued_levels.as_slice()), (None, &[10, 0][..]));
}

#[test]
fn counts_hold_over_any_number_of_readings() {
    let mut history = History::new(Duration::from_millis(100));
    let mut live: Vec<u64> = Vec::new();
    let mut next = 0u64;
    for n in 0..1500u32 {
        let files = live.iter().map(|&id| file(id as u32, id, "/a")).collect();
        let at = Duration::from_millis(100) * n;
        history.observe(reading(files), at, |_| Opening::default());
        if n == 1499 {
            break;
        }
        next += 1;
        live.push(next);
        if n % 3 == 0 {
            live.remove(0);
        }
    }
    let groups = history.groups();
    let group = &groups.groups()[0].course;
    assert_eq!(group.count, live.len() as u64);
    assert_eq!(group.opened - group.closed, group.count);
    let slots = groups.timeline().len();
    let sum = group.flow(0).unwrap().sum(0..slots);
    assert_eq!((sum.came, sum.went), (group.opened, group.closed));
    assert_eq!(group.levels.as_slice().len(), slots);
}
