//! What the benches share: their inputs.

/// `len` zeros and ones, the same in every run, of which about the fraction `density` are ones.
#[must_use]
pub fn spikes(len: usize, density: f64) -> Vec<f32> {
    let threshold = (density * 2f64.powi(32)) as u64;
    // Two rounds of a multiplicative hash: enough for spikes without a visible pattern.
    let hash = |i: u64| {
        let mixed = i.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (mixed ^ mixed >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 32
    };
    (0..len as u64)
        .map(|i| f32::from(u8::from(hash(i) < threshold)))
        .collect()
}
