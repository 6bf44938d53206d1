//! A step of one sample.

use super::Real;
use super::change::Change;
use super::pairs::Pairs;

/// `P` and `D` of one output, which are 0 between steps.
///
/// With one sample, `P` is a trace, and `D` one number times the inputs that fire: most outputs do not
/// fire, and then it goes straight from there to the weights.
pub(super) struct Sums<T> {
    risen: Vec<T>,
    fallen: Vec<T>,
}

impl<T: Real> Sums<T> {
    pub(super) fn new(inputs: usize) -> Self {
        Self {
            risen: vec![T::ZERO; inputs],
            fallen: vec![T::ZERO; inputs],
        }
    }

    /// Changes the weights of an output, for these inputs that fire.
    #[inline(always)]
    pub(super) fn step<C: Change<T>>(
        &mut self,
        pairs: &Pairs<'_, T>,
        firing: &[u32],
        (t, output): (usize, usize),
        change: C,
        weights: &mut [T],
    ) {
        let y = pairs.post.traces(t)[output];
        let firing = if y == T::ZERO { &[] } else { firing };
        let gains = pairs.pre.gains(t);
        let fallen = |j: usize| gains.map_or(y, |gains| y * gains[j]);
        if !pairs.post.fires(t, output) {
            for &j in firing {
                let j = j as usize;
                weights[j] = change.fall(j, weights[j], fallen(j));
            }
            return;
        }
        for &j in firing {
            self.fallen[j as usize] = fallen(j as usize);
        }
        let trace = pairs.pre.traces(t);
        let risen = match pairs.post.gains(t) {
            None => trace,
            Some(gains) => {
                for (risen, &x) in self.risen.iter_mut().zip(trace) {
                    *risen = gains[output] * x;
                }
                &self.risen
            }
        };
        change.all(weights, risen, &self.fallen);
        for &j in firing {
            self.fallen[j as usize] = T::ZERO;
        }
    }
}
