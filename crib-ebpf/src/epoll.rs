//! What an epoll instance watches (`struct eventpoll`).

use core::marker::PhantomData;

use crib_common::limits::EPOLL_WATCHES;
use crib_common::record::{RecordHeader, WatchEntry, WatchesRecord, kind, watch_known};

use crate::rbtree;
use crate::read::{Access, Kptr, Raw, Value, below, offset};
use crate::repeat::Step;

/// An epoll instance, for as long as its file is looked at.
///
/// A watch kept past its step:
///
/// ```compile_fail
/// # use crib_ebpf::epoll::{Epoll, Watch};
/// # use crib_ebpf::repeat::Step;
/// fn keep(epoll: &Epoll<'_>) {
///     let mut last: Option<Watch<'_>> = None;
///     epoll.watches().for_each(|watch| {
///         last = Some(watch); // `watch` would escape the step
///         Step::Continue
///     });
/// }
/// ```
///
/// What is read of it is a number and may be kept:
///
/// ```
/// # use crib_ebpf::epoll::Epoll;
/// # use crib_ebpf::repeat::Step;
/// fn last_fd(epoll: &Epoll<'_>) -> u32 {
///     let mut last = 0;
///     epoll.watches().for_each(|watch| {
///         last = watch.fd().or_zero();
///         Step::Continue
///     });
///     last
/// }
/// ```
pub struct Epoll<'a> {
    pointer: Kptr<Raw>,
    file: PhantomData<&'a ()>,
}

impl Epoll<'_> {
    /// The one behind a file that is known to be an epoll instance's.
    #[inline(always)]
    pub fn behind<A: Access>(file: Kptr<A>) -> Option<Self> {
        let pointer = Kptr::to(file.get(offset!(file_private_data)).or_zero())?;
        Some(Self { pointer, file: PhantomData })
    }

    /// What it watches.
    #[inline(always)]
    pub fn watches(&self) -> Watches<'_> {
        Watches { pointer: self.pointer, epoll: PhantomData }
    }
}

/// What an epoll instance watches, in the order of its tree: by address of the file, and by
/// descriptor.
pub struct Watches<'a> {
    pointer: Kptr<Raw>,
    epoll: PhantomData<&'a ()>,
}

impl Watches<'_> {
    /// Calls `step` with each watch. How many there were; unknown where these are not all.
    #[inline(always)]
    pub fn for_each(self, mut step: impl for<'step> FnMut(Watch<'step>) -> Step) -> Value<u32> {
        let Some(root) = self.pointer.get::<u64>(offset!(eventpoll_root)).ok() else {
            return Value::unknown();
        };
        rbtree::for_each(root, EPOLL_WATCHES, |node| {
            let item = node.address().wrapping_sub(u64::from(offset!(epitem_rbn)));
            match Kptr::to(item) {
                Some(item) => step(Watch { item, step: PhantomData }),
                None => Step::Break,
            }
        })
    }
}

/// One watch (`struct epitem`), for as long as one step of a walk.
pub struct Watch<'a> {
    item: Kptr<Raw>,
    step: PhantomData<&'a ()>,
}

impl Watch<'_> {
    /// The descriptor that was watched, which may stand for another file by now.
    #[inline(always)]
    pub fn fd(&self) -> Value<u32> {
        self.item.get(offset!(epitem_fd))
    }

    /// The events that are waited for (epoll_ctl(2)).
    #[inline(always)]
    pub fn events(&self) -> Value<u32> {
        self.item.get(offset!(epitem_events))
    }

    /// What user space wants back with an event.
    #[inline(always)]
    pub fn data(&self) -> Value<u64> {
        self.item.get(offset!(epitem_data))
    }

    /// Whether it is on the ready list (`ep_is_linked`): its list head does not point to itself.
    #[inline(always)]
    pub fn is_ready(&self) -> Value<bool> {
        let own = self.item.address().wrapping_add(u64::from(offset!(epitem_rdllink)));
        self.item.get::<u64>(offset!(epitem_rdllink)).map(|next| next != own)
    }

    /// The address of the watched file, 0 where it could not be read.
    #[inline(always)]
    pub fn file(&self) -> u64 {
        self.item.get(offset!(epitem_file)).or_zero()
    }
}

/// The interest list as it goes out.
#[repr(C)]
pub struct WatchList {
    /// The record.
    pub record: WatchesRecord,
    /// Its entries, which follow it.
    pub entries: [WatchEntry; EPOLL_WATCHES as usize],
}

impl WatchList {
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

/// Fills in what the epoll instance behind `file` watches.
#[inline(always)]
pub fn fill<A: Access>(list: &mut WatchList, file: Kptr<A>) {
    list.record.header = RecordHeader::of::<WatchesRecord>(kind::WATCHES, 0);
    list.record.count = 0;
    list.record.whole = 0;
    let Some(epoll) = Epoll::behind(file) else { return };
    // The count is kept in the map, where the verifier takes it for any number; on the stack it
    // would follow the loop through each value of it.
    let whole = epoll.watches().for_each(|watch| {
        let count = list.record.count;
        if count >= EPOLL_WATCHES {
            return Step::Break;
        }
        let entry = &mut list.entries[below::<EPOLL_WATCHES>(count) as usize];
        let mut known = 0;
        entry.fd = watch.fd().note(&mut known, watch_known::FD);
        entry.events = watch.events().note(&mut known, watch_known::EVENTS);
        entry.data = watch.data().note(&mut known, watch_known::DATA);
        entry.ready = u32::from(watch.is_ready().note(&mut known, watch_known::READY));
        entry.known = known;
        entry.file = watch.file();
        list.record.count = count + 1;
        Step::Continue
    });
    list.record.whole = u32::from(whole.ok().is_some());
    list.record.header.len += list.record.count * size_of::<WatchEntry>() as u32;
}
