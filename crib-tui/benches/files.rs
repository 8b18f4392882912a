//! One reading of a process with 19,600 open files, each with a path of its own: by BPF, beside
//! the readlink of each of its /proc/PID/fd links. Needs the privileges that BPF needs.

use std::fs::{self, File};
use std::hint::black_box;

use crib_tui::kernel::{Reader, Wanted};
use criterion::{Criterion, criterion_group, criterion_main};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

const FILES: usize = 19_600;

fn open_files(directory: &std::path::Path) -> Vec<File> {
    let limit = getrlimit(Resource::Nofile);
    let wanted = Rlimit { current: limit.maximum, maximum: limit.maximum };
    setrlimit(Resource::Nofile, wanted).expect("the soft limit may be raised to the hard one");
    (0..FILES)
        .map(|number| File::create(directory.join(format!("file-{number:05}"))))
        .collect::<Result<_, _>>()
        .expect("RLIMIT_NOFILE must allow 20,000 open files: ulimit -Hn")
}

fn files(criterion: &mut Criterion) {
    let mut reader =
        Reader::open(Wanted::Files).expect("run as root: `crib-top doctor` says what is missing");
    let directory = tempfile::tempdir().expect("a temporary directory");
    let held = open_files(directory.path());
    let pid = std::process::id();

    let mut group = criterion.benchmark_group("19,600 files with paths");
    group.sample_size(20);
    group.bench_function("BPF: every field", |bencher| {
        bencher.iter(|| {
            let reading = reader.files(pid).expect("the process is there");
            assert!(reading.files.len() >= FILES, "{} files", reading.files.len());
            reading
        });
    });
    group.bench_function("/proc: the path alone", |bencher| {
        bencher.iter(|| {
            let links = fs::read_dir("/proc/self/fd").expect("/proc is mounted");
            let paths = links.flatten().filter_map(|link| fs::read_link(link.path()).ok());
            assert!(black_box(paths.count()) >= FILES);
        });
    });
    group.finish();
    drop(held);
}

criterion_group!(benches, files);
criterion_main!(benches);
