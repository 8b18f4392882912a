//! What Enter opens below the table of files, and what can be done with a packet there.

use std::sync::Arc;
use std::time::Duration;

use crib_common::dump::HOPS;

use super::screens::{
    Body, FileScreen, LeakLink, Link, LintsScreen, Origin, PacketScreen, QueueScreen, Root, Screen,
};
use super::{App, Files, Message, Phase, Standing};
use crate::model::{Dump, DumpReading, File, FileId, FileKey, FilesTable, QueueName, TrackedFile};
use crate::tui::action::Action;
use crate::tui::capture::{Content, LiveQueue, WriteRequest};

impl App {
    /// Opens what is selected on the present screen of a process.
    pub(super) fn open_within(&mut self) -> Vec<Action> {
        let view = self.sheet_view();
        let page = self.page();
        let Some(files) = &mut self.files else { return Vec::new() };
        let opened = match files.screens.last().map(|screen| &screen.body) {
            None => {
                files.open_selected();
                Ok(())
            }
            Some(Body::File(screen)) => match screen.sheet.selected(view).copied() {
                Some(Link::Queue(name)) => {
                    let origin = Origin::of(&screen.row.file);
                    files.push(Body::Queue(Box::new(QueueScreen::new(origin, name))));
                    Ok(())
                }
                Some(Link::Watch { fd, file }) => files.open_watch(fd, file),
                Some(Link::Flight(_) | Link::Held { .. } | Link::File { .. }) | None => Ok(()),
            },
            Some(Body::Groups(screen)) => {
                if let Some(group) = screen.selected().map(|group| group.name.clone()) {
                    files.enter_group(group, page);
                }
                Ok(())
            }
            Some(Body::Leaks(screen)) => match screen.sheet.selected(view).cloned() {
                Some(LeakLink::Group(group)) => {
                    files.enter_group(group, page);
                    Ok(())
                }
                Some(LeakLink::File { tid, fd }) => files.open_descriptor(tid, fd),
                None => Ok(()),
            },
            Some(Body::Queue(screen)) => {
                if let Some(packet) = screen.selected().cloned() {
                    let (origin, name, glyphs) = (screen.origin, screen.name, files.glyphs);
                    let packet = PacketScreen::new(origin, name, packet, &glyphs);
                    files.push(Body::Packet(Box::new(packet)));
                }
                Ok(())
            }
            Some(Body::Packet(screen)) => match screen.sheet.selected(view).copied() {
                Some(Link::Flight(place)) => files.open_flight(place),
                _ => Ok(()),
            },
            Some(Body::Ends(screen)) => {
                let selected = screen.sheet.selected(view);
                match selected.and_then(|link| screen.held(link)).cloned() {
                    Some(held) => self.open_held(&held),
                    None => Ok(()),
                }
            }
            Some(Body::Lints(screen)) => match screen.sheet.selected(view).copied() {
                Some(Link::File { tid, fd, file }) => files.open_found((tid, fd, file)),
                _ => Ok(()),
            },
        };
        if let Err(refusal) = opened {
            self.message = Some(Message::Refused(refusal));
        }
        self.refresh_soon()
    }

    /// Lists what lints found.
    pub(super) fn open_lints(&mut self) -> Vec<Action> {
        if let Some(files) = &mut self.files {
            files.push(Body::Lints(LintsScreen::default()));
            files.retell();
        }
        self.refresh_soon()
    }

    /// Shows a packet's bytes the other way.
    pub(super) fn switch(&mut self) {
        let glyphs = self.theme.glyphs;
        let top = self.files.as_mut().and_then(|files| files.screens.last_mut());
        if let Some(packet) = top.and_then(Screen::packet_mut) {
            packet.switch(&glyphs);
        }
    }

    /// Has what is shown written to a file.
    pub(super) fn write_packets(&mut self) -> Vec<Action> {
        match self.files.as_ref().map(Files::capture) {
            Some(Ok(request)) => {
                self.write = Some(request);
                self.message = Some(Message::Done("being written".to_owned()));
                self.refresh_soon()
            }
            Some(Err(refusal)) => {
                self.message = Some(Message::Refused(refusal));
                Vec::new()
            }
            None => Vec::new(),
        }
    }
}

impl Files {
    /// Opens a file that an epoll instance watches.
    fn open_watch(&mut self, fd: u32, id: Option<FileId>) -> Result<(), String> {
        if self.hops() > 0 {
            return Err("its descriptors are those of whoever sent it".to_owned());
        }
        let Some(table) = &self.table else { return Ok(()) };
        let screen = match watched(table, fd, id) {
            Some(row) => FileScreen::of_row(row, table),
            // The table may be older than the list of watches: where files are read one by
            // one, the next reading tells.
            None if self.no_dumps.is_none() && id.is_some() && !is_taken(table, fd) => {
                let file = File { id, ..File::unknown(Some(fd)) };
                let root = Root::Descriptor { fd, tid: None };
                Some(FileScreen::of_file(root, file, table.elapsed))
            }
            None => return Err(format!("fd {fd} no longer stands for the file that is watched")),
        };
        if let Some(screen) = screen {
            self.push(Body::File(Box::new(screen)));
            self.retell();
        }
        Ok(())
    }

