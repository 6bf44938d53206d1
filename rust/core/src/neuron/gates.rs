//! How fast the gates of the squid's channels open and close (Hodgkin and Huxley 1952).

use crate::math::exp;
use crate::simd::{Simd, array};

/// Rates are those at the nearest membrane within ± this, in mV: far outside what a cell survives,
/// they would overflow.
const REACH: f32 = 150.0;

/// Opening and closing rates of the gates `m`, `h`, `n`, per ms, and their derivatives by the
/// membrane.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rates<S: Simd> {
    pub(super) opening: [S::F32; 3],
    pub(super) closing: [S::F32; 3],
    pub(super) opening_slope: [S::F32; 3],
    pub(super) closing_slope: [S::F32; 3],
}

impl<S: Simd> Rates<S> {
    /// The rates at the membrane `v`.
    #[inline(always)]
    pub(super) fn new(simd: S, v: S::F32) -> Self {
        let (zero, reach) = (simd.splat(0.0), simd.splat(REACH));
        let outside = simd.gt(simd.abs(v), reach);
        let nearest = simd.select(simd.gt(v, zero), reach, simd.sub(zero, reach));
        let v = simd.select(outside, nearest, v);

        let (m_opens, m_opens_slope) = scaled(simd, 1.0, linear(simd, v, -40.0));
        let (n_opens, n_opens_slope) = scaled(simd, 0.1, linear(simd, v, -55.0));
        let (h_closes, h_closes_slope) = sigmoid(simd, v);
        let (h_opens, h_opens_slope) = exponential(simd, v, 0.07, 20.0);
        let (m_closes, m_closes_slope) = exponential(simd, v, 4.0, 18.0);
        let (n_closes, n_closes_slope) = exponential(simd, v, 0.125, 80.0);
        let inside = |slopes: [S::F32; 3]| {
            array(
                #[inline(always)]
                |i| simd.select(outside, zero, slopes[i]),
            )
        };
        Self {
            opening: [m_opens, h_opens, n_opens],
            closing: [m_closes, h_closes, n_closes],
            opening_slope: inside([m_opens_slope, h_opens_slope, n_opens_slope]),
            closing_slope: inside([m_closes_slope, h_closes_slope, n_closes_slope]),
        }
    }
}

/// `s·f` and its derivative, for those of `f`.
#[inline(always)]
fn scaled<S: Simd>(simd: S, s: f32, (f, slope): (S::F32, S::F32)) -> (S::F32, S::F32) {
    let s = simd.splat(s);
    (simd.mul(s, f), simd.mul(s, slope))
}

/// `s·exp(-(v + 65)/width)` and its derivative.
#[inline(always)]
fn exponential<S: Simd>(simd: S, v: S::F32, s: f32, width: f32) -> (S::F32, S::F32) {
    let x = simd.mul(simd.add(v, simd.splat(65.0)), simd.splat(-1.0 / width));
    let rate = simd.mul(simd.splat(s), exp(simd, x));
    (rate, simd.mul(rate, simd.splat(-1.0 / width)))
}

/// `1/(1 + exp(-(v + 35)/10))` and its derivative.
#[inline(always)]
fn sigmoid<S: Simd>(simd: S, v: S::F32) -> (S::F32, S::F32) {
    let one = simd.splat(1.0);
    let x = simd.mul(simd.add(v, simd.splat(35.0)), simd.splat(-0.1));
    let rate = simd.div(one, simd.add(one, exp(simd, x)));
    let slope = simd.mul(rate, simd.sub(one, rate));
    (rate, simd.mul(simd.splat(0.1), slope))
}

