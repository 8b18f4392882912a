//! Reads queues with `packets` and `dump`, and compares them with what the workload knows.

use serde_json::Value;

use super::command::{Run, crib_top};

/// Bytes of each message that are asked for where all of them are wanted.
pub const ALL: &str = "1M";

/// Runs `packets -J` on one descriptor with more arguments.
pub fn run_packets(pid: u32, fd: u64, more: &[&str]) -> Run {
    let (pid, fd) = (pid.to_string(), fd.to_string());
    let arguments = ["packets", "-p", &pid, "--fd", &fd, "-J", "--source", "bpf"];
    crib_top(arguments.iter().chain(more))
}

/// The document of `packets -J` for one descriptor, with all bytes.
#[track_caller]
pub fn packets(pid: u32, fd: u64) -> Value {
    let document = run_packets(pid, fd, &["--payload", ALL]).expect_code(0).json();
    assert_eq!(document["schema"], 1);
    assert_eq!(document["source"], "bpf");
    assert_eq!(document["pid"], pid);
    assert_eq!(document["fd"], fd);
    document
}

/// The document of `dump -J`, with all bytes.
#[track_caller]
pub fn dump(pid: u32) -> Value {
    let pid = pid.to_string();
    let arguments = ["dump", "-p", &pid, "-J", "--source", "bpf", "--payload", ALL];
    let document = crib_top(arguments).expect_code(0).json();
    assert_eq!(document["schema"], 1);
    assert_eq!(document["source"], "bpf");
    document
}

/// The queues of a file in a dump, or in flight: those of its socket or its pipe.
pub fn of_file(file: &Value) -> &Value {
    let socket = &file["socket"]["queues"];
    if socket.is_null() { &file["pipe"]["queues"] } else { socket }
}

/// The packets of one queue; none where it is left out.
pub fn packets_of<'a>(queues: &'a Value, name: &str) -> &'a [Value] {
    let queues = queues.as_array().map_or(&[][..], Vec::as_slice);
    let queue = queues.iter().find(|queue| queue["name"] == name);
    queue.and_then(|queue| queue["packets"].as_array()).map_or(&[], Vec::as_slice)
}

/// A packet's bytes.
pub fn payload(packet: &Value) -> Vec<u8> {
    unhex(packet["payload"].as_str().unwrap_or_else(|| panic!("no payload in {packet}")))
}

/// The bytes of a queue's packets behind one another, as hex.
pub fn concatenated(packets: &[Value]) -> String {
    packets.iter().filter_map(|packet| packet["payload"].as_str()).collect()
}

/// From lower-case hex.
pub fn unhex(text: &str) -> Vec<u8> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => byte - b'0',
        b'a'..=b'f' => byte - b'a' + 10,
        _ => panic!("{:?} is no lower-case hex digit", char::from(byte)),
    };
    assert!(text.len().is_multiple_of(2), "half a byte in {text:?}");
    text.as_bytes().chunks(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
}

const NAMES: [&str; 9] = [
    "receive",
    "reader",
    "write",
    "retransmit",
    "out_of_order",
    "error",
    "backlog",
    "accept",
    "pipe",
];

/// Everything in which a list of queues contradicts what the workload knows of them, or itself.
pub fn differences(queues: &Value, told: &Value) -> Vec<String> {
    let mut found = Vec::new();
    compare_queues(queues, told, "", &mut found);
    found
}

fn compare_queues(queues: &Value, told: &Value, path: &str, found: &mut Vec<String>) {
    let Some(list) = queues.as_array() else {
        return found.push(format!("{path}queues is {queues}"));
    };
    let mut names: Vec<&str> = list.iter().filter_map(|queue| queue["name"].as_str()).collect();
    for name in names.iter().filter(|name| !NAMES.contains(name)) {
        found.push(format!("{path}{name:?} is no queue's name"));
    }
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    if names.len() != count || count != list.len() {
        found.push(format!("{path}queues have names {names:?}, there are {}", list.len()));
    }
    for queue in list {
        sums(queue, path, found);
    }
    let outgoing = &told["outgoing"];
    for name in NAMES {
        let packets = packets_of(queues, name);
        let at = format!("{path}{name}");
        if !outgoing.is_null() && matches!(name, "retransmit" | "write") {
            continue;
        }
        match &told[name] {
            Value::Null if packets.is_empty() => {}
            Value::Null => found.push(format!("{at}: {} packets, none is due", packets.len())),
            told => compare_packets(packets, told, &at, found),
        }
    }
    if !outgoing.is_null() {
        let both = [packets_of(queues, "retransmit"), packets_of(queues, "write")].concat();
        compare_packets(&both, outgoing, &format!("{path}retransmit and write"), found);
    }
    for name in told["holds"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if packets_of(queues, name).is_empty() {
            found.push(format!("{path}{name} is empty"));
        }
    }
}

