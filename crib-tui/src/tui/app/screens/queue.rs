//! The state of the screen with the packets of one queue. Of a long queue only the packets
//! around those that are seen are read.

use std::ops::RangeInclusive;

use super::Origin;
use crate::model::{Packet, PacketId, Queue, QueueName};
use crate::tui::app::Page;
use crate::tui::view::queue::{self as view, Slot};
use crate::tui::widget::arrange::arrange;
use crate::tui::widget::table::{Column, Cursor, Sort};

/// A queue whose packets are looked at.
pub struct QueueScreen {
    /// What sort of file it belongs to.
    pub origin: Origin,
    /// Which queue.
    pub name: QueueName,
    /// What is known of the whole of it, its packets taken out; none before it was read.
    pub queue: Option<Queue>,
    /// The packets that were read, by their places.
    pub slots: Vec<Slot>,
    /// How many packets there are.
    pub total: usize,
    /// What they are sorted by; none for their order in the queue.
    pub sort: Option<Sort>,
    /// The selected packet.
    pub cursor: Cursor<SlotKey>,
    /// How far long texts are shifted to the left, in columns.
    pub shift: u16,
    /// The places that were asked for.
    asked: RangeInclusive<u32>,
    /// The places of the slots as they are sorted; none in the order of the queue.
    order: Option<Vec<u32>>,
}

/// What follows a packet through readings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SlotKey {
    /// The packet itself.
    Packet(PacketId),
    /// One that was not read: its place.
    Place(usize),
}

impl QueueScreen {
    /// How many packets are read at a time.
    pub const WINDOW: u32 = 1024;

    /// Bytes of each packet that are read.
    pub const PREVIEW: u32 = 64;

    /// A queue that was not read yet.
    pub fn new(origin: Origin, name: QueueName) -> Self {
        Self {
            origin,
            name,
            queue: None,
            slots: Vec::new(),
            total: 0,
            sort: None,
            cursor: Cursor::default(),
            shift: 0,
            asked: 0..=0,
            order: None,
        }
    }

    /// The columns that make sense for its packets.
    pub fn columns(&self) -> &'static [Column<Slot, view::Context>] {
        view::columns(self.origin, self.name)
    }

    /// The packets to read for what is seen.
    pub fn window(&mut self) -> RangeInclusive<u32> {
        let top = u32::try_from(self.cursor.offset()).unwrap_or(u32::MAX);
        // As much above as below; from the queue's beginning on as long as that will do.
        let first = match top {
            0..=768 => 0,
            _ => top - Self::WINDOW / 2,
        };
        self.asked = first..=first.saturating_add(Self::WINDOW - 1);
        self.asked.clone()
    }

    /// Whether packets are seen that were not even asked for.
    pub fn lacks(&self, page: Page) -> bool {
        let first = self.cursor.offset();
        let last = first.saturating_add(page.0.max(1)).min(self.total).saturating_sub(1);
        let asked = |place: usize| u32::try_from(place).is_ok_and(|at| self.asked.contains(&at));
        self.total > 0 && self.order.is_none() && !(asked(first) && asked(last))
    }

    /// Takes in what was read; none where the file has no such queue now, which is then empty.
    pub fn take(&mut self, queue: Option<Queue>, page: Page) {
        let mut queue = queue.unwrap_or(Queue {
            name: self.name,
            messages: Some(0),
            payload: Some(0),
            memory: Some(0),
            torn: false,
            complete: true,
            packets: Vec::new(),
        });
        let mut packets = std::mem::take(&mut queue.packets);
        packets.sort_by_key(|packet| packet.index);
        self.slots = packets.into_iter().map(Slot::of).collect();
        let behind = self.slots.last().map_or(0, |slot| slot.index as usize + 1);
        let counted = queue.messages.and_then(|count| usize::try_from(count).ok());
        self.total = counted.unwrap_or(0).max(behind);
        self.queue = Some(queue);
        self.arrange(page);
    }

    /// Whether all packets of the queue were read, so that they can be sorted.
    pub fn is_whole(&self) -> bool {
        self.slots.len() == self.total
    }

    /// How many packets there should be among those that were asked for and are not.
    pub fn missing(&self) -> usize {
        let first = *self.asked.start() as usize;
        let end = (*self.asked.end() as usize).saturating_add(1).min(self.total);
        end.saturating_sub(first).saturating_sub(self.slots.len())
    }

    /// Sorts.
    pub fn set_sort(&mut self, sort: Sort, page: Page) {
        self.sort = Some(sort);
        self.arrange(page);
    }

    fn arrange(&mut self, page: Page) {
        self.order = (self.sort.is_some() && self.is_whole())
            .then(|| arrange(&self.slots, self.columns(), self.sort, |_| true));
        self.with_cursor(|cursor, len, key| cursor.follow(len, page.0, key));
    }

    /// Moves the selection.
    pub fn step(&mut self, by: isize, page: Page) {
        self.with_cursor(|cursor, len, key| cursor.step(by, len, page.0, key));
    }

    /// Scrolls so that the selection is seen.
    pub fn reveal(&mut self, page: Page) {
        self.cursor.reveal(self.total, page.0);
    }

    fn with_cursor(
        &mut self,
        change: impl FnOnce(&mut Cursor<SlotKey>, usize, &dyn Fn(usize) -> SlotKey),
    ) {
        let (slots, order) = (&self.slots, self.order.as_deref());
        let key =
            |row: usize| match slot_at(slots, order, row).and_then(|slot| slot.packet.as_ref()) {
                Some(packet) => SlotKey::Packet(packet.id),
                None => SlotKey::Place(row),
            };
        change(&mut self.cursor, self.total, &key);
    }

    /// What is in a row of the table, where that was read.
    pub fn slot(&self, row: usize) -> Option<&Slot> {
        slot_at(&self.slots, self.order.as_deref(), row)
    }

    /// The selected packet, where it was read.
    pub fn selected(&self) -> Option<&Packet> {
        self.slot(self.cursor.index())?.packet.as_ref()
    }
}

fn slot_at<'a>(slots: &'a [Slot], order: Option<&[u32]>, row: usize) -> Option<&'a Slot> {
    if let Some(order) = order {
        return slots.get(*order.get(row)? as usize);
    }
    let place = u32::try_from(row).ok()?;
    let at = slots.binary_search_by_key(&place, |slot| slot.index).ok()?;
    slots.get(at)
}