    /// Opens a file in which something was found.
    fn open_found(&mut self, key: FileKey) -> Result<(), String> {
        let Some(table) = &self.table else { return Ok(()) };
        let row = table.rows.iter().find(|row| !row.is_closed() && row.file.key() == key);
        let row = row.ok_or_else(|| "the file was closed".to_owned())?;
        if let Some(screen) = FileScreen::of_row(row, table) {
            self.push(Body::File(Box::new(screen)));
            self.retell();
        }
        Ok(())
    }

    /// Opens a file in flight in the packet that is shown.
    fn open_flight(&mut self, place: u32) -> Result<(), String> {
        if self.hops() >= HOPS {
            return Err(format!(
                "it lies too deep: files in flight are followed through {HOPS} sockets"
            ));
        }
        let top = self.screens.last();
        let Some(packet) = top.and_then(Screen::packet) else { return Ok(()) };
        let Some(file) = packet.packet.files.get(place as usize).cloned() else { return Ok(()) };
        let standing = top.map(|top| top.standing);
        let root = Root::Flight { file: place };
        let screen = FileScreen::of_file(root, file, Duration::ZERO);
        self.push(Body::File(Box::new(screen)));
        // What was in a packet that is gone is gone with it.
        if let Some((top, standing)) = self.screens.last_mut().zip(standing) {
            top.standing = standing;
        }
        self.retell();
        Ok(())
    }
}

impl Files {
    /// What to write of the present screen: of a packet the copy that is shown, of a queue all
    /// that is in it now.
    fn capture(&self) -> Result<WriteRequest, String> {
        let nothing = || "nothing is shown that could be written".to_owned();
        let depth = self.screens.len().checked_sub(1).ok_or_else(nothing)?;
        let screen = &self.screens[depth];
        let content = match &screen.body {
            Body::File(_) | Body::Groups(_) | Body::Leaks(_) | Body::Ends(_) | Body::Lints(_) => {
                return Err(nothing());
            }
            Body::Queue(queue) if queue.name == QueueName::Accept => return Err(no_bytes()),
            Body::Packet(packet) if packet.queue == QueueName::Accept => return Err(no_bytes()),
            Body::Queue(queue) => {
                if screen.standing != Standing::Present || self.phase != Phase::Alive {
                    return Err("the queue is not there any more".to_owned());
                }
                let files = self.way(depth).ok_or_else(nothing)?;
                let dump = Dump {
                    pid: self.pid,
                    files,
                    queues: vec![queue.name],
                    packets: 0..=u32::MAX,
                    payload: PacketScreen::PAYLOAD,
                    deep: false,
                };
                let start_ticks = self.process().ok_or_else(nothing)?.start_ticks;
                let file = Arc::clone(&self.file_above(depth).ok_or_else(nothing)?.row.file);
                Content::Queue(Box::new(LiveQueue { dump, start_ticks, file }))
            }
            Body::Packet(packet) => {
                let process = self.process().cloned().ok_or_else(nothing)?;
                let file = self.file_above(depth).ok_or_else(nothing)?;
                // One that went away at once is known from its queue.
                let time = self.screens.iter().rev().find_map(|screen| screen.time);
                let time = time.ok_or_else(nothing)?;
                Content::Copy(Box::new(DumpReading {
                    time,
                    process,
                    files: vec![packet.within(&file.row.file)],
                    complete: true,
                    runs: 1,
                }))
            }
        };
        Ok(WriteRequest { stem: self.stem(depth), content })
    }

    /// A file name that tells what is in the file: `crib-top-4711-12-receive-packet3`.
    fn stem(&self, depth: usize) -> String {
        let mut stem = format!("crib-top-{}", self.pid);
        let Some(root) = self.root() else { return stem };
        for screen in &self.screens[root..=depth] {
            stem += &match &screen.body {
                Body::File(file) => match file.root {
                    Root::Descriptor { fd, tid: None } => format!("-{fd}"),
                    Root::Descriptor { fd, tid: Some(tid) } => format!("-thread{tid}-{fd}"),
                    Root::Flight { file } => format!("-file{file}"),
                },
                Body::Ends(_) => String::new(),
                Body::Queue(queue) => format!("-{}", queue.name.name()),
                Body::Packet(packet) => format!("-packet{}", packet.packet.index),
                // They are not written.
                Body::Groups(_) | Body::Leaks(_) | Body::Lints(_) => String::new(),
            };
        }
        stem
    }
}

fn no_bytes() -> String {
    "connections that wait hold no bytes that could be written".to_owned()
}

/// The row of a watched file: under the number it was added with, else under any that it has.
fn watched(table: &FilesTable, fd: u32, id: Option<FileId>) -> Option<&TrackedFile> {
    let open = || table.rows.iter().filter(|row| !row.is_closed());
    let same = |row: &&TrackedFile| id.is_none() || row.file.id == id;
    open()
        .filter(same)
        .find(|row| row.file.fd == Some(fd))
        .or_else(|| id.and_then(|_| open().find(same)))
}

/// Whether a number stands for some file.
fn is_taken(table: &FilesTable, fd: u32) -> bool {
    table.rows.iter().any(|row| !row.is_closed() && row.file.fd == Some(fd))
}