/// What a queue says of all its packets has to be what they say of themselves.
fn sums(queue: &Value, path: &str, found: &mut Vec<String>) {
    let at = format!("{path}{}", queue["name"].as_str().unwrap_or("?"));
    if queue["torn"] != false || queue["complete"] != true {
        found.push(format!("{at}: torn is {}, complete is {}", queue["torn"], queue["complete"]));
    }
    let Some(packets) = queue["packets"].as_array() else {
        return found.push(format!("{at}: packets is {}", queue["packets"]));
    };
    if queue["messages"] != packets.len() {
        found.push(format!("{at}: messages is {}, there are {}", queue["messages"], packets.len()));
    }
    let sum = |field: &str| packets.iter().filter_map(|packet| packet[field].as_u64()).sum::<u64>();
    // Connections that wait have no bytes, and a pipe's buffers no memory that is known.
    if queue["name"] != "accept" && queue["payload"] != sum("len") {
        found.push(format!("{at}: payload is {}, the sum is {}", queue["payload"], sum("len")));
    }
    let memory_known = packets.iter().all(|packet| packet["truesize"].is_u64());
    if memory_known && queue["name"] != "accept" && queue["memory"] != sum("truesize") {
        found.push(format!("{at}: memory is {}, not {}", queue["memory"], sum("truesize")));
    }
    for (index, packet) in packets.iter().enumerate() {
        if packet["index"] != index {
            found.push(format!("{at}[{index}]: index is {}", packet["index"]));
        }
        let bytes = packet["payload"].as_str().map(|hex| hex.len() as u64 / 2);
        if bytes != packet["captured"].as_u64().zip(packet["unreadable"].as_u64()).map(|(c, u)| c + u)
            // An `unreadable` part may be left out at the end, or stand as zeroes.
            && bytes != packet["captured"].as_u64()
        {
            found.push(format!("{at}[{index}]: payload of {bytes:?} bytes, {packet:.200}"));
        }
    }
}

fn compare_packets(packets: &[Value], told: &Value, at: &str, found: &mut Vec<String>) {
    let len = concatenated(packets).len();
    // Of bytes whose border moves, as many as there are.
    if let Some(whole) = told["begins"].as_str() {
        return compare_stream(packets, &whole[..len.min(whole.len())], at, found);
    }
    if let Some(whole) = told["rest_of"].as_str() {
        return compare_stream(packets, &whole[whole.len().saturating_sub(len)..], at, found);
    }
    if let Some(stream) = told["stream"].as_str() {
        return compare_stream(packets, stream, at, found);
    }
    if let Some(count) = told["numbered"].as_u64() {
        return compare_numbered(packets, count, told["size"].as_u64().unwrap_or(0), at, found);
    }
    let ends = told["ends"].as_array();
    let Some(all) = ends.or_else(|| told.as_array()) else { panic!("{at}: told {told}") };
    if packets.len() != all.len() {
        found.push(format!("{at}: {} packets, {} are due", packets.len(), all.len()));
    }
    for (index, (packet, told)) in packets.iter().zip(all).enumerate() {
        let at = format!("{at}[{index}]");
        if ends.is_some() {
            let (is, due) = (packet["payload"].as_str(), told.as_str().expect("hex"));
            if !is.is_some_and(|payload| payload.ends_with(due)) || packet["unreadable"] != 0 {
                found.push(format!("{at}: {} doesn't end with {due}", brief(packet)));
            }
            continue;
        }
        compare_fields(packet, told, &at, found);
    }
}

fn compare_stream(packets: &[Value], stream: &str, at: &str, found: &mut Vec<String>) {
    let is = concatenated(packets);
    if is != stream {
        let same = is.bytes().zip(stream.bytes()).take_while(|(a, b)| a == b).count() / 2;
        found.push(format!(
            "{at}: {} bytes in {} packets, {} are due; they differ from {same} on",
            is.len() / 2,
            packets.len(),
            stream.len() / 2,
        ));
    }
    for packet in packets {
        let whole = packet["captured"] == packet["len"] && packet["unreadable"] == 0;
        if !whole || packet["torn"] != false {
            found.push(format!("{at}: not whole: {}", brief(packet)));
        }
    }
    // TCP's sequence numbers go on from packet to packet, the bytes that were read counted.
    for pair in packets.windows(2) {
        let number = |packet: &Value, field: &str| packet[field].as_u64();
        let (Some(seq), Some(next)) = (number(&pair[0], "seq"), number(&pair[1], "seq")) else {
            continue;
        };
        let len = number(&pair[0], "len").unwrap_or(0) + number(&pair[0], "consumed").unwrap_or(0);
        if (seq + len) & 0xffff_ffff != next {
            found.push(format!("{at}: seq {seq} and {len} bytes, then seq {next}"));
        }
    }
}

