//! Ending a call before it is done.
//!
//! A kernel cannot be left from outside: other threads write to memory that its caller owns. It is
//! left from inside, where it says with [`progress`] that a piece of work is done. The thread that
//! made the call then asks now and then whether to go on; if not, it raises a flag, and every thread
//! that works for this call unwinds. Calls do not see each other's flags.

use std::cell::{Cell, RefCell};
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long a call goes on before it first asks, and between two questions: an answer may have to
/// wait for others, as one of Python does for its lock.
const INTERVAL: Duration = Duration::from_millis(50);
/// Elementary steps between two looks at the clock and the flag: a few milliseconds of the slowest
/// neuron, and some ten thousand times what a look costs.
const PIECE: usize = 512 * 1024;

/// A call was ended before it was done: what it was to write is partly written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the call was interrupted")]
pub struct Interrupted;

/// What a thread knows of the call that it works for.
#[derive(Clone, Debug)]
struct Call {
    stopped: Arc<AtomicBool>,
    /// Whether to stop: asked by the thread that made the call only.
    should_stop: Option<fn() -> bool>,
}

/// When the present call began, or almost, and when it asks next.
#[derive(Clone, Copy, Debug)]
struct Clock {
    start: Instant,
    next: Instant,
}

thread_local! {
    static CALL: RefCell<Option<Call>> = const { RefCell::new(None) };
    static CLOCK: Cell<Option<Clock>> = const { Cell::new(None) };
    /// Elementary steps since the last look.
    static STEPS: Cell<usize> = const { Cell::new(0) };
}

/// Calls `body`, and ends it early if `should_stop` says so.
///
/// `should_stop` is called on this thread, every 50 ms, never in work that takes less. It may do
/// anything, even call functions of this crate. Once it has returned true, `body` unwinds within some
/// milliseconds on all threads, without a message; memory that threads keep for later calls is given
/// back.
///
/// # Errors
/// [`Interrupted`] if it was ended.
///
/// # Panics
/// If `body` does.
///
/// # Example
/// ```
/// use bitspike::parallel::interruptible;
/// use bitspike::{simd::Isa, spikes::count};
/// let isa = Isa::active()?;
/// let ones = interruptible(|| false, || count(isa, &[0b101, 0b1]));
/// assert_eq!(ones, Ok(3));
/// # Ok::<(), bitspike::Error>(())
/// ```
pub fn interruptible<R>(
    should_stop: fn() -> bool,
    body: impl FnOnce() -> R,
) -> Result<R, Interrupted> {
    let _present = Present::enter(Some(Call {
        stopped: Arc::default(),
        should_stop: Some(should_stop),
    }));
    catch_unwind(AssertUnwindSafe(body)).map_err(|payload| {
        match payload.downcast::<Interrupted>() {
            Ok(interrupted) => *interrupted,
            Err(panic) => resume_unwind(panic),
        }
    })
}

/// Says that so many elementary steps are done. This is where an interrupted call ends, so whatever
/// may take longer than some 20 ms says it in between; what is held across it is dropped then.
// Not inlined, because it is compiled into every loop of every neuron.
#[inline(never)]
pub(crate) fn progress(steps: usize) {
    let steps = STEPS.get().saturating_add(steps);
    STEPS.set(steps % PIECE);
    if steps >= PIECE {
        look();
    }
}

/// Cuts a loop of so many rounds, each of so many elementary steps, into ranges that take a few
/// milliseconds at most, and says [`progress`] after each.
#[inline(always)]
pub(crate) fn pieces(rounds: usize, steps: usize) -> impl Iterator<Item = Range<usize>> {
    let size = (PIECE / steps.max(1)).max(1);
    let mut piece = 0..0;
    std::iter::from_fn(
        #[inline(always)]
        move || {
            progress(piece.len().saturating_mul(steps));
            piece = piece.end..rounds.min(piece.end + size);
            (!piece.is_empty()).then(|| piece.clone())
        },
    )
}

/// Unwinds if the call has been interrupted.
#[cold]
#[inline(never)]
fn look() {
    // Not borrowed any longer, because the answer may come from other calls on this thread.
    let call = CALL.with_borrow(Option::clone);
    if call.is_some_and(|call| call.is_over()) {
        resume_unwind(Box::new(Interrupted));
    }
}

impl Call {
    fn is_over(&self) -> bool {
        if let Some(should_stop) = self.should_stop {
            let now = Instant::now();
            let clock = CLOCK.get().unwrap_or(Clock {
                start: now,
                next: now + INTERVAL,
            });
            let due = now >= clock.next;
            if due {
                // What the answer runs on this thread is no part of this call.
                let _outside = Present::enter(None);
                self.stopped.store(should_stop(), Ordering::Relaxed);
            }
            CLOCK.set(Some(Clock {
                next: if due {
                    Instant::now() + INTERVAL
                } else {
                    clock.next
                },
                ..clock
            }));
        }
        self.stopped.load(Ordering::Relaxed)
    }
}

/// Makes a call the one that this thread works for, if for any, until it is dropped.
struct Present {
    outer: Option<Call>,
}

impl Present {
    fn enter(call: Option<Call>) -> Self {
        CLOCK.set(None);
        Self {
            outer: CALL.replace(call),
        }
    }
}

impl Drop for Present {
    fn drop(&mut self) {
        CLOCK.set(None);
        CALL.set(self.outer.take());
    }
}

/// Items that several threads work on for one call.
pub(super) struct Shared {
    stopped: Option<Arc<AtomicBool>>,
    unfinished: AtomicUsize,
    waiting: Mutex<()>,
    finished: Condvar,
}

impl Shared {
    /// So many items of the call that this thread works for.
    pub(super) fn new(items: usize) -> Self {
        Self {
            stopped: CALL.with_borrow(|call| call.as_ref().map(|call| call.stopped.clone())),
            unfinished: AtomicUsize::new(items),
            waiting: Mutex::new(()),
            finished: Condvar::new(),
        }
    }

    /// Does a thread's part of the work, for the call that the items are of.
    pub(super) fn work(&self, part: impl FnOnce()) {
        let Some(stopped) = &self.stopped else {
            return part();
        };
        let own = CALL.with_borrow(|call| {
            let present = call.as_ref();
            present.is_some_and(|call| Arc::ptr_eq(&call.stopped, stopped))
        });
        if own {
            part();
            self.wait();
        } else {
            let _present = Present::enter(Some(Call {
                stopped: stopped.clone(),
                should_stop: None,
            }));
            part();
        }
    }

    /// Counts an item as finished when the result is dropped, even in a panic.
    pub(super) fn item(&self) -> impl Drop {
        struct Item<'a>(&'a Shared);
        impl Drop for Item<'_> {
            fn drop(&mut self) {
                if self.0.unfinished.fetch_sub(1, Ordering::AcqRel) == 1 {
                    let _waiting = self.0.lock();
                    self.0.finished.notify_all();
                }
            }
        }
        Item(self)
    }

    /// Waits for the items of other threads here, where the call can be interrupted, and not in the
    /// executor, if the call has taken so long that their last items may take long as well.
    fn wait(&self) {
        let lasts = |clock: Clock| clock.start.elapsed() >= INTERVAL;
        if !CLOCK.get().is_some_and(lasts) {
            return;
        }
        let mut waiting = self.lock();
        while self.unfinished.load(Ordering::Acquire) != 0 {
            let woken = self.finished.wait_timeout(waiting, INTERVAL);
            drop(woken.unwrap_or_else(PoisonError::into_inner));
            look();
            waiting = self.lock();
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, ()> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
