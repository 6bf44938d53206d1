//! Attention between spikes, against sums of plain integers.

use bitspike::Error;
use bitspike::attention::{Attention, Order, attend};
use bitspike::simd::Isa;
use bitspike::spikes::{layout::words, pack};
use proptest::prelude::*;

/// A number in `0..range` that depends on its position and the seed only.
fn number(seed: u64, position: usize, range: u64) -> u64 {
    let mut x = (position as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ seed;
    x = (x ^ x >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    (x ^ x >> 27).wrapping_mul(0x94d0_49bb_1331_11eb) % range
}

/// Spikes of queries, keys and values, as bits, and the sums of each head.
struct Case {
    bits: [Vec<u64>; 3],
    samples: usize,
    tokens: usize,
    heads: usize,
    neurons: usize,
    sums: Vec<u32>,
}

impl Case {
    fn new(seed: u64, [samples, tokens, heads, width]: [usize; 4], in_ten: u64) -> Self {
        let neurons = heads * width;
        let rows = samples * tokens;
        let parts = [0, 1, 2].map(|part| -> Vec<u8> {
            let fires = |i| u8::from(number(seed ^ part, i, 10) < in_ten);
            (0..rows * neurons).map(fires).collect()
        });
        let [queries, keys, values] = &parts;
        let mut sums = vec![0; rows * neurons];
        for row in 0..rows {
            let sample = row / tokens * tokens..(row / tokens + 1) * tokens;
            for column in 0..neurons {
                let head = column / width * width..(column / width + 1) * width;
                let of_token = |token: usize| {
                    let shared = |i: usize| {
                        u32::from(queries[row * neurons + i] & keys[token * neurons + i])
                    };
                    head.clone().map(shared).sum::<u32>()
                        * u32::from(values[token * neurons + column])
                };
                sums[row * neurons + column] = sample.clone().map(of_token).sum();
            }
        }
        let bits = parts.map(|bytes| {
            let mut bits = vec![0; rows * words(neurons)];
            pack(Isa::Scalar, &bytes, rows, neurons, &mut bits).expect("lengths fit");
            bits
        });
        Self {
            bits,
            samples,
            tokens,
            heads,
            neurons,
            sums,
        }
    }

    fn attention(&self) -> Attention<'_> {
        let [queries, keys, values] = &self.bits;
        Attention {
            queries,
            keys,
            values,
            samples: self.samples,
            tokens: self.tokens,
            neurons: self.neurons,
            heads: self.heads,
        }
    }
}

/// Samples, tokens, heads, neurons of a head: around the ends of words, vectors and tiles.
fn shape() -> impl Strategy<Value = [usize; 4]> {
    prop_oneof![
        4 => (0_usize..4, 0_usize..12, 1_usize..4, 0_usize..40).prop_map(|(b, n, h, d)| [b, n, h, d]),
        1 => (1_usize..3, 60_usize..70, 1_usize..3, 30_usize..36).prop_map(|(b, n, h, d)| [b, n, h, d]),
        1 => prop::sample::select(vec![
            [1, 3, 1, 64], [1, 5, 2, 65], [2, 7, 1, 127], [1, 2, 3, 129], [1, 64, 1, 64], [1, 1, 7, 1],
        ]),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(120))]

    #[test]
    fn attention_is_what_integers_add_up_to(
        shape in shape(),
        in_ten in prop::sample::select(vec![0_u64, 1, 5, 10]),
        scale in prop::sample::select(vec![1.0_f32, 0.125, 0.3]),
        seed: u64,
    ) {
        let case = Case::new(seed, shape, in_ten);
        let wanted: Vec<u32> = case.sums.iter().map(|&sum| (sum as f32 * scale).to_bits()).collect();
        for &isa in Isa::available() {
            for order in [None, Some(Order::QueriesAndKeys), Some(Order::KeysAndValues)] {
                let mut out = vec![f32::NAN; wanted.len()];
                attend(isa, case.attention(), order, scale, &mut out)?;
                let bits: Vec<u32> = out.iter().map(|x| x.to_bits()).collect();
                prop_assert_eq!(bits, &*wanted, "{} {:?}", isa.name(), order);
            }
        }
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let case = Case::new(1, [2, 3, 2, 4], 5);
    let call = |attention: Attention<'_>, length: usize| {
        attend(Isa::Scalar, attention, None, 1.0, &mut vec![0.0; length])
    };
    assert_eq!(call(case.attention(), 48), Ok(()));
    assert!(matches!(
        call(case.attention(), 47),
        Err(Error::Length { what: "out", .. })
    ));
    for heads in [0, 3] {
        let wrong = Attention {
            heads,
            ..case.attention()
        };
        assert_eq!(call(wrong, 48), Err(Error::Heads { neurons: 8, heads }));
    }
    let short = Attention {
        keys: &case.bits[1][..5],
        ..case.attention()
    };
    assert!(matches!(
        call(short, 48),
        Err(Error::Length { what: "spikes", .. })
    ));
    let padded = [1 << 8; 6];
    let padded = Attention {
        values: &padded,
        ..case.attention()
    };
    assert_eq!(call(padded, 48), Err(Error::Padding { neurons: 8 }));
    let large = Attention {
        queries: &[],
        keys: &[],
        values: &[],
        samples: 0,
        tokens: 1 << 22,
        neurons: 8,
        heads: 1,
    };
    assert_eq!(call(large, 0), Err(Error::Overflow { what: "attention" }));
}
