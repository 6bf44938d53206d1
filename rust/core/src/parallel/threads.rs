//! Work on several threads.

use super::GRAIN;
use super::interrupt::{Shared, progress};
use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

/// Something that can run a function on several threads at once.
pub trait Executor: Send + Sync {
    /// How many threads it would use now.
    fn threads(&self) -> usize;
    /// Calls `task` up to `threads` times, at once on different threads, and returns when all
    /// calls have returned. It must call it at least once, and should do so on the calling thread,
    /// which alone can interrupt the work. A panic of `task` on this thread reaches the caller.
    fn run(&self, threads: usize, task: &(dyn Fn() + Sync));
}

/// Scoped threads, one per core: the executor of programs that install no other.
#[derive(Debug)]
struct ScopedThreads;

impl Executor for ScopedThreads {
    fn threads(&self) -> usize {
        std::thread::available_parallelism().map_or(1, usize::from)
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

thread_local! {
    /// Whether the thread works on an item of many: what that does in turn, it does alone.
    static WORKS: Cell<bool> = const { Cell::new(false) };
}

static EXECUTOR: OnceLock<Box<dyn Executor>> = OnceLock::new();

/// Makes all later work run on `executor`. Returns false if one is already installed.
pub fn install(executor: Box<dyn Executor>) -> bool {
    EXECUTOR.set(executor).is_ok()
}

/// How many threads large work would use now: one where the calling thread works on an item of many.
#[must_use]
pub fn threads() -> usize {
    if WORKS.get() {
        return 1;
    }
    executor().threads().max(1)
}

fn executor() -> &'static dyn Executor {
    EXECUTOR.get().map_or(&ScopedThreads, Box::as_ref)
}

/// Calls `f` once with each item, on several threads if `work` elementary steps are worth it. Calls
/// within `f` run on its thread, unless that is the only one.
///
/// # Panics
/// If `f` panics; the other items may or may not have been worked on.
pub fn for_each<I: Send>(items: Vec<I>, work: usize, f: impl Fn(I) + Sync) {
    let wanted = items.len().min(work / GRAIN + 1);
    let alone = wanted <= 1 || WORKS.get();
    let threads = if alone { 1 } else { wanted.min(threads()) };
    let share = work / items.len().max(1);
    if threads == 1 {
        return items.into_iter().for_each(|item| {
            f(item);
            progress(share);
        });
    }
    let shared = Shared::new(items.len());
    let items: Vec<_> = items
        .into_iter()
        .map(|item| Mutex::new(Some(item)))
        .collect();
    let next = AtomicUsize::new(0);
    executor().run(threads, &|| {
        let _working = Working::start();
        shared.work(|| {
            while let Some(slot) = items.get(next.fetch_add(1, Ordering::Relaxed)) {
                let _counted = shared.item();
                let item = slot.lock().unwrap_or_else(PoisonError::into_inner).take();
                item.into_iter().for_each(&f);
                progress(share);
            }
        });
    });
}

/// As long as it lives, its thread works on items of many.
struct Working;

impl Working {
    fn start() -> Self {
        WORKS.set(true);
        Self
    }
}

impl Drop for Working {
    fn drop(&mut self) {
        WORKS.set(false);
    }
}

#[cfg(test)]
mod tests {
    use super::super::GRAIN;
    use super::for_each;
    use std::sync::Mutex;

    #[test]
    fn every_item_is_worked_on_once() {
        for work in [0, 100 * GRAIN] {
            let seen = Mutex::new(Vec::new());
            for_each((0..1000).collect(), work, |i| {
                seen.lock().expect("no panic").push(i)
            });
            let mut seen = seen.into_inner().expect("no panic");
            seen.sort_unstable();
            assert_eq!(seen, (0..1000).collect::<Vec<_>>());
        }
    }

    #[test]
    fn items_work_on_their_own_thread() {
        let items = || (0..8).collect::<Vec<_>>();
        let several = super::threads() > 1;
        for_each(items(), 100 * GRAIN, |_| {
            let outer = std::thread::current().id();
            for_each(items(), 100 * GRAIN, |_| {
                assert!(!several || std::thread::current().id() == outer);
            });
        });
    }

    #[test]
    fn an_item_has_one_thread() {
        let several = super::threads() > 1;
        for_each((0..8).collect::<Vec<_>>(), 100 * GRAIN, |_| {
            assert!(!several || super::threads() == 1);
        });
        assert_eq!(super::threads() > 1, several);
    }

    #[test]
    fn a_panic_reaches_the_caller() {
        // Which thread panics is open, and with it the message.
        let items = (0..100).collect();
        let run = || for_each(items, 100 * GRAIN, |i| assert!(i != 99, "item {i}"));
        assert!(std::panic::catch_unwind(run).is_err());
    }
}
