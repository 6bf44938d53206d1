//! Calls that are ended before they are done.

mod calls;
#[path = "../common/threads.rs"]
mod threads;

use bitspike::parallel::{Interrupted, interruptible};
use bitspike::registry::NeuronKind;
use calls::{
    draws, fed_back, input_gradients, products, program, run, through_time, weight_gradients,
};
use std::cell::Cell;
use std::time::{Duration, Instant};
use threads::on_threads;

thread_local! {
    /// How often this thread was asked whether to stop.
    static ASKED: Cell<usize> = const { Cell::new(0) };
}

fn ask() -> usize {
    ASKED.replace(ASKED.get() + 1)
}

/// Goes on twice.
fn at_the_third_time() -> bool {
    ask() == 2
}

fn never() -> bool {
    ask();
    false
}

/// Uses, in between, memory that the thread keeps for its calls.
fn at_the_second_time_after_other_calls() -> bool {
    through_time(NeuronKind::Leaky, 10);
    products(10, 100);
    ask() == 1
}

/// Runs `body`, which would take minutes.
#[track_caller]
fn assert_ends(should_stop: fn() -> bool, body: impl FnOnce()) {
    ASKED.set(0);
    let start = Instant::now();
    assert_eq!(interruptible(should_stop, body), Err(Interrupted));
    assert!(ASKED.get() > 0);
    assert!(
        start.elapsed() < Duration::from_secs(20),
        "took {:?}",
        start.elapsed()
    );
}

/// Ends a large call on one and on several threads; a small one returns the same before and after.
#[track_caller]
fn assert_can_be_ended<R: PartialEq + std::fmt::Debug>(small: impl Fn() -> R, large: impl Fn()) {
    for threads in [1, 3] {
        on_threads(threads);
        let before = small();
        assert_ends(at_the_third_time, &large);
        assert_eq!(small(), before);
    }
}

const MANY: usize = 1 << 33;

#[test]
fn forward_ends() {
    let neuron = NeuronKind::Leaky;
    assert_can_be_ended(|| run(neuron, 100), || drop(run(neuron, MANY)));
}

#[test]
fn backward_ends() {
    // So long that it takes minutes, so short that what it saves on its way fits memory.
    let neuron = NeuronKind::HodgkinHuxley;
    let large = || drop(through_time(neuron, 20_000_000));
    assert_can_be_ended(|| through_time(neuron, 100), large);
}

#[test]
fn recurrent_layers_end() {
    assert_can_be_ended(|| fed_back(100), || drop(fed_back(MANY)));
}

#[test]
fn programs_end() {
    assert_can_be_ended(|| program(100), || drop(program(MANY)));
}

#[test]
fn products_end() {
    assert_can_be_ended(|| products(20, 70), || drop(products(50_000, 2048)));
}

#[test]
fn weight_gradients_end() {
    let large = || drop(weight_gradients(100_000, 2048));
    assert_can_be_ended(|| weight_gradients(100, 70), large);
}

#[test]
fn input_gradients_end() {
    let large = || drop(input_gradients(10_000, 8192));
    assert_can_be_ended(|| input_gradients(20, 70), large);
}

#[test]
fn draws_end() {
    assert_can_be_ended(|| draws(100), || drop(draws(1 << 27)));
}

#[test]
fn the_answer_may_come_from_other_calls() {
    for threads in [1, 3] {
        on_threads(threads);
        let stop = at_the_second_time_after_other_calls;
        assert_ends(stop, || drop(run(NeuronKind::Leaky, MANY)));
        assert_ends(stop, || {
            drop(through_time(NeuronKind::HodgkinHuxley, 20_000_000))
        });
        assert_ends(stop, || drop(products(50_000, 2048)));
    }
}

#[test]
fn small_calls_do_not_ask() {
    on_threads(2);
    ASKED.set(0);
    assert!(interruptible(never, || run(NeuronKind::Leaky, 100)).is_ok());
    assert_eq!(ASKED.get(), 0);
}

#[test]
fn calls_do_not_end_each_other() {
    on_threads(3);
    let (alone, steps) = (run(NeuronKind::Leaky, 1_000_000), 1_000_000);
    std::thread::scope(|scope| {
        let other = scope.spawn(move || {
            on_threads(3);
            interruptible(never, || run(NeuronKind::Leaky, steps))
        });
        let mut ended = 0;
        while !other.is_finished() {
            assert_ends(at_the_third_time, || drop(run(NeuronKind::Leaky, MANY)));
            ended += 1;
        }
        assert_eq!(other.join().expect("no panic"), Ok(alone));
        assert!(ended > 0);
    });
}

#[test]
fn other_panics_pass() {
    on_threads(1);
    let panicking = || interruptible(never, || panic!("a bug"));
    let payload = std::panic::catch_unwind(panicking).expect_err("it panics");
    assert_eq!(payload.downcast_ref(), Some(&"a bug"));
}
