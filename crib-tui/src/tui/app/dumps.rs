//! What the screens below the table ask for, and what they make of the answers.

use std::time::Duration;

use super::Page;
use super::files::{Files, Phase};
use super::screens::packet::Found;
use super::screens::{
    Body, FileScreen, Fit, PacketScreen, QueueScreen, Root, Screen, Standing, add_sums, take_queue,
};
use crate::model::{Dump, DumpFiles, DumpReading, File, FlightHop, QueueName};
use crate::tui::view::file::Facts;
use crate::tui::worker::{Aim, DumpOutcome, DumpRequest, Request, Ticket};

/// What is to be asked for next, without waiting for the interval to pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FollowUp {
    /// The packet of the screen at this depth has to be found again.
    Find(usize),
    /// All packets have been found again: what is shown can be read.
    Show,
    /// A file was closed: the table, which tells whether the process has ended.
    Table,
}

impl Files {
    /// The way to the file that the screen at `depth` shows, or shows something of.
    pub fn way(&self, depth: usize) -> Option<DumpFiles> {
        let mut way = None;
        let mut last: Option<(QueueName, u32)> = None;
        for screen in self.screens.get(..=depth)? {
            match &screen.body {
                Body::Queue(_)
                | Body::Groups(_)
                | Body::Leaks(_)
                | Body::Ends(_)
                | Body::Lints(_) => {}
                Body::Packet(packet) => last = Some((packet.queue, packet.packet.index)),
                Body::File(file) => match file.root {
                    Root::Descriptor { fd, tid } => way = Some((fd, tid, Vec::new())),
                    Root::Flight { file } => {
                        let (queue, packet) = last?;
                        way.as_mut()?.2.push(FlightHop { queue, packet, file });
                    }
                },
            }
        }
        way.map(|(fd, tid, hops)| DumpFiles::One { fd, tid, hops })
    }

    /// The depth of the file with a descriptor that all present screens began with.
    pub fn root(&self) -> Option<usize> {
        self.screens.iter().rposition(|screen| {
            screen.file().is_some_and(|file| matches!(file.root, Root::Descriptor { .. }))
        })
    }

    /// How many files in flight the way to the present screen's file goes through.
    pub fn hops(&self) -> usize {
        match self.screens.len().checked_sub(1).and_then(|depth| self.way(depth)) {
            Some(DumpFiles::One { hops, .. }) => hops.len(),
            Some(DumpFiles::All | DumpFiles::Bare(_)) | None => 0,
        }
    }

    /// What to ask the reading thread for; none where nothing more is to be had, or wanted.
    pub fn next_request(&mut self, paused: bool, page: Page) -> Option<Request> {
        if self.phase != Phase::Alive {
            return None;
        }
        let Some(depth) = self.screens.len().checked_sub(1) else {
            let wanted = !paused || self.table.is_none();
            return wanted.then(|| Request::Files(self.request(paused)));
        };
        match self.follow_up.take() {
            Some(FollowUp::Table) => return Some(Request::Files(self.request(paused))),
            Some(FollowUp::Find(at)) => return self.find_request(depth, at),
            Some(FollowUp::Show) => return self.show_request(depth),
            None => self.searched = false,
        }
        if self.screens[depth].is_watch() {
            let wanted = !paused || self.lacks_watch();
            return wanted.then(|| Request::Files(self.request(paused)));
        }
        let screen = &self.screens[depth];
        if matches!(screen.body, Body::Ends(_)) && screen.standing == Standing::Present {
            let wanted = !paused || screen.time.is_none();
            return if wanted { self.ends_request() } else { None };
        }
        if matches!(screen.body, Body::Lints(_)) {
            // It is about the table.
            let wanted = !paused || self.table.is_none();
            return wanted.then(|| Request::Files(self.request(paused)));
        }
        let first = screen.time.is_none() || self.lacks(page);
        let is_ends = matches!(screen.body, Body::Ends(_));
        if self.no_dumps.is_some() || is_ends || !screen.standing.may_be_read() {
            return (!paused).then(|| Request::Files(self.request(paused)));
        }
        if paused && !first { None } else { self.show_request(depth) }
    }

    /// Whether the present screen shows what it has not even asked for.
    pub fn lacks(&self, page: Page) -> bool {
        match self.screens.last() {
            Some(Screen { body: Body::Queue(queue), standing, .. }) => {
                standing.may_be_read() && queue.lacks(page)
            }
            _ => false,
        }
    }

    fn show_request(&mut self, depth: usize) -> Option<Request> {
        let files = self.way(depth)?;
        let (queues, packets, payload) = match &mut self.screens.get_mut(depth)?.body {
            // A queue's bytes are summed up over the packets that are asked for.
            Body::File(_) => (QueueName::ALL.to_vec(), 0..=QueueScreen::WINDOW - 1, 0),
            Body::Queue(queue) => (vec![queue.name], queue.window(), QueueScreen::PREVIEW),
            Body::Packet(packet) => {
                let at = packet.packet.index;
                (vec![packet.queue], at..=at, PacketScreen::PAYLOAD)
            }
            // They are read by other means.
            Body::Groups(_) | Body::Leaks(_) | Body::Ends(_) | Body::Lints(_) => return None,
        };
        let dump = Dump { pid: self.pid, files, queues, packets, payload, deep: false };
        Some(self.dump_request(depth, Aim::Show, dump))
    }

    fn find_request(&mut self, depth: usize, at: usize) -> Option<Request> {
        let files = self.way(at)?;
        let packet = self.screens.get(at)?.packet()?;
        let (queues, packets) = (packet.search_queues(), 0..=packet.search_end());
        let dump = Dump { pid: self.pid, files, queues, packets, payload: 0, deep: false };
        Some(self.dump_request(depth, Aim::Find { depth: at }, dump))
    }

