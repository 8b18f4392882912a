//! What an epoll instance watches (`struct eventpoll`).

use crib_common::limits::EPOLL_WATCHES;
use crib_common::record::{RecordHeader, WatchEntry, WatchesRecord, kind, watch_known};

use crate::rbtree;
use crate::read::{Access, Kptr, Raw, below, offset};
use crate::repeat::Step;

/// The interest list as it goes out.
#[repr(C)]
pub struct Watches {
    /// The record.
    pub record: WatchesRecord,
    /// Its entries, which follow it.
    pub entries: [WatchEntry; EPOLL_WATCHES as usize],
}

impl Watches {
    /// Bytes of the record with its entries.
    #[inline(always)]
    pub fn size(&self) -> u32 {
        const MOST: u32 = EPOLL_WATCHES * size_of::<WatchEntry>() as u32;
        let entries = self.record.count * size_of::<WatchEntry>() as u32;
        let entries = if entries > MOST { MOST } else { entries };
        // The next power of two over MOST, so that the mask changes nothing.
        size_of::<WatchesRecord>() as u32 + below::<{ (MOST + 1).next_power_of_two() }>(entries)
    }
}

/// Fills in what the epoll instance behind `file` watches, in the order of its tree.
#[inline(always)]
pub fn fill<A: Access>(watches: &mut Watches, file: Kptr<A>) {
    watches.record.header = RecordHeader::of::<WatchesRecord>(kind::WATCHES, 0);
    watches.record.count = 0;
    watches.record.whole = 0;
    let Some(ep) = Kptr::<Raw>::to(file.get(offset!(file_private_data)).or_zero()) else { return };
    let Some(root) = ep.get::<u64>(offset!(eventpoll_root)).ok() else { return };
    // The count is kept in the map, where the verifier takes it for any number; on the stack it
    // would follow the loop through each value of it.
    let whole = rbtree::for_each(root, EPOLL_WATCHES, |node| {
        let count = watches.record.count;
        if count >= EPOLL_WATCHES {
            return Step::Break;
        }
        let Some(item) = item_of(node) else { return Step::Break };
        let entry = &mut watches.entries[below::<EPOLL_WATCHES>(count) as usize];
        let mut known = 0;
        entry.fd = item.get(offset!(epitem_fd)).note(&mut known, watch_known::FD);
        entry.events = item.get(offset!(epitem_events)).note(&mut known, watch_known::EVENTS);
        entry.data = item.get(offset!(epitem_data)).note(&mut known, watch_known::DATA);
        // On the ready list (`ep_is_linked`): a list head that does not point to itself.
        let ready = item
            .get::<u64>(offset!(epitem_rdllink))
            .map(|next| next != item.address().wrapping_add(u64::from(offset!(epitem_rdllink))));
        entry.ready = u32::from(ready.note(&mut known, watch_known::READY));
        entry.known = known;
        entry.file = item.get(offset!(epitem_file)).or_zero();
        watches.record.count = count + 1;
        Step::Continue
    });
    watches.record.whole = u32::from(whole.ok().is_some());
    watches.record.header.len += watches.record.count * size_of::<WatchEntry>() as u32;
}

/// The item that a node of the tree is a part of.
#[inline(always)]
fn item_of(node: Kptr<Raw>) -> Option<Kptr<Raw>> {
    Kptr::to(node.address().wrapping_sub(u64::from(offset!(epitem_rbn))))
}
