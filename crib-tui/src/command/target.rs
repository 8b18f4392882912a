//! From what the user calls a process to its pid.

use crate::failure::Failure;
use crate::model::Process;
use crate::procfs;
use crate::settings::Target;

/// How many of the processes that a name fits are listed.
const MAX_LISTED: usize = 20;

/// The pid of a process that is called by pid or name.
///
/// A name is the command's name as a whole, else a part of it; crib-top itself is not meant.
///
/// # Errors
/// [`Failure::NoSuchName`] where it fits none, [`Failure::Ambiguous`] where it fits several,
/// [`Failure::Read`] where the processes can't be listed.
pub fn find(target: &Target) -> Result<u32, Failure> {
    match target {
        Target::Pid(pid) => Ok(*pid),
        Target::Name(name) => by_name(name, procfs::process_list()?, std::process::id()),
    }
}

/// The pids of several processes, each once.
///
/// # Errors
/// As [`find`], for the first that can't be found.
pub fn find_all(targets: &[Target]) -> Result<Vec<u32>, Failure> {
    let mut pids = Vec::with_capacity(targets.len());
    for target in targets {
        let pid = find(target)?;
        if !pids.contains(&pid) {
            pids.push(pid);
        }
    }
    Ok(pids)
}

fn by_name(name: &str, processes: Vec<Process>, own: u32) -> Result<u32, Failure> {
    let others = || processes.iter().filter(|process| process.pid != own);
    let mut fits: Vec<&Process> = others().filter(|process| is_called(process, name)).collect();
    if fits.is_empty() {
        fits = others().filter(|process| is_part_of_name(process, name)).collect();
    }
    match fits[..] {
        [] => Err(Failure::NoSuchName(name.to_owned())),
        [only] => Ok(only.pid),
        _ => {
            Err(Failure::Ambiguous { name: name.to_owned(), count: fits.len(), list: list(&fits) })
        }
    }
}

fn is_called(process: &Process, name: &str) -> bool {
    process.comm.as_bytes() == name.as_bytes() || program(process) == name.as_bytes()
}

fn is_part_of_name(process: &Process, name: &str) -> bool {
    contains(process.comm.as_bytes(), name.as_bytes())
        || contains(program(process), name.as_bytes())
}

/// The last part of the program's path, which the kernel doesn't cut as it cuts the name to
/// 15 bytes; empty where the path doesn't go with that name, since a process may write there
/// what it likes.
fn program(process: &Process) -> &[u8] {
    let path = process.cmdline.as_bytes().split(|&byte| byte == b' ').next().unwrap_or_default();
    let name = path.rsplit(|&byte| byte == b'/').next().unwrap_or_default();
    let comm = process.comm.as_bytes();
    if !comm.is_empty() && name.starts_with(comm) { name } else { b"" }
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

fn list(processes: &[&Process]) -> String {
    let named = processes.iter().take(MAX_LISTED);
    let mut list: Vec<String> =
        named.map(|process| format!("{} ({})", process.pid, process.comm)).collect();
    if let Some(more) = processes.len().checked_sub(MAX_LISTED).filter(|&more| more > 0) {
        list.push(format!("{more} more"));
    }
    list.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::sample;

    fn by_name(name: &str) -> Result<u32, String> {
        let process = |pid, comm: &str, cmdline: &str| Process {
            pid,
            comm: comm.into(),
            cmdline: cmdline.into(),
            ..sample::process()
        };
        let processes = vec![
            process(1, "systemd", "/sbin/init splash"),
            process(2, "systemd-journal", "/usr/lib/systemd/systemd-journald"),
            process(3, "nginx", "nginx: master process"),
            process(4, "nginx", "nginx: worker process"),
            process(5, "ev\x1bil", ""),
            process(6, "crib-top", "crib-top -p crib-top"),
        ];
        super::by_name(name, processes, 6).map_err(|failure| failure.to_string())
    }

    #[test]
    fn a_whole_name_goes_before_a_part_of_one() {
        assert_eq!(by_name("systemd"), Ok(1));
        assert_eq!(by_name("journal"), Ok(2));
        assert_eq!(by_name("systemd-journald"), Ok(2), "the kernel cuts it after 15 bytes");
        assert_eq!(by_name("ev"), Ok(5));
    }

    #[test]
    fn several_fits_are_listed_and_none_is_said() {
        assert_eq!(
            by_name("ngin"),
            Err("'ngin' fits 2 processes: 3 (nginx), 4 (nginx); choose one by -p PID".into())
        );
        assert_eq!(
            by_name("apache"),
            Err("no process is called 'apache'; crib-top ps lists all".into())
        );
        assert_eq!(
            by_name("crib-top"),
            Err("no process is called 'crib-top'; crib-top ps lists all".into())
        );
        assert_eq!(
            by_name("splash"),
            Err("no process is called 'splash'; crib-top ps lists all".into()),
            "arguments are no names"
        );
    }

    #[test]
    fn a_long_list_is_cut_and_hostile_names_are_escaped() {
        let mut process = sample::process();
        process.comm = "a\nb".into();
        let list = list(&[&process; MAX_LISTED + 3]);
        assert!(list.starts_with("4242 (a\\x0ab), "), "{list}");
        assert!(list.ends_with(", 3 more"), "{list}");
    }
}
