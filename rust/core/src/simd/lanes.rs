//! The lane trait.

use core::fmt::Debug;
use core::mem::MaybeUninit;

/// `LANES` single-precision numbers processed together, and masks over them.
///
/// Lane 0 is the lowest memory address and the lowest bit of a mask.
pub trait Simd: Copy + Debug + Send + Sync + 'static {
    /// Numbers per vector.
    const LANES: usize;
    /// Whether loops over the vectors of a full tile are worth a copy of their own, unrolled.
    const UNROLL: bool = true;
    /// `LANES` floats.
    type F32: Copy + Debug;
    /// `LANES` truth values.
    type Mask: Copy + Debug;
    /// `LANES` integers of 32 bits, whose arithmetic wraps around.
    type I32: Copy + Debug;
    /// `2·LANES` integers of 16 bits, whose arithmetic wraps around.
    type I16: Copy + Debug;

    /// Runs `kernel` compiled for this instruction set.
    ///
    /// `kernel` and what it calls must be `#[inline(always)]`, or they are compiled for the
    /// baseline CPU.
    fn vectorize<R>(self, kernel: impl FnOnce() -> R) -> R;

    /// Every lane set to `x`.
    fn splat(self, x: f32) -> Self::F32;
    /// The first `LANES` numbers of `src`.
    ///
    /// # Panics
    /// If `src` is shorter than that.
    fn load(self, src: &[f32]) -> Self::F32;
    /// As [`load`](Self::load), from a slice that may be shorter; missing lanes are 0.
    fn load_partial(self, src: &[f32]) -> Self::F32;
    /// Hints that `src` will be read soon.
    fn prefetch(self, src: &[f32]);
    /// Writes all lanes to the start of `dst`.
    ///
    /// # Panics
    /// If `dst` is shorter than `LANES`.
    fn store(self, dst: &mut [f32], v: Self::F32);
    /// As [`store`](Self::store), past the caches where the CPU can: for large results that nobody
    /// reads soon. Call [`drain`](Self::drain) after the last.
    ///
    /// # Panics
    /// If `dst` is shorter than `LANES`.
    #[inline(always)]
    fn stream(self, dst: &mut [f32], v: Self::F32) {
        self.store(dst, v);
    }
    /// Makes what [`stream`](Self::stream) wrote visible to other threads.
    #[inline(always)]
    fn drain(self) {}
    /// Writes as many lanes as `dst` has room for.
    fn store_partial(self, dst: &mut [f32], v: Self::F32);
    /// Writes the lanes of the bits, as [`to_bits`](Self::to_bits) numbers them, side by side to the
    /// start of `dst`. What lies behind them, up to `LANES`, is overwritten with rubbish.
    ///
    /// # Panics
    /// If `dst` is shorter than `LANES`.
    fn compress(self, dst: &mut [f32], bits: u64, v: Self::F32);
    /// Writes the first eight numbers of eight slices side by side: number `i` of slice `j` to place
    /// `i * width + j`.
    ///
    /// # Panics
    /// If a slice is shorter than that, or `to` has no room, or `width` is less than 8.
    #[inline(always)]
    fn transpose_square(self, from: [&[f32]; 8], to: &mut [f32], width: usize) {
        let square: [[f32; 8]; 8] = array(
            #[inline(always)]
            |j| {
                array(
                    #[inline(always)]
                    |i| from[j][i],
                )
            },
        );
        for (i, to) in to.chunks_mut(width).take(8).enumerate() {
            for (to, column) in to[..8].iter_mut().zip(&square) {
                *to = column[i];
            }
        }
    }

    /// `a + b`
    fn add(self, a: Self::F32, b: Self::F32) -> Self::F32;
    /// `a - b`
    fn sub(self, a: Self::F32, b: Self::F32) -> Self::F32;
    /// `a * b`
    fn mul(self, a: Self::F32, b: Self::F32) -> Self::F32;
    /// `a / b`, correctly rounded.
    fn div(self, a: Self::F32, b: Self::F32) -> Self::F32;
    /// `a * b + c`, rounded once: for products of dense numbers, and for functions that are defined so. A
    /// CPU without such an instruction takes long.
    #[cfg(feature = "std")]
    fn mul_add(self, a: Self::F32, b: Self::F32, c: Self::F32) -> Self::F32;
    /// `|a|`
    fn abs(self, a: Self::F32) -> Self::F32;
    /// `2^n` for lanes that hold an integer in `-126..=127`; other lanes are unspecified.
    fn exp2_integer(self, n: Self::F32) -> Self::F32;

    /// `a != 0`; true where it is NaN.
    fn nonzero(self, a: Self::F32) -> Self::Mask;
    /// `a > b`; false where either is NaN.
    fn gt(self, a: Self::F32, b: Self::F32) -> Self::Mask;
    /// `a >= b`; false where either is NaN.
    fn ge(self, a: Self::F32, b: Self::F32) -> Self::Mask;
    /// `if_true` where `mask` is set, else `if_false`.
    fn select(self, mask: Self::Mask, if_true: Self::F32, if_false: Self::F32) -> Self::F32;
    /// The mask as the low `LANES` bits of a word.
    fn to_bits(self, mask: Self::Mask) -> u64;
    /// The low `LANES` bits of a word as a mask: what [`to_bits`](Self::to_bits) undoes.
    fn to_mask(self, bits: u64) -> Self::Mask;

    /// Every lane set to `x`.
    fn splat_i32(self, x: i32) -> Self::I32;
    /// The first `LANES` integers of `src`.
    ///
    /// # Panics
    /// If `src` is shorter than that.
    fn load_i32(self, src: &[i32]) -> Self::I32;
    /// Writes all lanes to the start of `dst`.
    ///
    /// # Panics
    /// If `dst` is shorter than `LANES`.
    fn store_i32(self, dst: &mut [i32], v: Self::I32);
    /// `a + b`
    fn add_i32(self, a: Self::I32, b: Self::I32) -> Self::I32;
    /// `a - b`
    fn sub_i32(self, a: Self::I32, b: Self::I32) -> Self::I32;
    /// The lower half of `a * b`.
    fn mul_i32(self, a: Self::I32, b: Self::I32) -> Self::I32;
    /// The bits that `a` and `b` share.
    fn and_i32(self, a: Self::I32, b: Self::I32) -> Self::I32;
    /// `a / 2^by`, rounded down, for `by` in `0..32`.
    fn shift_right_i32(self, a: Self::I32, by: u32) -> Self::I32;
    /// `a > b`
    fn gt_i32(self, a: Self::I32, b: Self::I32) -> Self::Mask;
    /// `if_true` where `mask` is set, else `if_false`.
    fn select_i32(self, mask: Self::Mask, if_true: Self::I32, if_false: Self::I32) -> Self::I32;
    /// The nearest float, the even one of two.
    fn to_f32(self, a: Self::I32) -> Self::F32;

    /// Every lane of even number set to the first of the pair, and every other to the second.
    fn splat_i16(self, pair: [i16; 2]) -> Self::I16;
    /// The first `2·LANES` integers of `src`.
    ///
    /// # Panics
    /// If `src` is shorter than that.
    fn load_i16(self, src: &[i16]) -> Self::I16;
    /// `a + b`
    fn add_i16(self, a: Self::I16, b: Self::I16) -> Self::I16;
    /// The lower half of the lanes, and the upper.
    fn widen(self, a: Self::I16) -> [Self::I32; 2];
    /// `a[2i]·b[2i] + a[2i + 1]·b[2i + 1]` in lane `i`.
    fn dot(self, a: Self::I16, b: Self::I16) -> Self::I32;
    /// The first `4·LANES` integers of `src`, two in a lane.
    ///
    /// # Panics
    /// If `src` is shorter than that.
    fn load_i8(self, src: &[i8]) -> Self::I16;
    /// As [`dot`](Self::dot), of bytes in `0..256` and bytes in `-128..128`. The sums must fit 16 bits.
    fn dot_bytes(self, a: Self::I16, b: Self::I16) -> Self::I16;
}

/// Vectors of neurons that go through time together: enough independent ones to hide the latency of
/// a step.
pub(crate) const TILE: usize = 8;

/// Results of so many floats or more are worth [`Simd::stream`]: the caches would first read from
/// memory what is overwritten, and could not keep it for its reader.
pub const PAST_CACHES: usize = 2 << 20;

/// `[f(0), f(1), …]`.
///
/// The standard library's `array::from_fn` means the same, but is not always inlined, and what is
/// not inlined is compiled without the instruction set of the kernel around it.
#[inline(always)]
pub fn array<T: Copy, const V: usize>(mut f: impl FnMut(usize) -> T) -> [T; V] {
    let mut out = [const { MaybeUninit::uninit() }; V];
    for (i, slot) in out.iter_mut().enumerate() {
        slot.write(f(i));
    }
    // SAFETY: every slot has been written, and `MaybeUninit<T>` is laid out as `T`.
    unsafe { out.as_ptr().cast::<[T; V]>().read() }
}
