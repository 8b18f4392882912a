//! The files of one process out of the table's records.

use std::sync::Arc;

use super::file::{self, Name};
use super::tables::Tables;
use super::{IdKey, socket, watchers};
use crate::decode::{DecodeError, Record};
use crate::model::File;

/// Puts together the files of one process.
///
/// # Errors
/// The first record that could not be decoded; the files before it are lost with it, since a
/// table with a hole in it would be a wrong one.
pub fn files<'a>(
    records: impl Iterator<Item = Result<Record<'a>, DecodeError>>,
    ops_name: impl Fn(u64) -> Option<Arc<str>>,
    key: &IdKey,
) -> Result<Vec<File>, DecodeError> {
    let mut files: Vec<File> = Vec::new();
    let mut tables = Tables::default();
    // Whether the records that follow belong to a file that is shown.
    let mut shown = false;
    for record in records {
        match record? {
            Record::File(record, path) => {
                shown = tables.first_owner(record.table, record.tid) == record.tid;
                if shown {
                    let tid = tables.own_thread(&record);
                    files.push(file::file(&record, Name::Told(path), tid, &ops_name, key));
                }
            }
            Record::Socket(record) if shown => with_last(&mut files, |file| {
                file.socket = Some(Box::new(socket::socket(&record)));
            }),
            Record::Unix(record) if shown => with_last(&mut files, |file| {
                if let Some(socket) = &mut file.socket {
                    socket::add_names(socket, &record);
                }
            }),
            Record::Pipe(record) if shown => with_last(&mut files, |file| {
                file.pipe = Some(file::pipe(&record));
            }),
            Record::Watches(entries, whole) if shown => with_last(&mut files, |file| {
                file.epoll = Some(file::epoll(&entries, whole, key));
            }),
            _ => {}
        }
    }
    watchers::find(&mut files);
    Ok(files)
}

fn with_last(files: &mut [File], change: impl FnOnce(&mut File)) {
    if let Some(file) = files.last_mut() {
        change(file);
    }
}