    fn dump_request(&self, depth: usize, aim: Aim, dump: Dump) -> Request {
        let ticket = Ticket { screen: self.screens[depth].serial, aim };
        Request::Dump(DumpRequest { session: self.session, ticket, dump })
    }

    /// Takes in what the reading thread answered.
    pub fn set_dump(&mut self, ticket: Ticket, outcome: DumpOutcome, page: Page) {
        let Some(depth) = self.screens.len().checked_sub(1) else { return };
        // A screen that was left meanwhile has nothing to show.
        if self.screens[depth].serial != ticket.screen {
            return;
        }
        self.error = None;
        match outcome {
            DumpOutcome::Ended => {
                self.phase = Phase::Ended { zombie: false };
                self.retell();
            }
            DumpOutcome::Failed(error) => self.error = Some(error),
            DumpOutcome::Missing(reason) => {
                self.no_dumps = Some(reason);
                self.screens[depth].time = self.table.as_ref().map(|table| table.time);
                self.retell();
                self.follow_up = Some(FollowUp::Table);
            }
            DumpOutcome::NoFile => self.no_file(ticket.aim, depth),
            DumpOutcome::Read { reading, elapsed } => {
                self.read(ticket.aim, depth, (*reading, elapsed), page);
            }
        }
    }

    fn read(
        &mut self,
        aim: Aim,
        depth: usize,
        (mut reading, elapsed): (DumpReading, Duration),
        page: Page,
    ) {
        let at = match aim {
            Aim::Show => depth,
            Aim::Find { depth } => depth,
        };
        let Some(file) = reading.files.pop() else { return self.no_file(aim, depth) };
        let closed_before = self.screens[depth].standing == Standing::Closed;
        if closed_before || !self.is_expected(at, &file) {
            return self.other_file(aim, depth);
        }
        match aim {
            Aim::Show => self.show(depth, file, (&reading, elapsed), page),
            Aim::Find { depth: at } => self.found(depth, at, &file),
        }
    }

    fn show(
        &mut self,
        depth: usize,
        mut file: File,
        (reading, elapsed): (&DumpReading, Duration),
        page: Page,
    ) {
        add_sums(&mut file);
        let facts = Facts {
            glyphs: self.glyphs,
            table: self.table.as_deref(),
            unread: self.no_dumps.as_deref(),
            over: self.phase != Phase::Alive,
            frames: &self.watched.frames,
            lints: self.arrangement.lints,
        };
        let screen = &mut self.screens[depth];
        let fit = match &mut screen.body {
            Body::File(shown) => {
                shown.take(file, elapsed, &facts);
                Fit::Same
            }
            Body::Queue(shown) => {
                let name = shown.name;
                shown.take(take_queue(file, name), page);
                Fit::Same
            }
            Body::Packet(shown) => {
                let name = shown.queue;
                shown.take(take_queue(file, name), &facts.glyphs)
            }
            Body::Groups(_) | Body::Leaks(_) | Body::Ends(_) | Body::Lints(_) => return,
        };
        match fit {
            Fit::Same => {
                screen.time = Some(reading.time);
                screen.standing = Standing::Present;
                self.complete = reading.complete;
            }
            Fit::Other => self.search(depth),
        }
    }

    /// Begins to look for the packets on the way, once for each interval: a queue may change
    /// faster than it can be read.
    fn search(&mut self, depth: usize) {
        if !std::mem::replace(&mut self.searched, true) {
            let root = self.root().unwrap_or(0);
            self.follow_up = self.packet_from(root, depth).map(FollowUp::Find);
        }
    }

    /// The first screen of a packet at `from` or above it.
    fn packet_from(&self, from: usize, depth: usize) -> Option<usize> {
        (from..=depth).find(|&at| self.screens[at].packet().is_some())
    }

    fn found(&mut self, depth: usize, at: usize, file: &File) {
        let Some(packet) = self.screens[at].packet_mut() else { return };
        let name = packet.queue;
        match packet.find(file.queues().unwrap_or_default()) {
            Found::Yes => {
                let next = self.packet_from(at + 1, depth);
                self.follow_up = Some(next.map_or(FollowUp::Show, FollowUp::Find));
            }
            Found::No => {
                // What was in it is gone with it.
                for screen in &mut self.screens[at..] {
                    screen.standing = Standing::Gone { queue: name };
                }
            }
            Found::Unsure => {}
        }
    }

    /// Whether `file` is the one that the screen at `depth` shows, or shows something of.
    fn is_expected(&self, depth: usize, file: &File) -> bool {
        self.file_above(depth).is_none_or(|shown| shown.is(file))
    }

    /// The file that the screen at `depth` shows, or shows something of.
    pub(super) fn file_above(&self, depth: usize) -> Option<&FileScreen> {
        self.screens.get(..=depth)?.iter().rev().find_map(Screen::file)
    }

    /// The way leads to another file than it did.
    fn other_file(&mut self, aim: Aim, depth: usize) {
        match (aim, self.hops()) {
            (Aim::Show, 1..) => self.search(depth),
            _ => self.root_is(Standing::Replaced),
        }
    }

    /// The way leads nowhere.
    fn no_file(&mut self, aim: Aim, depth: usize) {
        match (aim, self.hops()) {
            (Aim::Show, 1..) => self.search(depth),
            _ => self.root_is(Standing::Closed),
        }
    }

    /// The descriptor that all present screens began with is closed or stands for another file.
    fn root_is(&mut self, standing: Standing) {
        let root = self.root().unwrap_or(0);
        for screen in self.screens.iter_mut().skip(root) {
            screen.standing = standing;
        }
        self.follow_up = Some(FollowUp::Table);
        self.retell();
    }
}