fn compare_numbered(packets: &[Value], count: u64, size: u64, at: &str, found: &mut Vec<String>) {
    if packets.len() as u64 != count {
        found.push(format!("{at}: {} packets, {count} are due", packets.len()));
    }
    for (number, packet) in packets.iter().enumerate() {
        let mut bytes = vec![0; size as usize];
        bytes[..4].copy_from_slice(&(number as u32).to_le_bytes());
        if packet["torn"] != false || packet["len"] != size || payload(packet) != bytes {
            return found.push(format!("{at}[{number}]: {}", brief(packet)));
        }
    }
}

/// Compares what is told of a packet or of a file in flight.
fn compare_fields(actual: &Value, told: &Value, at: &str, found: &mut Vec<String>) {
    for (field, told) in told.as_object().expect("an object is told") {
        let actual = &actual[field];
        let below = format!("{at}.{field}");
        match (field.as_str(), told) {
            ("queues", _) => compare_queues(actual, told, &format!("{below}."), found),
            ("files", Value::Array(told)) => {
                let files = actual.as_array().map_or(&[][..], Vec::as_slice);
                if files.len() != told.len() {
                    found.push(format!("{below}: {} files, not {}", files.len(), told.len()));
                }
                for (index, (file, told)) in files.iter().zip(told).enumerate() {
                    compare_fields(file, told, &format!("{below}[{index}]"), found);
                }
            }
            // The way down ends where the dump says that there is more.
            ("socket", _) if actual["deeper"] == true => {
                if !actual["queues"].is_null() {
                    found.push(format!("{below}: deeper, and yet there are queues"));
                }
            }
            (_, Value::Object(_)) => compare_fields(actual, told, &below, found),
            _ if actual == told => {}
            _ => found.push(format!("{below} is {}, not {}", brief(actual), brief(told))),
        }
    }
}

/// A document's beginning.
pub fn brief(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(240) {
        Some((end, _)) => format!("{}... ({} characters)", &text[..end], text.len()),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn two_packets() -> (Value, Value) {
        let packet = |index: u32, payload: &str| {
            json!({ "index": index, "len": 2, "captured": 2, "unreadable": 0, "torn": false,
                    "truesize": 768, "payload": payload, "from": "@x", "files": [] })
        };
        let queues = json!([
            { "name": "receive", "messages": 2, "payload": 4, "memory": 1536, "torn": false,
              "complete": true, "packets": [packet(0, "6162"), packet(1, "6364")] },
            { "name": "write", "messages": 0, "payload": 0, "memory": 0, "torn": false,
              "complete": true, "packets": [] },
        ]);
        let told = json!({ "receive": [{ "payload": "6162", "from": "@x" }, { "len": 2 }] });
        (queues, told)
    }

    #[test]
    fn what_is_as_told_has_no_differences() {
        let (queues, told) = two_packets();
        assert_eq!(differences(&queues, &told), Vec::<String>::new());
        assert_eq!(differences(&queues, &json!({ "receive": { "stream": "61626364" } })).len(), 0);
    }

    #[test]
    fn what_is_not_as_told_is_found() {
        let (good, told) = two_packets();
        for (pointer, value) in [
            ("/0/packets/0/payload", json!("6163")),
            ("/0/packets/0/from", json!("@y")),
            ("/0/packets/1/index", json!(0)),
            ("/0/messages", json!(3)),
            ("/0/payload", json!(5)),
            ("/0/memory", json!(768)),
            ("/0/torn", json!(true)),
            ("/0/complete", json!(false)),
            ("/0/name", json!("reader")),
            ("/1/name", json!("receive")),
            ("/1/name", json!("else")),
            ("/1/packets", good[0]["packets"].clone()),
        ] {
            let mut bad = good.clone();
            *bad.pointer_mut(pointer).expect("it is there") = value;
            assert!(!differences(&bad, &told).is_empty(), "{pointer} was not looked at");
        }
        for told in [
            json!({ "receive": [{}] }),
            json!({ "receive": { "stream": "616263" } }),
            json!({ "receive": told["receive"], "holds": ["write"] }),
            json!({ "receive": told["receive"], "error": [{}] }),
            json!({ "receive": { "ends": ["62", "63"] } }),
            json!({}),
        ] {
            assert!(!differences(&good, &told).is_empty(), "{told} was not looked at");
        }
    }
}
