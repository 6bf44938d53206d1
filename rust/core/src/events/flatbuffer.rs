//! FlatBuffers, as much of them as AER-DAT 4 needs, with every offset checked.
//!
//! A table begins with its distance from a list of 16-bit offsets, one for each field, that stand behind
//! the sizes of list and table.

/// A table in a buffer. Places count from the front of the buffer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Table<'a> {
    bytes: &'a [u8],
    at: usize,
    fields: usize,
    /// Bytes of the list of fields.
    size: usize,
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}

fn u32_at(bytes: &[u8], at: usize) -> Option<usize> {
    usize::try_from(u32::from_le_bytes(array(bytes, at)?)).ok()
}

impl<'a> Table<'a> {
    /// The root of a buffer of this kind, which its second word names.
    pub(super) fn root(bytes: &'a [u8], kind: [u8; 4]) -> Option<Self> {
        if array(bytes, 4)? != kind {
            return None;
        }
        let at = u32_at(bytes, 0)?;
        let back = i32::from_le_bytes(array(bytes, at)?);
        let fields = usize::try_from(i64::try_from(at).ok()? - i64::from(back)).ok()?;
        let size = u16::from_le_bytes(array(bytes, fields)?).into();
        Some(Self {
            bytes,
            at,
            fields,
            size,
        })
    }

    /// Where a field lies; `None` if it is left out.
    fn place(&self, field: usize) -> Option<usize> {
        let entry = 4 + 2 * field;
        if entry + 2 > self.size {
            return None;
        }
        match u16::from_le_bytes(array(self.bytes, self.fields.checked_add(entry)?)?) {
            0 => None,
            offset => self.at.checked_add(offset.into()),
        }
    }

    /// Whether a field is there.
    pub(super) fn has(&self, field: usize) -> bool {
        self.place(field).is_some()
    }

    /// The lowest byte of a number.
    pub(super) fn u8(&self, field: usize) -> Option<u8> {
        self.bytes.get(self.place(field)?).copied()
    }

    /// A number.
    pub(super) fn i64(&self, field: usize) -> Option<i64> {
        Some(i64::from_le_bytes(array(self.bytes, self.place(field)?)?))
    }

    /// The elements of a vector, of so many bytes each; a string is one of bytes.
    pub(super) fn vector(&self, field: usize, size: usize) -> Option<&'a [u8]> {
        let place = self.place(field)?;
        let at = place.checked_add(u32_at(self.bytes, place)?)?;
        let length = u32_at(self.bytes, at)?.checked_mul(size)?;
        self.bytes.get(at.checked_add(4)?..)?.get(..length)
    }
}
