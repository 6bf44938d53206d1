//! What is chosen by a name.

use super::Error;
use alloc::vec::Vec;

/// The one of these that has the name.
pub(super) fn named<T: Copy>(
    kind: &'static str,
    name: &str,
    all: &[(&'static str, T)],
) -> Result<T, Error> {
    let found = all.iter().find(|(known, _)| *known == name);
    found
        .map(|(_, value)| *value)
        .ok_or_else(|| Error::UnknownName {
            kind,
            name: name.chars().take(64).collect(),
            known: all
                .iter()
                .map(|(name, _)| *name)
                .collect::<Vec<_>>()
                .join(", "),
        })
}
