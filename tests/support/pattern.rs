//! Bytes that tell by themselves whether they are whole and in their place. Shared with the
//! workload, which sends them.

/// A number's hash: the finalizer of splitmix64.
fn mix(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

/// The message with this number: the number itself, then words that follow from it. Its length
/// follows from it too, and is at least sixteen.
pub fn message(number: u64) -> Vec<u8> {
    message_of(number, 16 + (mix(number) % 1500) as usize)
}

/// A message with this number and a length that was agreed on otherwise.
pub fn message_of(number: u64, len: usize) -> Vec<u8> {
    let words = (1..).map(|at: u64| mix(number.wrapping_mul(0x9e37_79b9).wrapping_add(at)));
    let words = std::iter::once(number).chain(words);
    words.flat_map(u64::to_le_bytes).take(len).collect()
}

/// The number of a whole message.
///
/// # Errors
/// What is wrong with it.
pub fn message_number(bytes: &[u8]) -> Result<u64, String> {
    let first = bytes.first_chunk().ok_or_else(|| format!("{} bytes only", bytes.len()))?;
    let number = u64::from_le_bytes(*first);
    let whole = message(number);
    if bytes == whole {
        return Ok(number);
    }
    let same = bytes.iter().zip(&whole).take_while(|(a, b)| a == b).count();
    Err(format!(
        "begins as message {number} of {} bytes, has {} bytes and differs from {same} on",
        whole.len(),
        bytes.len()
    ))
}

/// The bytes of the endless stream from this position on: words, each of which holds its own
/// number in its lower half and a hash of that in its upper one.
pub fn stream(position: u64, len: usize) -> Vec<u8> {
    let words = (position / 8..).map(stream_word);
    words.flat_map(u64::to_le_bytes).skip((position % 8) as usize).take(len).collect()
}

fn stream_word(number: u64) -> u64 {
    (number & 0xffff_ffff) | (mix(number) & !0xffff_ffff)
}

/// A piece shorter than this may hold no whole word, and tells nothing of its place.
pub const SHORTEST_PIECE: usize = 15;

/// Where in the stream these bytes stand.
///
/// # Errors
/// Why they are no piece of it.
pub fn stream_position(bytes: &[u8]) -> Result<u64, String> {
    if bytes.len() < SHORTEST_PIECE {
        return Err(format!("{} bytes only", bytes.len()));
    }
    for skipped in 0..8 {
        let Some(word) = bytes[skipped..].first_chunk() else { break };
        let number = u64::from_le_bytes(*word) & 0xffff_ffff;
        if stream_word(number).to_le_bytes() != *word {
            continue;
        }
        let Some(position) = (number * 8).checked_sub(skipped as u64) else { continue };
        let whole = stream(position, bytes.len());
        let same = bytes.iter().zip(&whole).take_while(|(a, b)| a == b).count();
        if same == bytes.len() {
            return Ok(position);
        }
        return Err(format!(
            "begins as the stream at {position}, has {} bytes and differs from {same} on",
            bytes.len()
        ));
    }
    Err(format!("{} bytes that are nowhere in the stream", bytes.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_mixed_is_no_message() {
        let (one, other) = (message(17), message(18));
        assert_eq!(message_number(&one), Ok(17));
        assert!(message_number(&one[..one.len() - 1]).is_err());
        let mixed = [&one[..12], other.get(12..).unwrap_or_default()].concat();
        assert!(message_number(&mixed).is_err());
    }

    #[test]
    fn a_piece_of_the_stream_tells_its_place() {
        for position in [0, 1, 7, 8, 12_345_671] {
            for len in [SHORTEST_PIECE, 100] {
                assert_eq!(stream_position(&stream(position, len)), Ok(position));
            }
        }
        let mut piece = stream(1003, 100);
        piece[60] ^= 1;
        assert!(stream_position(&piece).is_err());
        assert!(stream_position(&[0x55; 100]).is_err());
    }
}
