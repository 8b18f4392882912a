//! Netlink messages and their attributes (netlink(7), include/uapi/linux/netlink.h).

const HEADER_BYTES: usize = 16;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
/// NLA_F_NESTED and NLA_F_NET_BYTEORDER are no part of an attribute's type.
const ATTRIBUTE_TYPE: u16 = 0x3fff;

/// A number in the machine's byte order.
pub fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?))
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(bytes.get(at..at.checked_add(2)?)?.try_into().ok()?))
}

/// The messages of one datagram: type and body of each, until one that ends the answer.
#[derive(Debug)]
pub struct Messages<'a> {
    rest: &'a [u8],
    ended: bool,
}

impl<'a> Messages<'a> {
    /// The messages in what was received.
    pub fn new(datagram: &'a [u8]) -> Self {
        Self { rest: datagram, ended: false }
    }

    /// A message to send, sequence number and port id left to 0.
    pub fn request(kind: u16, flags: u16, body: &[u8]) -> Vec<u8> {
        let len = (HEADER_BYTES + body.len()) as u32;
        let mut message = len.to_ne_bytes().to_vec();
        message.extend(kind.to_ne_bytes());
        message.extend(flags.to_ne_bytes());
        message.extend([0; 8]);
        message.extend(body);
        message
    }

    /// Whether the answer is over: done, failed, or not understood.
    pub fn ended(&self) -> bool {
        self.ended
    }
}

impl<'a> Iterator for Messages<'a> {
    type Item = (u16, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() || self.ended {
            return None;
        }
        let message = || {
            let len = u32_at(self.rest, 0)? as usize;
            Some((u16_at(self.rest, 4)?, self.rest.get(HEADER_BYTES..len)?, len))
        };
        match message() {
            Some((kind, body, len)) if !matches!(kind, NLMSG_ERROR | NLMSG_DONE) => {
                self.rest = self.rest.get(len.next_multiple_of(4)..).unwrap_or_default();
                Some((kind, body))
            }
            _ => {
                self.ended = true;
                None
            }
        }
    }
}

/// The attributes behind a message's fixed part: type and value of each.
#[derive(Debug)]
pub struct Attributes<'a> {
    rest: &'a [u8],
}

impl<'a> Attributes<'a> {
    /// The attributes in these bytes; what is cut is left out.
    pub fn new(rest: &'a [u8]) -> Self {
        Self { rest }
    }
}

impl<'a> Iterator for Attributes<'a> {
    type Item = (u16, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let len = usize::from(u16_at(self.rest, 0)?);
        let kind = u16_at(self.rest, 2)? & ATTRIBUTE_TYPE;
        let value = self.rest.get(4..len)?;
        self.rest = self.rest.get(len.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn messages_follow_each_other_until_the_last() {
        let mut datagram = Messages::request(20, 2, b"abcde");
        datagram.resize(datagram.len().next_multiple_of(4), 0);
        datagram.extend(Messages::request(20, 2, b""));
        let mut messages = Messages::new(&datagram);
        assert_eq!(messages.by_ref().collect::<Vec<_>>(), [(20, &b"abcde"[..]), (20, b"")]);
        assert!(!messages.ended());
        datagram.extend(Messages::request(NLMSG_DONE, 2, &[0; 4]));
        let mut messages = Messages::new(&datagram);
        assert_eq!(messages.by_ref().count(), 2);
        assert!(messages.ended());
    }

    #[test]
    fn attributes_are_padded_and_cut_ones_left_out() {
        let bytes = [5, 0, 1, 0, b'x', 0, 0, 0, 4, 0, 2, 0x80, 9, 0, 3, 0, b'y'].map(|b| b);
        if cfg!(target_endian = "little") {
            let attributes: Vec<_> = Attributes::new(&bytes).collect();
            assert_eq!(attributes, [(1, &b"x"[..]), (2, b"")]);
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic_or_go_on_for_ever(bytes: Vec<u8>) {
            prop_assert!(Messages::new(&bytes).count() <= bytes.len());
            prop_assert!(Attributes::new(&bytes).count() <= bytes.len());
        }
    }
}
