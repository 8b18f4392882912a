//! What `crib-top packets` is to show, and as what.

use std::path::{Path, PathBuf};

use super::{Environment, Format, Print, SettingsError, Target};
use crate::cli::PacketsArgs;
use crate::model::{Dump, QueueName};

/// Which packets of which file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packets {
    /// The file's descriptor.
    pub fd: u32,
    /// The only queue to show; all where there is none.
    pub queue: Option<QueueName>,
    /// Bytes of each packet at most.
    pub payload: u32,
}

impl Packets {
    /// The request for them.
    pub fn request(&self, pid: u32) -> Dump {
        let queues = self.queue.map_or_else(|| QueueName::ALL.into(), |queue| vec![queue]);
        Dump { queues, payload: self.payload, ..Dump::file(pid, self.fd) }
    }
}

/// As what packets are printed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PacketsOutput {
    /// Aligned text for people.
    Text {
        /// With a hex dump of each packet.
        hex: bool,
        /// Whether a table has headings.
        headings: bool,
    },
    /// One JSON document.
    Json,
    /// One JSON object a packet.
    JsonLines,
    /// A capture file.
    Pcap(PcapTarget),
}

/// Where a capture file goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PcapTarget {
    /// Standard output.
    Stdout,
    /// A file.
    File(PathBuf),
}

/// What to print, from the flags of `packets`, its payload and whether tables have headings.
pub(super) fn print(
    args: &PacketsArgs,
    targets: Vec<Target>,
    format: Format,
    environment: Environment,
    (payload, headings): (u32, bool),
) -> Result<Print, SettingsError> {
    let several = targets.len();
    let [target] =
        <[Target; 1]>::try_from(targets).map_err(|_| SettingsError::SeveralOwners(several))?;
    let fd = args.fd.as_deref().ok_or(SettingsError::NoFd)?;
    let fd = fd.parse().map_err(|_| SettingsError::Fd(fd.to_owned()))?;
    let queue = args.queue.as_deref().map(parse_queue).transpose()?;
    let output = output(args, format, environment, headings)?;
    Ok(Print::Packets { target, packets: Packets { fd, queue, payload }, output })
}

fn output(
    args: &PacketsArgs,
    format: Format,
    environment: Environment,
    headings: bool,
) -> Result<PacketsOutput, SettingsError> {
    let json = match format {
        Format::Table => None,
        Format::Json => Some(("-J", PacketsOutput::Json)),
        Format::JsonLines => Some(("-j", PacketsOutput::JsonLines)),
    };
    match (&args.pcap, json) {
        (Some(_), Some((flag, _))) => Err(SettingsError::Conflict("--pcap", flag)),
        (Some(_), None) if args.hex => Err(SettingsError::Conflict("--pcap", "--hex")),
        (Some(path), None) if path == Path::new("-") => {
            if environment.interactive {
                return Err(SettingsError::PcapTerminal);
            }
            Ok(PacketsOutput::Pcap(PcapTarget::Stdout))
        }
        (Some(path), None) => Ok(PacketsOutput::Pcap(PcapTarget::File(path.clone()))),
        // The documents have the bytes in hexadecimal as it is.
        (None, Some((flag, _))) if args.hex => Err(SettingsError::Conflict("--hex", flag)),
        (None, Some((_, output))) => Ok(output),
        (None, None) => Ok(PacketsOutput::Text { hex: args.hex, headings }),
    }
}

fn parse_queue(name: &str) -> Result<QueueName, SettingsError> {
    QueueName::from_name(name).ok_or_else(|| {
        let names: Vec<_> = QueueName::ALL.into_iter().map(QueueName::name).collect();
        SettingsError::Queue(name.to_owned(), names.join(", "))
    })
}
