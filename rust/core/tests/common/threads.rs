//! As many threads as a test asks for.

use bitspike::parallel::{self, Executor};
use std::cell::Cell;
use std::sync::OnceLock;

thread_local! {
    /// How many threads the calls of this thread use.
    static THREADS: Cell<usize> = const { Cell::new(1) };
}

/// Scoped threads, the calling one among them, as many as that one says.
struct AsSaid;

impl Executor for AsSaid {
    fn threads(&self) -> usize {
        THREADS.get()
    }
    fn run(&self, threads: usize, task: &(dyn Fn() + Sync)) {
        std::thread::scope(|scope| {
            for _ in 1..threads {
                scope.spawn(task);
            }
            task();
        });
    }
}

/// Runs later calls of this thread on so many.
pub(crate) fn on_threads(threads: usize) {
    static INSTALLED: OnceLock<bool> = OnceLock::new();
    assert!(INSTALLED.get_or_init(|| parallel::install(Box::new(AsSaid))));
    THREADS.set(threads);
}
