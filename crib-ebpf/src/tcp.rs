//! What TCP knows of a connection (`struct tcp_sock`).

use aya_ebpf::helpers::generated::{bpf_jiffies64, bpf_ktime_get_ns};
use crib_common::dump::{TcpRecord, kind, tcp_known};
use crib_common::record::RecordHeader;

use crate::read::{Kptr, Raw, offset};

/// Fills in `record`.
#[inline(always)]
pub fn fill(record: &mut TcpRecord, sk: Kptr<Raw>) {
    let mut known = 0;
    record.header = RecordHeader::of::<TcpRecord>(kind::TCP, 0);
    // SAFETY: these helpers take nothing.
    (record.jiffies, record.clock) = unsafe { (bpf_jiffies64(), bpf_ktime_get_ns()) };
    record.snd_una = sk.get(offset!(tcp_snd_una)).note(&mut known, tcp_known::SND_UNA);
    record.snd_nxt = sk.get(offset!(tcp_snd_nxt)).note(&mut known, tcp_known::SND_NXT);
    record.write_seq = sk.get(offset!(tcp_write_seq)).note(&mut known, tcp_known::WRITE_SEQ);
    record.rcv_nxt = sk.get(offset!(tcp_rcv_nxt)).note(&mut known, tcp_known::RCV_NXT);
    record.copied_seq = sk.get(offset!(tcp_copied_seq)).note(&mut known, tcp_known::COPIED_SEQ);
    record.snd_wnd = sk.get(offset!(tcp_snd_wnd)).note(&mut known, tcp_known::SND_WND);
    record.rcv_wnd = sk.get(offset!(tcp_rcv_wnd)).note(&mut known, tcp_known::RCV_WND);
    record.snd_cwnd = sk.get(offset!(tcp_snd_cwnd)).note(&mut known, tcp_known::SND_CWND);
    record.snd_ssthresh =
        sk.get(offset!(tcp_snd_ssthresh)).note(&mut known, tcp_known::SND_SSTHRESH);
    record.srtt = sk.get(offset!(tcp_srtt)).note(&mut known, tcp_known::SRTT);
    record.rttvar = sk.get(offset!(tcp_rttvar)).note(&mut known, tcp_known::RTTVAR);
    record.mss = sk.get(offset!(tcp_mss)).note(&mut known, tcp_known::MSS);
    record.rto = sk.get(offset!(icsk_rto)).note(&mut known, tcp_known::RTO);
    let byte = |offset| sk.get::<u8>(offset).map(u32::from);
    record.timer = byte(offset!(icsk_pending)).note(&mut known, tcp_known::TIMER);
    // An unsigned long, of which the low half is enough to compare (`time_after`).
    record.timer_at = sk.get(offset!(icsk_timeout)).note(&mut known, tcp_known::TIMER_AT);
    record.retransmits = byte(offset!(icsk_retransmits)).note(&mut known, tcp_known::RETRANSMITS);
    record.total_retransmits =
        sk.get(offset!(tcp_total_retransmits)).note(&mut known, tcp_known::TOTAL_RETRANSMITS);
    record.backoff = byte(offset!(icsk_backoff)).note(&mut known, tcp_known::BACKOFF);
    record.probes = byte(offset!(icsk_probes)).note(&mut known, tcp_known::PROBES);
    record.rcv_tstamp = sk.get(offset!(tcp_rcv_tstamp)).note(&mut known, tcp_known::RCV_TSTAMP);
    record.reserved = 0;
    record.known = known;
}
