//! Headers of text lines, as AER-DAT and Prophesee's formats have them.

use super::{Error, Format};
use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// The byte that each line of a header begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    Hash,
    Percent,
}

/// Longest line that is taken for text.
const LINE: usize = 4096;
/// Longest header.
const HEADER: usize = 1 << 20;

/// The lines of a header.
#[derive(Debug)]
pub(super) struct Lines {
    /// Without their marks and ends.
    pub(super) texts: Vec<String>,
    /// Bytes of the header so far.
    pub(super) length: usize,
    /// Whether its end was seen.
    pub(super) is_complete: bool,
    /// Whether the file ends within a line.
    is_cut: bool,
}

impl Mark {
    fn byte(self) -> u8 {
        match self {
            Self::Hash => b'#',
            Self::Percent => b'%',
        }
    }

    /// The line behind which a header certainly ends.
    fn last(self) -> &'static str {
        match self {
            Self::Hash => "!END-HEADER",
            Self::Percent => "end",
        }
    }
}

/// The lines at the front of a file.
///
/// A header ends behind its last line, if it says so, else in front of the first line that does not
/// begin with the mark. As a record may begin with it too, a line is one of text only if all of it is:
/// that a record is, up to a line end, is unlikely.
pub(super) fn lines(mark: Mark, bytes: &[u8], is_all: bool) -> Lines {
    let (mut texts, mut length) = (Vec::new(), 0);
    let mut rest = bytes;
    loop {
        let done = |texts, length, is_complete| Lines {
            texts,
            length,
            is_complete,
            is_cut: false,
        };
        match rest.first() {
            None => return done(texts, length, is_all),
            Some(&first) if first != mark.byte() => return done(texts, length, true),
            Some(_) => {}
        }
        let window = &rest[..rest.len().min(LINE)];
        let Some(end) = window.iter().position(|&byte| !is_text(byte)) else {
            // More of it may follow, unless it is too long for a line or nothing follows.
            let is_long = window.len() == LINE;
            return Lines {
                is_cut: is_all && !is_long,
                ..done(texts, length, is_all || is_long)
            };
        };
        if window[end] != b'\n' {
            return done(texts, length, true);
        }
        let text: String = window[1..end]
            .iter()
            .map(|&byte| char::from(byte))
            .collect();
        let text = text.trim().to_owned();
        length += end + 1;
        rest = &rest[end + 1..];
        let is_last = text == mark.last();
        texts.push(text);
        if is_last {
            return done(texts, length, true);
        }
    }
}

/// Whether a byte may stand in a line: any but control characters.
fn is_text(byte: u8) -> bool {
    !byte.is_ascii_control() || matches!(byte, b'\t' | b'\r')
}

/// The header of a format, or `None` if more bytes are needed.
pub(super) fn read(
    format: Format,
    mark: Mark,
    bytes: &[u8],
    is_all: bool,
) -> Result<Option<Lines>, Error> {
    let lines = lines(mark, bytes, is_all);
    let refused = |problem| Err(Error::Header { format, problem });
    if lines.is_cut {
        return refused("the file ends within a line".to_owned());
    }
    if !lines.is_complete && bytes.len() > HEADER {
        return refused(format!("it is longer than {HEADER} bytes"));
    }
    Ok(Some(lines).filter(|lines| lines.is_complete))
}

impl Lines {
    /// What stands behind one of these keys, in whatever case.
    pub(super) fn value(&self, keys: &[&str]) -> Option<&str> {
        self.texts.iter().find_map(|line| {
            keys.iter().find_map(|key| {
                let (front, value) = line.split_at_checked(key.len())?;
                front.eq_ignore_ascii_case(key).then(|| value.trim())
            })
        })
    }

    /// The size of the sensor in a header of Prophesee: `geometry WxH`, `Width W` and `Height H`, or
    /// `format …;height=H;width=W`.
    pub(super) fn size(&self) -> Option<(u16, u16)> {
        let number = |text: &str| text.trim().parse::<u16>().ok();
        let geometry = self.value(&["geometry "]).and_then(|text| {
            let (width, height) = text.split_once('x')?;
            Some((number(width)?, number(height)?))
        });
        let lines = || {
            let width = self.value(&["width "]).and_then(number)?;
            Some((width, self.value(&["height "]).and_then(number)?))
        };
        let field = |name| self.field(name).and_then(number);
        geometry
            .or_else(lines)
            .or_else(|| Some((field("width")?, field("height")?)))
    }

    /// A field of the line `format …;name=value`.
    pub(super) fn field(&self, name: &str) -> Option<&str> {
        let mut fields = self.value(&["format "])?.split(';').skip(1);
        fields.find_map(|field| {
            let (key, value) = field.split_once('=')?;
            (key.trim() == name).then(|| value.trim())
        })
    }

    /// When a recording began, as the header has it.
    pub(super) fn start(&self) -> Option<String> {
        let text = self.value(&[
            "date ",
            "!Start-Time:",
            "Start-Time:",
            "Creation time:",
            "created ",
        ])?;
        // jAER names the function in front of its result.
        let text = text
            .strip_prefix("System.currentTimeMillis()")
            .unwrap_or(text);
        Some(text.trim().to_owned()).filter(|text| !text.is_empty())
    }
}

/// Cameras that headers of AER-DAT name, with their width and height.
const CAMERAS: [(&str, (u16, u16)); 6] = [
    ("DVS128", (128, 128)),
    ("DAVIS128", (128, 128)),
    ("DAVIS208", (208, 192)),
    ("DAVIS240", (240, 180)),
    ("DAVIS346", (346, 260)),
    ("DAVIS640", (640, 480)),
];

/// Width and height of the camera that a header of AER-DAT names.
pub(super) fn camera(lines: &Lines) -> Option<(u16, u16)> {
    let mut lines = lines.texts.iter().map(|line| line.to_ascii_uppercase());
    lines.find_map(|line| {
        let mut cameras = CAMERAS.iter();
        let found = cameras.find(|(name, _)| line.contains(name));
        found.map(|(_, size)| *size)
    })
}

/// The name of a camera of this size.
pub(super) fn camera_of_size(size: (u16, u16)) -> Option<&'static str> {
    let mut cameras = CAMERAS.iter();
    let found = cameras.find(|(_, known)| *known == size);
    found.map(|(name, _)| *name)
}