/// `x/(1 - e^-x)` with `x = (v - at)/10`, and its derivative by `v`.
///
/// Around 0, where both parts of the fraction vanish, it is summed as a series.
#[inline(always)]
fn linear<S: Simd>(simd: S, v: S::F32, at: f32) -> (S::F32, S::F32) {
    /// At this distance the series has converged, and the fraction has lost no digits.
    const NEAR: f32 = 0.5;
    /// Coefficients of `x²`, `x⁴`, `x⁶` and `x⁸`; those of 1 and `x` are 1 and 1/2.
    const SERIES: [f32; 4] = [1.0 / 12.0, -1.0 / 720.0, 1.0 / 30_240.0, -1.0 / 1_209_600.0];

    let one = simd.splat(1.0);
    let x = simd.mul(simd.sub(v, simd.splat(at)), simd.splat(0.1));
    let far = simd.gt(simd.abs(x), simd.splat(NEAR));

    let e = exp(simd, simd.sub(simd.splat(0.0), x));
    let inverse = simd.div(one, simd.sub(one, e));
    let fraction = simd.mul(x, inverse);
    let fraction_slope = simd.mul(inverse, simd.sub(one, simd.mul(fraction, e)));

    let square = simd.mul(x, x);
    let (mut sum, mut sum_slope) = (simd.splat(0.0), simd.splat(0.0));
    for (i, coefficient) in SERIES.into_iter().enumerate().rev() {
        let power = 2.0 * (i as f32 + 1.0);
        sum = simd.mul(square, simd.add(sum, simd.splat(coefficient)));
        let term = simd.splat(power * coefficient);
        sum_slope = if i == 0 {
            simd.mul(x, simd.add(sum_slope, term))
        } else {
            simd.mul(square, simd.add(sum_slope, term))
        };
    }
    let half = simd.splat(0.5);
    let series = simd.add(simd.add(one, simd.mul(half, x)), sum);
    let series_slope = simd.add(half, sum_slope);
    let slope = simd.select(far, fraction_slope, series_slope);
    (
        simd.select(far, fraction, series),
        simd.mul(simd.splat(0.1), slope),
    )
}

#[cfg(test)]
mod tests {
    use super::Rates;
    use crate::simd::{Portable, Simd};

    /// Opening and closing rate of `m`, `h`, `n`, as the paper writes them.
    fn exact(v: f64) -> [f64; 6] {
        [
            0.1 * (v + 40.0) / (1.0 - (-(v + 40.0) / 10.0).exp()),
            0.07 * (-(v + 65.0) / 20.0).exp(),
            0.01 * (v + 55.0) / (1.0 - (-(v + 55.0) / 10.0).exp()),
            4.0 * (-(v + 65.0) / 18.0).exp(),
            1.0 / (1.0 + (-(v + 35.0) / 10.0).exp()),
            0.125 * (-(v + 65.0) / 80.0).exp(),
        ]
    }

    fn rates(v: f32) -> ([f32; 6], [f32; 6]) {
        let rates = Rates::new(Portable, Portable.splat(v));
        let first = |x: [[f32; 3]; 2]| [x[0][0], x[0][1], x[0][2], x[1][0], x[1][1], x[1][2]];
        (
            first([rates.opening.map(|x| x[0]), rates.closing.map(|x| x[0])]),
            first([
                rates.opening_slope.map(|x| x[0]),
                rates.closing_slope.map(|x| x[0]),
            ]),
        )
    }

    #[test]
    fn equal_the_paper() {
        for i in -1490..=1490 {
            // Off the two points at which the paper's fractions are 0/0.
            let v = i as f32 / 10.0 + 0.03;
            let (actual, slopes) = rates(v);
            let exact_at = exact(f64::from(v));
            let step = 1e-4;
            let (below, above) = (exact(f64::from(v) - step), exact(f64::from(v) + step));
            for k in 0..6 {
                let error = f64::from(actual[k]) / exact_at[k] - 1.0;
                assert!(error.abs() < 2e-6, "rate {k} at {v}: {error}");
                let slope = (above[k] - below[k]) / (2.0 * step);
                let error = f64::from(slopes[k]) - slope;
                assert!(
                    error.abs() < 2e-6 * exact_at[k].max(1.0),
                    "slope {k} at {v}: {error}"
                );
            }
        }
    }

    #[test]
    fn are_smooth_where_the_fractions_vanish() {
        // x/(1 - e^-x) = 1 + x/2 + …
        let (at, slopes) = rates(-40.0);
        assert_eq!((at[0], slopes[0]), (1.0, 0.05));
        let (at, slopes) = rates(-55.0);
        assert_eq!((at[2], slopes[2]), (0.1, 0.1 * 0.05));
    }

    #[test]
    fn stay_finite_far_outside() {
        for v in [-1e30, -1e3, 1e3, 1e30] {
            let (at, slopes) = rates(v);
            assert_eq!(at, rates(150.0 * v.signum()).0);
            assert_eq!(slopes, [0.0; 6]);
        }
    }
}
