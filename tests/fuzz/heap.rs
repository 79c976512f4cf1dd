//! How much memory a parser holds at once.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

struct Counting;

thread_local! {
    static HELD: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
}

fn count(bytes: isize) {
    // The thread's last frees come after its variables are gone.
    HELD.try_with(|held| {
        held.set(held.get() + bytes);
        PEAK.try_with(|peak| peak.set(peak.get().max(held.get())))
            .ok();
    })
    .ok();
}

#[expect(unsafe_code, reason = "an allocator is")]
// SAFETY: every call goes to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// What `parse` returns, and the most bytes it held at once.
pub fn peak_of<T>(parse: impl FnOnce() -> T) -> (T, usize) {
    let before = HELD.get();
    PEAK.set(before);
    let result = parse();
    (result, usize::try_from(PEAK.get() - before).unwrap_or(0))
}

/// Fails when `parse` holds more than `times` the input and half a MiB.
#[track_caller]
pub fn bounded<T>(input: usize, times: usize, parse: impl FnOnce() -> T) -> T {
    let (result, peak) = peak_of(parse);
    assert!(
        peak <= input * times + (1 << 19),
        "{input} bytes of input took {peak} bytes of memory"
    );
    result
}

#[test]
fn what_is_held_is_counted() {
    let (bytes, peak) = peak_of(|| vec![1_u8; 1 << 20]);
    assert!(peak >= bytes.len());
    let (_, peak) = peak_of(|| 7);
    assert!(peak < 1024, "{peak}");
}
