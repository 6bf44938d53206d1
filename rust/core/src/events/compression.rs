//! The compressions of AER-DAT 4: LZ4 and Zstandard frames, through the feature `compression`.

use super::Error;
use alloc::borrow::Cow;
#[cfg(not(feature = "compression"))]
use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;

/// How the packets of AER-DAT 4 are compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Compression {
    /// Not at all.
    #[default]
    None,
    /// LZ4 frames.
    Lz4,
    /// Zstandard frames.
    Zstd,
}

/// The most that a packet is when it is unpacked.
#[cfg(feature = "compression")]
const PACKET: u64 = 64 << 20;

impl Compression {
    /// The compression of that name: `none`, `lz4` or `zstd`.
    ///
    /// # Errors
    /// [`Error::UnknownName`] if there is none.
    pub fn named(name: &str) -> Result<Self, Error> {
        let all = [
            ("none", Self::None),
            ("lz4", Self::Lz4),
            ("zstd", Self::Zstd),
        ];
        super::names::named("compression", name, &all)
    }

    /// The compression that a header means by a number; two of them differ in effort only.
    pub(super) fn of_number(number: u8) -> Option<Self> {
        match number {
            0 => Some(Self::None),
            1 | 2 => Some(Self::Lz4),
            3 | 4 => Some(Self::Zstd),
            _ => None,
        }
    }

    /// The number by which a header means it.
    pub(super) fn number(self) -> u8 {
        match self {
            Self::None => 0,
            Self::Lz4 => 1,
            Self::Zstd => 3,
        }
    }

    /// Refuses what was not compiled.
    pub(super) fn check(self) -> Result<(), Error> {
        if self == Self::None || cfg!(feature = "compression") {
            return Ok(());
        }
        Err(Error::Unsupported {
            what: String::from("compressed AER-DAT 4, without the feature `compression`,"),
        })
    }

    /// The content of a packet, or what is wrong with it.
    #[cfg(feature = "compression")]
    pub(super) fn unpack(self, packed: &[u8]) -> Result<Cow<'_, [u8]>, String> {
        use alloc::string::ToString;
        use std::io::Read;

        let mut unpacked = Vec::new();
        let read = match self {
            Self::None => return Ok(packed.into()),
            Self::Lz4 => {
                let decoder = lz4_flex::frame::FrameDecoder::new(packed);
                decoder.take(PACKET + 1).read_to_end(&mut unpacked)
            }
            Self::Zstd => {
                let decoder = ruzstd::decoding::StreamingDecoder::new(packed);
                let decoder = decoder.map_err(|error| error.to_string())?;
                decoder.take(PACKET + 1).read_to_end(&mut unpacked)
            }
        };
        read.map_err(|error| error.to_string())?;
        if unpacked.len() as u64 > PACKET {
            return Err(alloc::format!(
                "it is larger than {PACKET} bytes when it is unpacked"
            ));
        }
        Ok(unpacked.into())
    }

    /// The content of a packet, or what is wrong with it.
    #[cfg(not(feature = "compression"))]
    pub(super) fn unpack(self, packed: &[u8]) -> Result<Cow<'_, [u8]>, String> {
        match self {
            Self::None => Ok(packed.into()),
            Self::Lz4 | Self::Zstd => Err("it is compressed".to_owned()),
        }
    }

    /// A packet of this content.
    #[cfg(feature = "compression")]
    pub(super) fn pack(self, content: Vec<u8>) -> Vec<u8> {
        use ruzstd::encoding::{CompressionLevel, compress_to_vec};
        use std::io::Write;

        match self {
            Self::None => content,
            Self::Lz4 => {
                let mut encoder = lz4_flex::frame::FrameEncoder::new(Vec::new());
                let written = encoder.write_all(&content);
                written
                    .and_then(|()| Ok(encoder.finish()?))
                    .expect("a vector takes everything")
            }
            Self::Zstd => compress_to_vec(&content[..], CompressionLevel::Fastest),
        }
    }

    /// A packet of this content.
    #[cfg(not(feature = "compression"))]
    pub(super) fn pack(self, content: Vec<u8>) -> Vec<u8> {
        content
    }
}
