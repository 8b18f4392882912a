//! The files in flight in a packet (SCM_RIGHTS, unix(7)).

use core::marker::PhantomData;

use crib_common::limits::FLIGHT_FILES;

use crate::emit;
use crate::packet::{Details, Packet, cb};
use crate::queues::is;
use crate::read::{Kptr, Members, Raw, offset};
use crate::repeat::{Step, repeat};

/// The files in flight in a packet, for as long as the packet is looked at.
pub struct FlightFiles<'a> {
    carrier: u64,
    first: u32,
    packet: PhantomData<&'a ()>,
}

impl FlightFiles<'_> {
    /// Those from this place on.
    #[inline(always)]
    pub fn resume(self, first: u32) -> Self {
        Self { first, ..self }
    }

    /// The one in this place.
    #[inline(always)]
    pub fn get(&self, place: u32) -> Option<Kptr<Raw>> {
        let progress = &emit::dump()?.progress;
        crib_flight_at(self.carrier, place);
        Kptr::to(progress.flight_file)
    }

    /// Calls `step` with the place of each and the file itself.
    #[inline(always)]
    pub fn for_each(self, mut step: impl FnMut(u32, Kptr<Raw>) -> Step) {
        let first = self.first;
        repeat(FLIGHT_FILES, |index| {
            let place = first.wrapping_add(index);
            match self.get(place) {
                Some(file) => step(place, file),
                None => Step::Break,
            }
        });
    }
}

impl Packet<'_> {
    /// The files in flight in it.
    #[inline(always)]
    pub fn files(&self) -> FlightFiles<'_> {
        FlightFiles { carrier: self.pointer.address(), first: 0, packet: PhantomData }
    }
}

impl Details<'_> {
    /// The file in flight in this place.
    #[inline(always)]
    fn file(&self, place: u32) -> Option<Kptr<Raw>> {
        if !self.is(is::CARRIER) {
            return None;
        }
        let list = list(&self.pointer)?;
        if place >= u32::from(list.get::<u16>(offset!(flight_count)).or_zero()) {
            return None;
        }
        let files = list.member(offset!(flight_files))?;
        let slot = Kptr::<Raw>::to(files.address().wrapping_add(u64::from(place) * 8))?;
        Kptr::to(slot.get(0).or_zero())
    }
}

/// The files in flight in a unix socket's packet (`struct scm_fp_list`).
#[inline(always)]
pub fn list(skb: &impl Members) -> Option<Kptr<Raw>> {
    Kptr::to(skb.read(cb(offset!(unix_cb_files))).or_zero())
}

/// Notes the file in flight in this place of a packet; nothing where there is none. A global
/// function: see [`crate::level`].
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn crib_flight_at(carrier: u64, place: u32) -> u32 {
    let Some(dump) = emit::dump() else { return 0 };
    let file = Packet::at(carrier, 0)
        .and_then(|packet| packet.details().and_then(|details| details.file(place)));
    dump.progress.flight_file = file.map_or(0, Kptr::address);
    0
}
