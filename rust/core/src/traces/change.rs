//! What a step does to the weights of one output.

use super::Real;

/// What becomes of weights, given the sums of pairs that let them rise and fall.
pub(super) trait Change<T: Real>: Copy + Send + Sync {
    /// The same for one row of the matrix, which starts at this place.
    fn of_row(self, start: usize, inputs: usize) -> Self;

    /// All weights of a row.
    fn all(self, weights: &mut [T], risen: &[T], fallen: &[T]);

    /// One weight of a row whose output does not fire: `P` is 0, and so is its part.
    fn fall(self, input: usize, weight: T, fallen: T) -> T;
}

/// Weights change at once, by as much as they say themselves, and stay within bounds:
/// `W ← clamp(W + rate·((r₀ + r₁·W)·P − (f₀ + f₁·W)·D))`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Learning<T> {
    /// What all changes are multiplied by.
    pub rate: T,
    /// `r₀` and `r₁`
    pub rise: [T; 2],
    /// `f₀` and `f₁`
    pub fall: [T; 2],
    /// The smallest and the largest weight.
    pub bounds: [T; 2],
}

impl<T: Real> Learning<T> {
    /// The same rule, if changes do not depend on weights.
    pub(super) fn additive(self) -> Option<Additive<T>> {
        let constant = self.rise[1] == T::ZERO && self.fall[1] == T::ZERO;
        constant.then_some(Additive(self))
    }

    /// A weight after a step.
    #[inline(always)]
    fn after(self, weight: T, rise: T, fall: T) -> T {
        let weight = weight + self.rate * (rise - fall);
        // As torch.clamp: NaN stays.
        let weight = if weight < self.bounds[0] {
            self.bounds[0]
        } else {
            weight
        };
        if weight > self.bounds[1] {
            self.bounds[1]
        } else {
            weight
        }
    }
}

impl<T: Real> Change<T> for Learning<T> {
    #[inline(always)]
    fn of_row(self, _: usize, _: usize) -> Self {
        self
    }

    #[inline(always)]
    fn all(self, weights: &mut [T], risen: &[T], fallen: &[T]) {
        for ((weight, &risen), &fallen) in weights.iter_mut().zip(risen).zip(fallen) {
            let rise = (self.rise[0] + self.rise[1] * *weight) * risen;
            let fall = (self.fall[0] + self.fall[1] * *weight) * fallen;
            *weight = self.after(*weight, rise, fall);
        }
    }

    #[inline(always)]
    fn fall(self, _: usize, weight: T, fallen: T) -> T {
        let fall = (self.fall[0] + self.fall[1] * weight) * fallen;
        self.after(weight, T::ZERO, fall)
    }
}

/// A rule whose `r₁` and `f₁` are 0: half of the arithmetic, and the same bits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Additive<T>(Learning<T>);

impl<T: Real> Change<T> for Additive<T> {
    #[inline(always)]
    fn of_row(self, _: usize, _: usize) -> Self {
        self
    }

    #[inline(always)]
    fn all(self, weights: &mut [T], risen: &[T], fallen: &[T]) {
        let Self(rule) = self;
        for ((weight, &risen), &fallen) in weights.iter_mut().zip(risen).zip(fallen) {
            *weight = rule.after(*weight, rule.rise[0] * risen, rule.fall[0] * fallen);
        }
    }

    #[inline(always)]
    fn fall(self, _: usize, weight: T, fallen: T) -> T {
        self.0.after(weight, T::ZERO, self.0.fall[0] * fallen)
    }
}

/// What weights that stay as they are would change by is summed: `Σ_t (rise·P − fall·D)`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Summed<'a, T> {
    /// `[outputs, inputs]`, or one row of it.
    pub(super) rise: &'a [T],
    /// Likewise.
    pub(super) fall: &'a [T],
}

impl<T: Real> Change<T> for Summed<'_, T> {
    #[inline(always)]
    fn of_row(self, start: usize, inputs: usize) -> Self {
        Self {
            rise: &self.rise[start..start + inputs],
            fall: &self.fall[start..start + inputs],
        }
    }

    #[inline(always)]
    fn all(self, sums: &mut [T], risen: &[T], fallen: &[T]) {
        let factors = self.rise.iter().zip(self.fall);
        let pairs = risen.iter().zip(fallen);
        for ((sum, (&rise, &fall)), (&risen, &fallen)) in sums.iter_mut().zip(factors).zip(pairs) {
            *sum = *sum + (rise * risen - fall * fallen);
        }
    }

    #[inline(always)]
    fn fall(self, input: usize, sum: T, fallen: T) -> T {
        sum + (T::ZERO - self.fall[input] * fallen)
    }
}
