//! The threads of a process, of which the first may have ended before the others: its files in /proc
//! say nothing of the process's memory then.

use std::io;

use super::dir::ProcDir;

/// The id of a thread by which the process's memory is found in /proc: that of the first one as
/// long as it runs. The same where the memory may not be read, or there is none.
pub fn living_thread(pid: u32) -> u32 {
    let Ok(dir) = ProcDir::open(pid) else { return pid };
    match read_of_living(&dir, "auxv", 1) {
        Ok((Some(tid), _)) => tid,
        _ => pid,
    }
}

/// The first `limit` bytes of a file that says something of the process's memory.
///
/// # Errors
/// As [`ProcDir::read`].
pub fn read_start(dir: &ProcDir, name: &str, limit: u64) -> io::Result<Vec<u8>> {
    read_of_living(dir, name, limit).map(|(_, text)| text)
}

/// The same, and by which other thread than the first it was read.
fn read_of_living(dir: &ProcDir, name: &str, limit: u64) -> io::Result<(Option<u32>, Vec<u8>)> {
    // Kernels differ in what they say of memory that is gone: nothing, or ESRCH.
    let first = dir.read_start(name, limit);
    if first.as_ref().is_ok_and(|text| !text.is_empty()) || is_refused(&first) {
        return Ok((None, first?));
    }
    for tid in dir.numbers("task").unwrap_or_default() {
        if let Ok(text) = dir.read_start(&format!("task/{tid}/{name}"), limit)
            && !text.is_empty()
        {
            return Ok((Some(tid), text));
        }
    }
    Ok((None, first?))
}

/// Whether it may not be read, which is so of each thread.
fn is_refused(read: &io::Result<Vec<u8>>) -> bool {
    read.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::PermissionDenied)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_thread_is_the_one_as_long_as_it_runs() {
        let pid = std::process::id();
        assert_eq!(living_thread(pid), pid);
        assert_eq!(living_thread(0), 0);
        let dir = ProcDir::open(pid).unwrap();
        assert_eq!(read_start(&dir, "auxv", 64).unwrap(), dir.read_start("auxv", 64).unwrap());
        assert!(read_start(&dir, "no-such-file", 64).is_err());
    }
}
