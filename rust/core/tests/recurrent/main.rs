//! Recurrent layers, against loops over one neuron at a time.

mod case;
#[path = "../common/views.rs"]
mod views;

use bitspike::matmul::Matrix;
use bitspike::neuron::{Mechanism, Reset};
use bitspike::parallel::{Executor, install};
use bitspike::recurrent::{Connection, Outputs, forward};
use bitspike::simd::Isa;
use bitspike::tiling::Shape;
use case::Case;
use proptest::prelude::*;
use std::sync::atomic::{AtomicUsize, Ordering};
use views::bits;

fn gradient(case: &Case) -> Vec<f32> {
    let of = |(i, x): (usize, &f32)| x - 0.01 * (i % 7) as f32;
    let current = case.current.data[..case.len()].iter();
    current.enumerate().map(of).collect()
}

fn cases() -> impl Strategy<Value = Case> {
    let mechanisms = vec![Mechanism::Subtract, Mechanism::Zero, Mechanism::None];
    let reset = (prop::sample::select(mechanisms), any::<bool>());
    let sizes = (0..12usize, 0..40usize, 0..140usize);
    (sizes, reset, any::<bool>(), any::<u64>()).prop_map(|(sizes, reset, dense, seed)| {
        let shape = Shape {
            steps: sizes.0,
            samples: sizes.1,
            neurons: sizes.2,
        };
        let reset = Reset {
            mechanism: reset.0,
            immediate: reset.1,
        };
        Case::new(shape, reset, dense, seed)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn forward_is_a_loop(case in cases()) {
        case.check_forward();
    }

    #[test]
    fn backward_is_a_loop(mut case in cases()) {
        case.reset.immediate = false;
        case.check_backward(&gradient(&case));
    }

    #[test]
    fn every_instruction_set_returns_the_same_bits(case in cases()) {
        let gradient = gradient(&case);
        let wanted = case.backward(Isa::Scalar, &gradient);
        for &isa in Isa::available() {
            for (found, wanted) in case.backward(isa, &gradient).iter().zip(&wanted) {
                prop_assert_eq!(bits(found), bits(wanted));
            }
        }
    }
}

/// As many threads as it is told, one after another.
struct Pretend;
static THREADS: AtomicUsize = AtomicUsize::new(2);

impl Executor for Pretend {
    fn threads(&self) -> usize {
        THREADS.load(Ordering::Relaxed)
    }
    fn run(&self, _: usize, task: &(dyn Fn() + Sync)) {
        task();
    }
}

/// Threads decide which samples make a group.
#[test]
fn any_number_of_threads_returns_the_same_bits() {
    install(Box::new(Pretend));
    let shape = Shape {
        steps: 5,
        samples: 77,
        neurons: 70,
    };
    let reset = Reset {
        mechanism: Mechanism::Subtract,
        immediate: true,
    };
    for dense in [true, false] {
        let case = Case::new(shape, reset, dense, 1);
        let gradient = gradient(&case);
        let mut results = [1, 2, 3, 16, 100].map(|threads| {
            THREADS.store(threads, Ordering::Relaxed);
            let isa = *Isa::available().last().expect("scalar is always there");
            let (packed, membranes) = case.forward(isa);
            let gradients = case.backward(isa, &gradient).concat();
            (packed, bits(&membranes), bits(&gradients))
        });
        let first = std::mem::take(&mut results[0]);
        assert!(results[1..].iter().all(|result| *result == first));
    }
}

#[test]
fn weights_of_another_size_are_refused() {
    let shape = Shape {
        steps: 1,
        samples: 1,
        neurons: 3,
    };
    let reset = Reset {
        mechanism: Mechanism::None,
        immediate: false,
    };
    let case = Case::new(shape, reset, true, 1);
    let mut layer = case.layer();
    for shape in [[2, 3], [3, 2]] {
        layer.connection = Connection::Dense {
            weight: Matrix::new("weight", &case.weight, shape, [2, 1]).expect("fits"),
            bias: None,
        };
        let outputs = || Outputs {
            states: vec![None],
            last: vec![None],
            ..Outputs::default()
        };
        assert!(forward(Isa::Scalar, &layer, outputs()).is_err());
    }
}
