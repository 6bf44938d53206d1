//! The list of neurons and the list of surrogates.
//!
//! Adding one is a file and a line here; everything that names or enumerates them follows.

#[cfg(feature = "std")]
mod surrogates;

#[cfg(feature = "std")]
pub use surrogates::AnySurrogate;

use crate::Error;
use crate::neuron::*;
use alloc::borrow::ToOwned;
use alloc::vec::Vec;

/// A function that is generic over the neuron, run on the one chosen by name.
pub(crate) trait NeuronVisitor {
    /// What it returns.
    type Output;
    /// Does the work for one neuron.
    fn visit<N: Neuron>(self) -> Self::Output;
}

macro_rules! neurons {
    ($($neuron:ident),* $(,)?) => {
        /// A neuron of the registry.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum NeuronKind {
            $(#[doc = concat!("[`crate::neuron::", stringify!($neuron), "`]")] $neuron,)*
        }

        impl NeuronKind {
            /// Every neuron.
            pub const ALL: &'static [Self] = &[$(Self::$neuron),*];

            /// Its name.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$neuron => $neuron::NAME,)* }
            }

            /// The names of its parameters.
            #[must_use]
            pub const fn parameters(self) -> &'static [&'static str] {
                match self { $(Self::$neuron => $neuron::PARAMETERS,)* }
            }

            /// The names of its states; the last is the membrane.
            #[must_use]
            pub const fn states(self) -> &'static [&'static str] {
                match self { $(Self::$neuron => $neuron::STATES,)* }
            }

            /// The resets that it offers.
            #[must_use]
            pub const fn resets(self) -> &'static [Mechanism] {
                match self { $(Self::$neuron => $neuron::RESETS,)* }
            }

            /// Whether a reset may act within the step that fires.
            #[must_use]
            pub const fn has_immediate_reset(self) -> bool {
                match self { $(Self::$neuron => $neuron::IMMEDIATE,)* }
            }

            /// Whether there are recurrent layers of it.
            #[must_use]
            pub const fn has_recurrent_layers(self) -> bool {
                match self { $(Self::$neuron => $neuron::RECURRENT,)* }
            }

            pub(crate) fn visit<V: NeuronVisitor>(self, visitor: V) -> V::Output {
                match self { $(Self::$neuron => visitor.visit::<$neuron>(),)* }
            }
        }
    };
}

neurons![
    Leaky,
    Synaptic,
    Alif,
    Qif,
    Eif,
    AdEx,
    Izhikevich,
    HodgkinHuxley,
    ResonateAndFire,
    Lapicque,
    Alpha,
    DeltaLeaky,
    CubaLif,
    Plif,
    Klif,
    RefractoryLeaky,
];

impl NeuronKind {
    /// The neuron of that name.
    ///
    /// # Errors
    /// [`Error::UnknownName`]
    pub fn parse(name: &str) -> Result<Self, Error> {
        let names = || Self::ALL.iter().map(|kind| kind.name());
        let found = Self::ALL.iter().copied().find(|kind| kind.name() == name);
        found.ok_or_else(|| unknown("neuron", name, names()))
    }

    /// Checks that the neuron offers that reset.
    pub(crate) fn check_reset(self, reset: Reset) -> Result<(), Error> {
        let offered = self.resets().contains(&reset.mechanism);
        let immediate = self.has_immediate_reset() && reset.mechanism != Mechanism::SubtractBeta;
        if offered && (immediate || !reset.immediate) {
            return Ok(());
        }
        Err(Error::Reset {
            neuron: self.name(),
            mechanism: reset.mechanism.name(),
            immediate: reset.immediate,
        })
    }
}

