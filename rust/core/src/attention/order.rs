//! The order of the products of attention.

/// Which product comes first. The results are the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// How much queries and keys share, by counting the bits of both: `tokens²` sums. Each then takes
    /// so often the value of its key.
    QueriesAndKeys,
    /// What keys and values have together, a table of a head's neurons twice. The bits of a query
    /// then select its rows.
    KeysAndValues,
}
