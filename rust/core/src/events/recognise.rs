//! How a format is recognised by the first bytes of a file, or by its name.

use super::header::{self, Mark};
use super::names::named;
use super::{Error, Format};
use alloc::borrow::ToOwned;
use alloc::format;

impl Format {
    /// The format of that name.
    ///
    /// # Errors
    /// [`Error::UnknownName`] if there is none.
    pub fn named(name: &str) -> Result<Self, Error> {
        named(
            "format",
            name,
            &Self::ALL.map(|format| (format.name(), format)),
        )
    }

    /// The format of a file that begins with these bytes; `None` if more of them are needed.
    ///
    /// # Errors
    /// [`Error::Unrecognised`] if it is none of those that begin with a header;
    /// [`Error::Unsupported`] if it is a version that is not read here.
    ///
    /// ```
    /// use bitspike::events::Format;
    /// assert_eq!(Format::of(b"#!AER-DAT4.0\r\n"), Ok(Some(Format::Aedat4)));
    /// assert!(Format::of(&[3, 4, 5, 6, 7]).is_err());
    /// ```
    pub fn of(bytes: &[u8]) -> Result<Option<Self>, Error> {
        const AEDAT: &[u8] = b"#!AER-DAT";
        match bytes {
            [] => Ok(None),
            [b'#', ..] => {
                let Some(version) = bytes.strip_prefix(AEDAT) else {
                    return match AEDAT.starts_with(bytes) {
                        true => Ok(None),
                        false => Err(Error::Unrecognised),
                    };
                };
                let Some(version) = version.first_chunk::<3>() else {
                    return Ok(None);
                };
                match version {
                    b"2.0" => Ok(Some(Self::Aedat2)),
                    b"3.1" => Ok(Some(Self::Aedat31)),
                    b"4.0" => Ok(Some(Self::Aedat4)),
                    _ => Err(Error::Unsupported {
                        what: format!("AER-DAT {}", version.escape_ascii()),
                    }),
                }
            }
            [b'%', ..] => Self::of_prophesee(bytes),
            _ => Err(Error::Unrecognised),
        }
    }

    fn of_prophesee(bytes: &[u8]) -> Result<Option<Self>, Error> {
        let lines = header::lines(Mark::Percent, bytes, false);
        let named = lines.texts.iter().find_map(|line| {
            let line = line.to_ascii_lowercase();
            let (key, value) = line.split_once(char::is_whitespace)?;
            let value = value.trim().split(';').next()?;
            matches!(key, "evt" | "format").then(|| value.trim_start_matches("evt").to_owned())
        });
        match named.as_deref() {
            Some("2" | "2.0") => Ok(Some(Self::Evt2)),
            Some("21" | "2.1") => Ok(Some(Self::Evt21)),
            Some("3" | "3.0") => Ok(Some(Self::Evt3)),
            Some(version) => Err(Error::Unsupported {
                what: format!("EVT {}", version.escape_debug()),
            }),
            None if !lines.is_complete => Ok(None),
            None if lines.texts.is_empty() => Err(Error::Unrecognised),
            None => Ok(Some(Self::Dat)),
        }
    }
}
