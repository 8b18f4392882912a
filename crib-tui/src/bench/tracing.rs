//! What tracing who opens files costs: the process that is traced, and all others.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use super::rounds::{Contender, Contest};
use super::tools::Sample;
use super::workload::Workload;
use super::{BenchError, Section};
use crate::kernel::trace::Tracer;
use crate::model::leaks::TracedAt;

const BARE: &str = "not traced";

/// Who is traced while the workload opens files.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Target {
    Nobody,
    Workload(TracedAt),
    /// This process: the workload is one of the others.
    Other(TracedAt),
}

/// The ways in which a process opens a file and closes it, so many times.
pub fn section(workload: Workload, openings: u32) -> Contest<'static> {
    let section = Section {
        name: "tracing",
        title: "a process that opens and closes a file, while somebody is traced",
        items: openings.into(),
        item: "opening",
        base: BARE,
        ours: BARE,
        ways: Vec::new(),
    };
    let ways = [
        (BARE, Target::Nobody),
        ("traced at fd_install", Target::Workload(TracedAt::FdInstall)),
        ("traced at sys_exit", Target::Workload(TracedAt::SysExit)),
        ("another is traced at fd_install", Target::Other(TracedAt::FdInstall)),
        ("another is traced at sys_exit", Target::Other(TracedAt::SysExit)),
    ];
    let workload = Rc::new(RefCell::new(workload));
    let contenders = ways.map(|(name, target)| {
        let workload = Rc::clone(&workload);
        Contender::new(name, &[], move |_| turn(name, target, &mut workload.borrow_mut(), openings))
    });
    Contest { section, contenders: contenders.into() }
}

fn turn(
    name: &'static str,
    target: Target,
    workload: &mut Workload,
    openings: u32,
) -> Result<Sample, BenchError> {
    let (pid, at) = match target {
        Target::Nobody => (0, None),
        Target::Workload(at) => (workload.pid(), Some(at)),
        Target::Other(at) => (std::process::id(), Some(at)),
    };
    let tracer = at.map(|at| Tracer::start_at(pid, Some(1024), at)).transpose()?;
    let (nanoseconds, fd) = workload.open(openings)?;
    if let (Target::Workload(_), Some(tracer)) = (target, tracer)
        && tracer.opened(fd).is_none()
    {
        return Err(BenchError::Wrong { way: name, what: "openings", expected: 1, seen: 0 });
    }
    // What it takes by its own clock; its system calls are the same in each way.
    Ok(Sample { time: Duration::from_nanos(nanoseconds), calls: None })
}
