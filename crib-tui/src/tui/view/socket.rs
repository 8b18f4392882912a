//! What there is to say about a socket: its queues, its addresses, and what TCP knows.

use super::cells;
use super::lines::{Lines, amount, short};
use crate::model::{Family, Queue, Queued, Socket, Tcp, TcpTimer, count};
use crate::tui::app::screens::{Link, QueueScreen};
use crate::tui::format::bytes;

/// The queues, one below the other so that their numbers can be compared.
pub fn queues(lines: &mut Lines, queues: &[Queue]) {
    lines.heading(queue_row("QUEUE", "MESSAGES", "PAYLOAD", "MEMORY", ""));
    for queue in queues {
        let number = |number: Option<u64>| number.map_or("-".into(), |number| number.to_string());
        let text = queue_row(
            queue.name.name(),
            // One column to the left of its heading: so it is seen on the narrowest screens.
            &(number(queue.messages) + " "),
            &number(queue.payload),
            &number(queue.memory),
            mark(queue),
        );
        lines.link(Link::Queue(queue.name), text);
    }
}

fn queue_row(name: &str, messages: &str, payload: &str, memory: &str, mark: &str) -> String {
    format!("{name:<12}{messages:>8} {payload:>12} {memory:>12}  {mark}").trim_end().to_owned()
}

/// What is not as it should be. That a long queue was not read to its end is.
fn mark(queue: &Queue) -> &'static str {
    // A length of memory, which no u64 of packets exceeds.
    let read = queue.packets.len() as u64;
    let asked = u64::from(QueueScreen::WINDOW);
    match queue {
        Queue { torn: true, .. } => "torn: changed while read",
        Queue { complete: false, messages, .. }
            if messages.is_none_or(|messages| read < messages.min(asked)) =>
        {
            "incomplete"
        }
        _ => "",
    }
}

/// What a socket is, whom it talks to, and what it was set to.
pub fn describe(lines: &mut Lines, socket: &Socket) {
    lines.section("Socket");
    lines.field("family", socket.family.map(|family| family.name().into_owned()));
    lines.field("type", socket.kind.map(|kind| kind.name().into_owned()));
    lines.field("protocol", socket.protocol.map(|protocol| protocol.name().into_owned()));
    lines.field("state", socket.state.map(|state| state.name().into_owned()));
    lines.text("local", socket.local.as_ref());
    lines.text("remote", socket.remote.as_ref());
    let peer = Some(cells::peer(socket)).filter(|peer| !peer.is_empty());
    lines.field("peer", peer.or_else(|| socket.other_end.map(|end| end.name().to_owned())));
    direction(lines, "receive queue", socket.recv);
    direction(lines, "send queue", socket.send);
    if let Some(accept) = socket.accept {
        let waiting = format!("{} of at most {} connections wait", accept.pending, accept.max);
        lines.field("accept queue", waiting);
    }
    let buffer = |size: Option<u32>| size.map(|size| amount(size.into()));
    lines.field("receive buffer", buffer(socket.rcvbuf));
    lines.field("send buffer", buffer(socket.sndbuf));
    lines.number("drops", socket.drops);
    lines.field("error", socket.error.map(errno));
    lines.field("shut down", socket.shutdown.map(|side| side.name().to_owned()));
    if matches!(socket.family, None | Some(Family::UNIX)) {
        lines.number("files in flight", socket.inflight_files);
    }
    lines.number("net namespace", socket.netns);
}

/// Messages, bytes and memory of one direction.
fn direction(lines: &mut Lines, label: &'static str, queued: Option<Queued>) {
    let Some(queued) = queued else { return lines.field(label, None) };
    let parts = [
        queued.messages.map(|messages| count(messages, "message")),
        queued.payload.map(|payload| count(payload, "byte")),
        queued.memory.map(|memory| format!("{} of memory", bytes(memory))),
    ];
    let parts: Vec<_> = parts.into_iter().flatten().collect();
    lines.field(label, (!parts.is_empty()).then(|| parts.join(", ")));
}

/// What TCP knows of the connection.
pub fn tcp(lines: &mut Lines, tcp: &Tcp) {
    lines.section("TCP");
    let unacknowledged = tcp.snd_una.zip(tcp.snd_nxt).map(|(una, nxt)| {
        // Sequence numbers go round at 2^32.
        format!("{una} to {nxt} ({} not acknowledged)", count(nxt.wrapping_sub(una).into(), "byte"))
    });
    lines.field("sent", unacknowledged);
    lines.number("next expected", tcp.rcv_nxt);
    let window = |window: Option<u32>| window.map(|window| amount(window.into()));
    lines.field("send window", window(tcp.snd_wnd));
    lines.field("receive window", window(tcp.rcv_wnd));
    lines.field(
        "congestion",
        tcp.snd_cwnd.map(|packets| {
            let threshold = tcp.snd_ssthresh.map_or("none".into(), |limit| limit.to_string());
            format!("{}, slow start threshold {threshold}", count(packets.into(), "packet"))
        }),
    );
    lines.number("segment size", tcp.mss);
    lines.field(
        "round trip",
        tcp.srtt.map(|time| match tcp.rttvar {
            Some(deviation) => format!("{}, deviation {}", short(time), short(deviation)),
            None => short(time),
        }),
    );
    lines.field("timer", timer(tcp));
    lines.field("retransmit after", tcp.rto.map(short));
    lines.field("retransmissions", retransmissions(tcp));
    lines.number("window probes", tcp.probes);
}

fn timer(tcp: &Tcp) -> Option<String> {
    let timer = tcp.timer?;
    Some(match tcp.timer_in {
        Some(left) if timer != TcpTimer::None => format!("{} in {}", timer.name(), short(left)),
        _ => timer.name().to_owned(),
    })
}

fn retransmissions(tcp: &Tcp) -> Option<String> {
    let parts = [
        tcp.total_retransmits.map(|all| format!("{all} in all")),
        tcp.retransmits.map(|row| format!("{row} in a row")),
        tcp.backoff.map(|times| format!("timeout doubled {times} times")),
    ];
    let parts: Vec<_> = parts.into_iter().flatten().collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

/// `104 (Connection reset by peer)`.
fn errno(number: u32) -> String {
    match i32::try_from(number) {
        Ok(0) | Err(_) => number.to_string(),
        Ok(code) => {
            let text = std::io::Error::from_raw_os_error(code).to_string();
            let reason = text.split(" (os error").next().unwrap_or(&text);
            format!("{number} ({reason})")
        }
    }
}
