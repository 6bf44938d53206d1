//! The number of threads changes no bit.

use crate::backward::{Found, incoming};
use crate::case::{Case, Random};
use crate::surrogate::SURROGATES;
use crate::views::Layout;
use crate::{RESETS, assert_same_bits, reference};
use bitspike::parallel::{self, Executor};
use bitspike::sequence::{Outputs, forward};
use bitspike::simd::Isa;
use bitspike::tiling::Shape;
use std::sync::atomic::{AtomicUsize, Ordering};

/// How many threads the executor of this test binary has.
static THREADS: AtomicUsize = AtomicUsize::new(1);
/// The most that it was asked to use at once.
static MOST_USED: AtomicUsize = AtomicUsize::new(0);

struct Pretended;

impl Executor for Pretended {
    fn threads(&self) -> usize {
        THREADS.load(Ordering::SeqCst)
    }
    fn run(&self, threads: usize, task: &(dyn Fn() + Sync)) {
        MOST_USED.fetch_max(threads, Ordering::SeqCst);
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(task);
            }
        });
    }
}

#[test]
fn threads_change_nothing() {
    assert!(parallel::install(Box::new(Pretended)));
    assert!(!parallel::install(Box::new(Pretended)));
    let shape = Shape {
        steps: 200,
        samples: 3,
        neurons: 300,
    };
    let mut random = Random::plain(8);
    for reset in RESETS {
        let case = Case::new(reset, shape, Layout::Sequence, Layout::Neuron, &mut random);
        let incoming = incoming(Layout::Sequence, shape, &mut random);
        let expected = reference::forward(&case);
        let gradients = Found::all(Isa::Scalar, &case, SURROGATES[0], &incoming);
        for threads in 1..=4 {
            THREADS.store(threads, Ordering::SeqCst);
            assert_eq!(parallel::threads(), threads);
            for &isa in Isa::available() {
                let mut packed = vec![u64::MAX; expected.packed.len()];
                let mut membrane = vec![f32::NAN; case.len()];
                let outputs = Outputs {
                    packed: Some(&mut packed),
                    states: vec![Some(&mut membrane)],
                    last: vec![None],
                    ..Outputs::default()
                };
                forward(isa, &case.layer(), outputs).expect("lengths fit");
                assert_eq!(packed, expected.packed);
                assert_same_bits("membrane", &membrane, &expected.membrane);
                Found::all(isa, &case, SURROGATES[0], &incoming).assert_same_bits(&gradients);
            }
        }
    }
    assert_eq!(MOST_USED.load(Ordering::SeqCst), 4);
}
