//! Steps of a network take no memory.

#[path = "network/case/mod.rs"]
mod case;
#[path = "network/file.rs"]
mod file;
#[path = "network/integer_case/mod.rs"]
mod integer_case;
#[path = "network/layers.rs"]
mod layers;

use bitspike::network::{Decision, Input, Rule};
use bitspike::simd::Isa;
use case::Case;
use integer_case::IntegerCase;
use layers::layers;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

thread_local! {
    static TAKEN: Cell<usize> = const { Cell::new(0) };
}

/// The system's memory, each taking of which is counted.
struct Counting;

// SAFETY: all is left to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        TAKEN.set(TAKEN.get() + 1);
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

#[test]
fn steps_in_integers_take_no_memory() {
    for seed in 0..40 {
        let file = IntegerCase::new(seed).file;
        for &isa in Isa::available() {
            let network = file.network(isa);
            let mut state = network.state(2).expect("a state");
            // The first step asks the CPU what it can do.
            let step = Input::Events(&[3, 90]);
            network.step(&mut state, step).expect("a step");
            let before = TAKEN.get();
            for _ in 0..4 {
                let output = network.step(&mut state, step).expect("a step");
                assert!(output.integers("y", 1).is_some());
            }
            assert_eq!(TAKEN.get(), before, "{seed}");
        }
    }
}

#[test]
fn steps_and_decisions_take_no_memory() {
    let mut runner = TestRunner::deterministic();
    for seed in 0..40 {
        let layers = layers().new_tree(&mut runner).expect("layers").current();
        let case = Case::new(Isa::Scalar, &layers, 2, seed);
        let output = case.expected.last().map_or("x", |last| &last.spikes);
        for &isa in Isa::available() {
            let network = case.file.network(isa);
            let mut state = network.state(2).expect("a state");
            let mut decision = Decision::new(Rule::Margin(1e9));
            // The first step asks the CPU what it can do.
            network
                .step(&mut state, Input::Events(&[0]))
                .expect("a step");
            let before = TAKEN.get();
            for words in case.input.chunks(4) {
                let made = network
                    .step(&mut state, Input::Words(words))
                    .expect("a step");
                assert!(decision.see(&made, output, 1).is_continue());
                network
                    .step(&mut state, Input::Events(&[3, 90]))
                    .expect("a step");
                network
                    .step(&mut state, Input::Dense(&[0.0; 144]))
                    .expect("a step");
            }
            assert_eq!(TAKEN.get(), before, "{layers:?}");
        }
    }
    assert!(TAKEN.get() > 0);
}
