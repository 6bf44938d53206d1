//! What can be wrong with a call.

use alloc::string::String;
use thiserror::Error;

/// Why a call was refused. Nothing has been written when one is returned.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Error {
    /// A buffer does not have the length that the sizes ask for.
    #[error("{what} holds {found} elements, but the sizes ask for {expected}")]
    Length {
        /// The buffer's name.
        what: &'static str,
        /// Its length.
        found: usize,
        /// The length that the sizes ask for.
        expected: usize,
    },
    /// A strided view reaches beyond its buffer.
    #[error("{what} holds {found} elements, but its strides reach element {reach}")]
    Stride {
        /// The buffer's name.
        what: &'static str,
        /// Its length.
        found: usize,
        /// The largest offset that the strides reach.
        reach: usize,
    },
    /// Bits beyond the last neuron of a row are set.
    #[error("spikes have bits set beyond the {neurons} neurons of a row")]
    Padding {
        /// Neurons per row.
        neurons: usize,
    },
    /// The rows of a scan are no whole number of groups.
    #[error("{rows} rows cannot be divided into groups of {group}")]
    Group {
        /// How many rows there are.
        rows: usize,
        /// How many rows a group has.
        group: usize,
    },
    /// The neurons of a row are no whole number for each head of attention.
    #[error("{neurons} neurons cannot be divided among {heads} heads")]
    Heads {
        /// Neurons per row.
        neurons: usize,
        /// How many heads there are.
        heads: usize,
    },
    /// A product of sizes does not fit the address space.
    #[error("the sizes of {what} multiply to more than fits in memory")]
    Overflow {
        /// The buffer's name.
        what: &'static str,
    },
    /// A neuron does not offer a reset.
    #[error(
        "{neuron} has no {} reset by {mechanism:?}",
        if *.immediate { "immediate" } else { "delayed" }
    )]
    Reset {
        /// The neuron's name.
        neuron: &'static str,
        /// The mechanism's name.
        mechanism: &'static str,
        /// Whether it was to act within the step that fires.
        immediate: bool,
    },
    /// A value lies outside its range.
    #[error("{what} is {found}, outside 0..{limit}")]
    OutOfRange {
        /// What the value is.
        what: &'static str,
        /// The value.
        found: i64,
        /// One more than the largest value allowed.
        limit: usize,
    },
    /// An instruction of a program has too few operands, or too many.
    #[error("instruction {instruction}, {op}, has {found} operands instead of {expected}")]
    Operands {
        /// Its number.
        instruction: usize,
        /// What it does.
        op: &'static str,
        /// How many operands it has.
        found: usize,
        /// How many it takes.
        expected: usize,
    },
    /// An operand of an instruction is no value in front of it.
    #[error(
        "instruction {instruction}, {op}, reads value {operand}, but {limit} lie in front of it"
    )]
    Operand {
        /// Its number.
        instruction: usize,
        /// What it does.
        op: &'static str,
        /// The operand.
        operand: usize,
        /// How many values lie in front of it.
        limit: usize,
    },
    /// Spikes are asked of a program that has none.
    #[error("the program has no spikes")]
    NoSpikes,
    /// A program cannot be the adjoint of another.
    #[error("an adjoint of this program has {expected} {what}, not {found}")]
    Adjoint {
        /// What there are too many or too few of.
        what: &'static str,
        /// How many the program has.
        found: usize,
        /// How many it would have to have.
        expected: usize,
    },
    /// There are no recurrent layers of a neuron.
    #[error("there are no recurrent layers of {neuron}")]
    NotRecurrent {
        /// The neuron's name.
        neuron: &'static str,
    },
    /// The gradient of a layer's current is no filtered error.
    #[error("the gradient of the current of this layer of {neuron} does not decay by one number")]
    NotFiltered {
        /// The neuron's name.
        neuron: &'static str,
    },
    /// The spikes of a sample are not in the order of their times, or a time is not finite.
    #[error("the times of the spikes of sample {sample} must be finite and ascend")]
    Unordered {
        /// Its number.
        sample: usize,
    },
    /// What is said of the last step is asked of a sequence without steps.
    #[error("a sequence of no steps has no last spikes")]
    NoSteps,
    /// No neuron, surrogate or reset has this name.
    #[error("there is no {kind} named {name:?}; known: {known}")]
    UnknownName {
        /// Neuron, surrogate or reset.
        kind: &'static str,
        /// The name given.
        name: String,
        /// The names that exist.
        known: String,
    },
    /// `BITSPIKE_ISA` names no instruction set.
    #[error("BITSPIKE_ISA is {name:?}; it must be scalar, avx2 or avx512")]
    UnknownIsa {
        /// The name given.
        name: String,
    },
    /// `BITSPIKE_ISA` names an instruction set that the CPU lacks.
    #[error("BITSPIKE_ISA is {name:?}, but this CPU does not have it")]
    MissingIsa {
        /// The name given.
        name: &'static str,
    },
}

impl Error {
    /// Checks that a buffer has the length that the sizes ask for.
    pub(crate) fn check_length(
        what: &'static str,
        found: usize,
        sizes: &[usize],
    ) -> Result<(), Self> {
        let expected = Self::checked_product(what, sizes)?;
        if found == expected {
            Ok(())
        } else {
            Err(Self::Length {
                what,
                found,
                expected,
            })
        }
    }

    /// The product of `sizes`, refused where it overflows.
    pub(crate) fn checked_product(what: &'static str, sizes: &[usize]) -> Result<usize, Self> {
        sizes
            .iter()
            .try_fold(1usize, |product, &size| product.checked_mul(size))
            .ok_or(Self::Overflow { what })
    }
}