fn unknown(kind: &'static str, name: &str, known: impl Iterator<Item = &'static str>) -> Error {
    Error::UnknownName {
        kind,
        name: name.to_owned(),
        known: known.collect::<Vec<_>>().join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::{NeuronKind, NeuronVisitor};
    use crate::neuron::{Adjoint, Current, FiringLanes, Mechanism, Neuron, Vectors};
    use crate::simd::Portable;

    /// Whether the adjoint of a neuron depends on the values of the recurrent current.
    struct DependsOnCurrent(Mechanism);

    impl NeuronVisitor for DependsOnCurrent {
        type Output = bool;

        fn visit<N: Neuron>(self) -> bool {
            let simd = Portable;
            let numbers = |first: f32| move |k| [first + 0.25 * k as f32; 8];
            let parameters = N::Parameters::<Portable>::from_fn(numbers(0.3));
            let lanes = FiringLanes::<_, N>::new(simd, self.0, parameters, [1.0; 8]);
            // Below and above threshold.
            [-0.5, 1.5].into_iter().any(|state| {
                let state = N::State::<Portable>::from_fn(numbers(state));
                let delta = N::State::<Portable>::from_fn(numbers(0.7));
                let reset = lanes.delayed(simd, state);
                let [some, other] = [[0.0; 2], [0.9, -0.4]].map(|[external, recurrent]| {
                    let current = Current::recurrent([external; 8], [recurrent; 8]);
                    N::adjoint(simd, &reset, parameters, state, current, delta)
                });
                format!("{some:?}") != format!("{other:?}")
            })
        }
    }

    #[test]
    fn no_adjoint_of_a_recurrent_neuron_depends_on_the_current() {
        let depends = |kind: NeuronKind| {
            let mut resets = kind.resets().iter();
            resets.any(|&mechanism| kind.visit(DependsOnCurrent(mechanism)))
        };
        for &kind in NeuronKind::ALL {
            assert!(!kind.has_recurrent_layers() || !depends(kind), "{kind:?}");
        }
        // The question can be answered with yes.
        assert!(depends(NeuronKind::Lapicque) && depends(NeuronKind::Eif));
    }

    /// The gradient of the current and that of the state before, for gradients of the state after; None
    /// for a neuron that does not filter.
    struct Filtered(Mechanism, [f32; 2]);

    const DECAY: f32 = 0.625;

    impl NeuronVisitor for Filtered {
        type Output = Option<[[f32; 2]; 2]>;

        fn visit<N: Neuron>(self) -> Self::Output {
            let decay = N::DECAY.filter(|_| N::FILTERS)?;
            assert_eq!(N::STATES.len(), 1);
            let simd = Portable;
            let parameters = |k| [if k == decay { DECAY } else { 0.5 }; 8];
            let parameters = N::Parameters::<Portable>::from_fn(parameters);
            let lanes = FiringLanes::<_, N>::new(simd, self.0, parameters, [1.0; 8]);
            // Above threshold: there is a reset.
            let state = N::State::<Portable>::from_fn(|_| [1.5; 8]);
            let reset = lanes.delayed(simd, state);
            Some(self.1.map(|delta| {
                let delta = N::State::<Portable>::from_fn(|_| [delta; 8]);
                let current = Current::external([0.25; 8]);
                let Adjoint { current, state, .. } =
                    N::adjoint(simd, &reset, parameters, state, current, delta);
                [current[0], state.as_ref()[0][0]]
            }))
        }
    }

    #[test]
    fn neurons_that_filter_multiply_by_their_decay() {
        let mut found = 0;
        for &kind in NeuronKind::ALL {
            let resets = kind.resets().iter();
            for &mechanism in resets.filter(|&&reset| reset != Mechanism::Zero) {
                let Some(gradients) = kind.visit(Filtered(mechanism, [1.0, -4.0])) else {
                    continue;
                };
                let [gain, _] = gradients[0];
                assert!(gain != 0.0);
                let expected = [[gain, DECAY], [-4.0 * gain, -4.0 * DECAY]];
                assert_eq!(gradients, expected, "{kind:?} {mechanism:?}");
                found += 1;
            }
        }
        assert!(found > 0);
    }
}
