//! What TCP knows of a connection, out of its record.

use std::ops::Range;
use std::time::Duration;

use crib_common::dump::{TcpRecord, tcp_known};

use super::known;
use crate::model::{Tcp, TcpTimer};

/// TCP_INFINITE_SSTHRESH (include/net/tcp.h).
const NO_THRESHOLD: u32 = 0x7fff_ffff;

pub(super) fn tcp(record: &TcpRecord) -> Tcp {
    let has = u64::from(record.known);
    let value = |bit: u32, value: u32| known(has, bit.into(), value);
    let tick = Tick::of(record.jiffies, record.clock);
    let timer = value(tcp_known::TIMER, record.timer).and_then(TcpTimer::from_kernel);
    let timer_at = value(tcp_known::TIMER_AT, record.timer_at)
        .filter(|_| timer.is_some_and(|timer| timer != TcpTimer::None));
    let measured = value(tcp_known::SRTT, record.srtt).filter(|&srtt| srtt != 0);
    Tcp {
        snd_una: value(tcp_known::SND_UNA, record.snd_una),
        snd_nxt: value(tcp_known::SND_NXT, record.snd_nxt),
        rcv_nxt: value(tcp_known::RCV_NXT, record.rcv_nxt),
        snd_wnd: value(tcp_known::SND_WND, record.snd_wnd),
        rcv_wnd: value(tcp_known::RCV_WND, record.rcv_wnd),
        snd_cwnd: value(tcp_known::SND_CWND, record.snd_cwnd),
        snd_ssthresh: value(tcp_known::SND_SSTHRESH, record.snd_ssthresh)
            .filter(|&packets| packets < NO_THRESHOLD),
        // In eighths and quarters of a microsecond.
        srtt: measured.map(|srtt| Duration::from_nanos(u64::from(srtt) * 125)),
        rttvar: value(tcp_known::RTTVAR, record.rttvar)
            .filter(|_| measured.is_some())
            .map(|rttvar| Duration::from_nanos(u64::from(rttvar) * 250)),
        rto: value(tcp_known::RTO, record.rto).zip(tick).map(|(ticks, tick)| tick.time(ticks)),
        mss: value(tcp_known::MSS, record.mss),
        timer,
        timer_in: timer_at.zip(tick).map(|(at, tick)| {
            // The low 32 bits: a time in the past is a negative distance.
            let ahead = at.wrapping_sub(record.jiffies as u32) as i32;
            tick.time(ahead.max(0).unsigned_abs())
        }),
        retransmits: value(tcp_known::RETRANSMITS, record.retransmits),
        total_retransmits: value(tcp_known::TOTAL_RETRANSMITS, record.total_retransmits),
        backoff: value(tcp_known::BACKOFF, record.backoff),
        probes: value(tcp_known::PROBES, record.probes),
        last_ack: value(tcp_known::RCV_TSTAMP, record.rcv_tstamp)
            .filter(|&at| at != 0)
            .zip(tick)
            .map(|(at, tick)| {
                let ago = (record.jiffies as u32).wrapping_sub(at) as i32;
                tick.time(ago.max(0).unsigned_abs())
            }),
    }
}

/// How long a tick of the kernel's clock is: CONFIG_HZ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Tick {
    hz: u32,
}

impl Tick {
    /// What distributions choose from (kernel/Kconfig.hz).
    const COMMON: [u32; 4] = [100, 250, 300, 1000];
    /// What else there is: MIPS and Alpha begin at 24 and end at 1200.
    const RANGE: Range<u32> = 24..1201;
    /// How far the two clocks may be apart.
    const SLACK: u64 = 2_000_000_000;

    /// The tick by which so many ticks fit the monotonic clock. The counter is set to five
    /// minutes before it runs over 32 bits (INITIAL_JIFFIES), and follows that clock.
    fn of(jiffies: u64, clock: u64) -> Option<Self> {
        let best = |candidates: &mut dyn Iterator<Item = u32>| {
            candidates
                .filter_map(|hz| {
                    let since = jiffies.checked_sub((300 * hz).wrapping_neg().into())?;
                    let up = u128::from(since) * 1_000_000_000 / u128::from(hz);
                    Some((u64::try_from(up).ok()?.abs_diff(clock), hz))
                })
                .min()
                .filter(|&(off, _)| off <= Self::SLACK)
                .map(|(_, hz)| Self { hz })
        };
        best(&mut Self::COMMON.into_iter()).or_else(|| best(&mut { Self::RANGE }))
    }

    fn time(self, ticks: u32) -> Duration {
        Duration::from_nanos(u64::from(ticks) * 1_000_000_000 / u64::from(self.hz))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;
    use zerocopy::FromZeros;

    /// The counter after so many milliseconds.
    fn jiffies(hz: u32, up: u64) -> u64 {
        u64::from((300 * hz).wrapping_neg()) + up * u64::from(hz) / 1000
    }

    #[rstest]
    fn the_tick_is_found_from_the_two_clocks(
        #[values(100, 250, 300, 1000)] hz: u32,
        #[values(3_000, 301_000, 86_400_000, 31_536_000_000)] up: u64,
    ) {
        assert_eq!(Tick::of(jiffies(hz, up), up * 1_000_000), Some(Tick { hz }));
    }

    #[test]
    fn a_rare_tick_is_found_and_nonsense_is_not() {
        let day = 86_400_000;
        assert_eq!(Tick::of(jiffies(1024, day), day * 1_000_000), Some(Tick { hz: 1024 }));
        assert_eq!(Tick::of(5, day * 1_000_000), None);
    }

    #[test]
    fn times_are_told_in_seconds_and_what_is_not_set_is_unknown() {
        let mut record = TcpRecord::new_zeroed();
        record.known = u32::MAX;
        record.jiffies = jiffies(250, 1_000_000);
        record.clock = 1_000_000_000_000;
        record.srtt = 8 * 1500;
        record.rttvar = 4 * 20;
        record.rto = 50;
        record.snd_ssthresh = NO_THRESHOLD;
        record.timer = 1;
        record.timer_at = (record.jiffies as u32).wrapping_add(25);
        record.rcv_tstamp = (record.jiffies as u32).wrapping_sub(500);
        let first = tcp(&record);
        assert_eq!(first.last_ack, Some(Duration::from_secs(2)));
        assert_eq!(first.srtt, Some(Duration::from_micros(1500)));
        assert_eq!(first.rttvar, Some(Duration::from_micros(20)));
        assert_eq!(first.rto, Some(Duration::from_millis(200)));
        assert_eq!(first.timer_in, Some(Duration::from_millis(100)));
        assert_eq!((first.snd_ssthresh, first.timer), (None, Some(TcpTimer::Retransmit)));

        record.timer_at = (record.jiffies as u32).wrapping_sub(25);
        assert_eq!(tcp(&record).timer_in, Some(Duration::ZERO));
        (record.timer, record.srtt, record.rcv_tstamp) = (0, 0, 0);
        let idle = tcp(&record);
        assert_eq!((idle.timer_in, idle.srtt, idle.rttvar), (None, None, None));
        assert_eq!(idle.last_ack, None);
        record.known = 0;
        assert_eq!(tcp(&record), Tcp::default());
    }

    proptest! {
        #[test]
        fn arbitrary_clocks_never_panic(jiffies: u64, clock: u64) {
            Tick::of(jiffies, clock);
        }
    }
}
