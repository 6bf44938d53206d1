//! Times of which a file keeps the low bits only.

/// Counts how often the low bits have wrapped.
///
/// Times may step back a little: only where they drop by more than half of their range have they
/// wrapped, and where they rise by more than that, an event is late from before the last wrap.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    bits: u32,
    last: Option<u64>,
    wraps: i64,
}

impl Clock {
    /// A clock of so many bits, fewer than 63.
    pub(super) fn new(bits: u32) -> Self {
        Self {
            bits,
            last: None,
            wraps: 0,
        }
    }

    /// Whether a time was seen.
    pub(super) fn is_set(&self) -> bool {
        self.last.is_some()
    }

    /// The whole time of these low bits.
    #[inline]
    pub(super) fn unwrap(&mut self, low: u64) -> i64 {
        let half = 1 << (self.bits - 1);
        if let Some(last) = self.last {
            if last.saturating_sub(low) > half {
                self.wraps += 1;
            } else if low.saturating_sub(last) > half && self.wraps > 0 {
                self.wraps -= 1;
            }
        }
        self.last = Some(low);
        (self.wraps << self.bits) | low as i64
    }
}
