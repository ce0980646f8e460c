//! The heap of JavaScript: the system's, with a limit that is exact and a record of the most it held.
//!
//! `unsafe` because the engine wants an allocator in the manner of C, which is told neither sizes nor layouts when it
//! frees. Each block carries its size in front, in a header as large as the alignment, so that layouts can be made
//! again. The blocks are passed to `std`'s allocator with the very layout they were made with. It is the system's
//! allocator, not the binary's own: it gives large blocks back to the kernel at once.
#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::ptr;
use std::rc::Rc;

use rquickjs::allocator::Allocator;

/// What a heap holds, and may hold.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    used: Cell<usize>,
    peak: Cell<usize>,
    limit: Cell<usize>,
    refused: Cell<bool>,
}

impl Meter {
    /// Sets the limit in bytes.
    pub(crate) fn set_limit(&self, bytes: usize) {
        self.limit.set(bytes);
    }

    /// Lets the heap hold `bytes` more: an error must be told even where memory is what is missing.
    pub(crate) fn extend(&self, bytes: usize) {
        self.limit.set(self.limit.get().saturating_add(bytes));
    }

    /// The most bytes that it held.
    pub(crate) fn peak(&self) -> usize {
        self.peak.get()
    }

    /// Whether it ever had to refuse a block.
    pub(crate) fn refused(&self) -> bool {
        self.refused.get()
    }

    fn grow(&self, bytes: usize) -> bool {
        match self.used.get().checked_add(bytes) {
            Some(used) if used <= self.limit.get() => {
                self.used.set(used);
                self.peak.set(self.peak.get().max(used));
                true
            }
            _ => {
                self.refused.set(true);
                false
            }
        }
    }

    fn shrink(&self, bytes: usize) {
        self.used.set(self.used.get() - bytes);
    }
}

/// Allocates as far as its meter goes.
pub(crate) struct Heap(pub(crate) Rc<Meter>);

const HEADER: usize = 16;

/// The layout of a block for `size` bytes, its header included.
fn layout(size: usize) -> Option<Layout> {
    let size = size.checked_add(HEADER)?.checked_next_multiple_of(HEADER)?;
    Layout::from_size_align(size, HEADER).ok()
}

impl Heap {
    fn make(&self, size: usize, make: unsafe fn(&System, Layout) -> *mut u8) -> *mut u8 {
        let Some(layout) = layout(size) else { return ptr::null_mut() };
        if !self.0.grow(layout.size()) {
            return ptr::null_mut();
        }
        // SAFETY: the layout is not empty, it has the header at least.
        let block = unsafe { make(&System, layout) };
        if block.is_null() {
            self.0.shrink(layout.size());
            self.0.refused.set(true);
            return block;
        }
        // SAFETY: the block begins with room for the header, and is aligned for it.
        unsafe {
            block.cast::<usize>().write(layout.size());
            block.add(HEADER)
        }
    }
}

/// The block that carries `data`, and its layout.
///
/// # Safety
/// `data` is of [`Heap::make`] or `realloc`, and not freed.
unsafe fn block(data: *mut u8) -> (*mut u8, Layout) {
    // SAFETY: the header was written in front of `data` with the size of a valid layout.
    unsafe {
        let block = data.sub(HEADER);
        (block, Layout::from_size_align_unchecked(block.cast::<usize>().read(), HEADER))
    }
}

// SAFETY: blocks are of the system's allocator, aligned to 16, at least as large as was asked, null where there is none.
unsafe impl Allocator for Heap {
    fn alloc(&mut self, size: usize) -> *mut u8 {
        self.make(size, System::alloc)
    }

    fn calloc(&mut self, count: usize, size: usize) -> *mut u8 {
        match count.checked_mul(size) {
            Some(size) => self.make(size, System::alloc_zeroed),
            None => ptr::null_mut(),
        }
    }

    unsafe fn dealloc(&mut self, data: *mut u8) {
        if data.is_null() {
            return;
        }
        // SAFETY: the engine frees what it was given, once.
        unsafe {
            let (block, layout) = block(data);
            self.0.shrink(layout.size());
            System.dealloc(block, layout);
        }
    }

    unsafe fn realloc(&mut self, data: *mut u8, new_size: usize) -> *mut u8 {
        if data.is_null() {
            return self.alloc(new_size);
        }
        let Some(new) = layout(new_size) else { return ptr::null_mut() };
        // SAFETY: the engine passes what it was given; a failed growth leaves the old block as it was.
        unsafe {
            let (block, old) = block(data);
            if new.size() > old.size() && !self.0.grow(new.size() - old.size()) {
                return ptr::null_mut();
            }
            let moved = System.realloc(block, old, new.size());
            if moved.is_null() {
                self.0.shrink(new.size().saturating_sub(old.size()));
                self.0.refused.set(true);
                return moved;
            }
            self.0.shrink(old.size().saturating_sub(new.size()));
            moved.cast::<usize>().write(new.size());
            moved.add(HEADER)
        }
    }

    unsafe fn usable_size(data: *mut u8) -> usize {
        // SAFETY: the engine passes what it was given.
        unsafe { block(data).1.size() - HEADER }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_heap_stops_at_its_limit_and_counts_back() {
        let meter = Rc::new(Meter::default());
        meter.set_limit(1000);
        let mut heap = Heap(Rc::clone(&meter));
        let block = heap.alloc(500);
        assert!(!block.is_null() && block.addr().is_multiple_of(HEADER));
        assert!(heap.alloc(500).is_null() && meter.refused());
        // SAFETY: blocks of this heap, each freed once.
        unsafe {
            assert!(heap.realloc(block, 990).is_null(), "the header counts");
            let block = heap.realloc(block, 900);
            assert!(Heap::usable_size(block) >= 900);
            heap.dealloc(block);
        }
        assert_eq!((meter.used.get(), meter.peak() >= 916), (0, true));
        assert!(heap.calloc(usize::MAX, 2).is_null());
    }
}
