//! What TCP knows of a connection.

use std::time::Duration;

use serde::{Serialize, Serializer};

/// The state of a TCP connection (`struct tcp_sock`, tcp(7)'s TCP_INFO).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Tcp {
    /// First byte that was sent and not acknowledged.
    pub snd_una: Option<u32>,
    /// Next byte to be sent.
    pub snd_nxt: Option<u32>,
    /// Next byte that is expected.
    pub rcv_nxt: Option<u32>,
    /// Window that the other end offers, in bytes.
    pub snd_wnd: Option<u32>,
    /// Window that was offered to the other end, in bytes.
    pub rcv_wnd: Option<u32>,
    /// Congestion window in packets.
    pub snd_cwnd: Option<u32>,
    /// Slow start threshold in packets; none where there is no such limit yet.
    pub snd_ssthresh: Option<u32>,
    /// Smoothed round trip time; none before the first measurement.
    #[serde(serialize_with = "seconds", rename = "srtt_seconds")]
    pub srtt: Option<Duration>,
    /// Its mean deviation.
    #[serde(serialize_with = "seconds", rename = "rttvar_seconds")]
    pub rttvar: Option<Duration>,
    /// Retransmission timeout.
    #[serde(serialize_with = "seconds", rename = "rto_seconds")]
    pub rto: Option<Duration>,
    /// Maximum segment size in bytes.
    pub mss: Option<u32>,
    /// Which timer runs.
    pub timer: Option<TcpTimer>,
    /// How long until it fires, 0 where it is due; none where none runs.
    #[serde(serialize_with = "seconds", rename = "timer_seconds")]
    pub timer_in: Option<Duration>,
    /// Retransmissions in a row.
    pub retransmits: Option<u32>,
    /// Retransmissions since the connection began.
    pub total_retransmits: Option<u32>,
    /// How often the timeout was doubled.
    pub backoff: Option<u32>,
    /// Window probes that were not answered.
    pub probes: Option<u32>,
    /// How long ago the last acknowledgement came, which every packet but the first is
    /// (`tcp_sock.rcv_tstamp`).
    #[serde(serialize_with = "seconds", rename = "last_ack_seconds")]
    pub last_ack: Option<Duration>,
}

/// Which of a connection's timers runs (`icsk_pending`, include/net/inet_connection_sock.h).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TcpTimer {
    /// None of these.
    None,
    /// To send again what was not acknowledged.
    Retransmit,
    /// To acknowledge.
    DelayedAck,
    /// To ask whether a window of 0 has opened.
    Probe,
    /// To send the last packet once more, so that a loss shows.
    LossProbe,
    /// To give reordered packets their time.
    Reorder,
}

impl TcpTimer {
    /// From `icsk_pending`.
    pub fn from_kernel(pending: u32) -> Option<Self> {
        Some(match pending {
            0 => Self::None,
            1 => Self::Retransmit,
            2 => Self::DelayedAck,
            3 => Self::Probe,
            5 => Self::LossProbe,
            6 => Self::Reorder,
            _ => return None,
        })
    }

    /// In words.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Retransmit => "retransmit",
            Self::DelayedAck => "delayed ack",
            Self::Probe => "window probe",
            Self::LossProbe => "loss probe",
            Self::Reorder => "reordering",
        }
    }
}

fn seconds<S: Serializer>(time: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    time.map(|time| time.as_secs_f64()).serialize(serializer)
}
