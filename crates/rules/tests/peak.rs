//! The most memory that a piece of work held.
//!
//! `unsafe` because the global allocator is a trait of unsafe functions. Every call is passed on to the system's
//! allocator as it came; beside it a number of this thread is changed.
#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

thread_local! {
    static HELD: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
}

struct Counting;

#[global_allocator]
static COUNTING: Counting = Counting;

unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size().cast_signed());
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        count(-layout.size().cast_signed());
        unsafe { System.dealloc(block, layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // Old and new may be there at once, while the one is copied to the other.
        count(size.cast_signed());
        count(-layout.size().cast_signed());
        unsafe { System.realloc(block, layout, size) }
    }
}

fn count(bytes: isize) {
    // A thread that ends has no numbers any more, and is not measured.
    let _ = HELD.try_with(|held| {
        held.set(held.get() + bytes);
        let _ = PEAK.try_with(|peak| peak.set(peak.get().max(held.get())));
    });
}

/// What `work` gives, and the most bytes that this thread held for it at once.
pub(crate) fn of<T>(work: impl FnOnce() -> T) -> (T, usize) {
    let before = HELD.get();
    PEAK.set(before);
    let result = work();
    (result, (PEAK.get() - before).unsigned_abs())
}

#[test]
fn it_counts() {
    let (length, peak) = of(|| vec![0_u8; 1_000_000].len());
    assert!(length == 1_000_000 && (1_000_000..1_100_000).contains(&peak), "{peak}");
}
