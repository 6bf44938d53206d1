//! The machine: passes over the registers of a tile.

use super::Op;
use super::plan::{Action, Pass};
use crate::math::circular::{NEAR, angle, cos, far_angle, sin, tan};
use crate::math::elementary::{atan, erf, exp, expm1, log, log1p, tanh};
use crate::math::sigmoid::sigmoid;
use crate::simd::{Registers, Simd};

/// Runs passes. Those that pack spikes write `words`.
// A call, which turns the instruction set on anew: one copy of all loops serves every caller.
#[inline(never)]
pub(super) fn run<S: Simd>(
    simd: S,
    passes: &[Pass],
    registers: &mut Registers<'_>,
    words: &mut [u64],
) {
    simd.vectorize(
        #[inline(always)]
        || {
            for pass in passes {
                pass.run(simd, registers, words);
            }
        },
    );
}

impl Pass {
    #[inline(always)]
    fn run<S: Simd>(&self, simd: S, registers: &mut Registers<'_>, words: &mut [u64]) {
        let &Self {
            action,
            to,
            from: [a, b, c],
        } = self;
        let (one, zero) = (simd.splat(1.0), simd.splat(0.0));
        macro_rules! fill {
            ([$($from:ident),*] $result:expr) => {
                registers.apply(simd, to, [$($from),*], #[inline(always)] |[$($from),*]| $result)
            };
        }
        macro_rules! pack {
            ([$($from:ident),*] $mask:expr) => {
                registers.pack(simd, words, [$($from),*], #[inline(always)] |[$($from),*]| $mask)
            };
        }
        macro_rules! single {
            ($f:expr) => {
                registers.apply_each(
                    to,
                    a,
                    #[inline(always)]
                    |x| $f(x),
                )
            };
        }
        macro_rules! double {
            ($f:ident) => {
                registers.apply_each(
                    to,
                    a,
                    #[inline(always)]
                    |x| $f(f64::from(x)) as f32,
                )
            };
        }
        macro_rules! circular {
            ($f:ident) => {
                registers.apply_each_with(
                    to,
                    a,
                    #[inline(always)]
                    |x| $f(angle(f64::from(x))) as f32,
                    #[inline(always)]
                    |x| (x.is_finite() && x.abs() > NEAR).then(|| $f(far_angle(x)) as f32),
                )
            };
        }
        match action {
            Action::Copy => fill!([a] a),
            Action::MulAdd => fill!([a, b, c] simd.add(simd.mul(a, b), c)),
            Action::MulSub => fill!([a, b, c] simd.sub(simd.mul(a, b), c)),
            Action::SubMul => fill!([a, b, c] simd.sub(c, simd.mul(a, b))),
            Action::PackNonzero => pack!([a] simd.nonzero(a)),
            Action::PackGt => pack!([a, b] simd.gt(a, b)),
            Action::PackGe => pack!([a, b] simd.ge(a, b)),
            Action::Op(op) => match op {
                Op::Add => fill!([a, b] simd.add(a, b)),
                Op::Sub => fill!([a, b] simd.sub(a, b)),
                Op::Mul => fill!([a, b] simd.mul(a, b)),
                Op::Div => fill!([a, b] simd.div(a, b)),
                Op::Neg => fill!([a] simd.sub(simd.splat(-0.0), a)),
                Op::Abs => fill!([a] simd.abs(a)),
                Op::Reciprocal => fill!([a] simd.div(one, a)),
                Op::Minimum => fill!([a, b] unless_nan(simd, a, simd.select(simd.gt(b, a), a, b))),
                Op::Maximum => fill!([a, b] unless_nan(simd, a, simd.select(simd.gt(a, b), a, b))),
                Op::Gt => fill!([a, b] simd.select(simd.gt(a, b), one, zero)),
                Op::Ge => fill!([a, b] simd.select(simd.ge(a, b), one, zero)),
                Op::Lt => fill!([a, b] simd.select(simd.gt(b, a), one, zero)),
                Op::Le => fill!([a, b] simd.select(simd.ge(b, a), one, zero)),
                Op::Eq => fill!([a, b] equal(simd, a, b, one, zero)),
                Op::Ne => fill!([a, b] equal(simd, a, b, zero, one)),
                Op::Where => fill!([a, b, c] simd.select(simd.nonzero(a), b, c)),
                Op::LogicalAnd => {
                    fill!([a, b] simd.select(simd.nonzero(a), truth(simd, b), zero))
                }
                Op::LogicalOr => fill!([a, b] simd.select(simd.nonzero(a), one, truth(simd, b))),
                Op::LogicalNot => fill!([a] simd.select(simd.nonzero(a), zero, one)),
                Op::Sign => fill!([a] {
                    let negative = simd.select(simd.gt(zero, a), simd.splat(-1.0), zero);
                    simd.select(simd.gt(a, zero), one, negative)
                }),
                Op::Sqrt => single!(f32::sqrt),
                Op::Floor => single!(f32::floor),
                Op::Ceil => single!(f32::ceil),
                Op::Round => single!(f32::round_ties_even),
                Op::Trunc => single!(f32::trunc),
                Op::Exp => double!(exp),
                Op::Expm1 => double!(expm1),
                Op::Log => double!(log),
                Op::Log1p => double!(log1p),
                Op::Tanh => double!(tanh),
                Op::Sigmoid => fill!([a] sigmoid(simd, a)),
                Op::Atan => double!(atan),
                Op::Erf => double!(erf),
                Op::Sin => circular!(sin),
                Op::Cos => circular!(cos),
                Op::Tan => circular!(tan),
            },
        }
    }
}

/// 1 where a number is true, else 0.
#[inline(always)]
fn truth<S: Simd>(simd: S, a: S::F32) -> S::F32 {
    simd.select(simd.nonzero(a), simd.splat(1.0), simd.splat(0.0))
}

/// `result`, but NaN where `a` is.
#[inline(always)]
fn unless_nan<S: Simd>(simd: S, a: S::F32, result: S::F32) -> S::F32 {
    simd.select(simd.ge(a, a), result, a)
}

/// `yes` where two numbers are equal, else `no`.
#[inline(always)]
fn equal<S: Simd>(simd: S, a: S::F32, b: S::F32, yes: S::F32, no: S::F32) -> S::F32 {
    let not_less = simd.select(simd.ge(b, a), yes, no);
    simd.select(simd.ge(a, b), not_less, no)
}
