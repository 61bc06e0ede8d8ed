//! Misbehaves in every way a guest can.

use std::arch::wasm32::{self, f32x4_extract_lane, f32x4_relaxed_madd, f32x4_splat};
use std::hint::black_box;
use std::io::{self, Write};
use std::sync::atomic::{AtomicU32, Ordering};

wit_bindgen::generate!();

struct Hostile;

impl Guest for Hostile {
    fn spin() {
        loop {
            black_box(());
        }
    }

    fn bomb() {
        let mut memory = Vec::new();
        loop {
            memory.push(vec![1_u8; 1 << 20]);
            black_box(&memory);
        }
    }

    fn huge_output(n: u64) -> Vec<u8> {
        vec![b'x'; n as usize]
    }

    fn deep() -> u64 {
        deeper(0)
    }

    fn flood() {
        loop {
            let _ = writeln!(io::stdout(), "all work and no play makes a dull guest");
            let _ = writeln!(io::stderr(), "all play and no work makes a dull host");
        }
    }

    fn trap() {
        wasm32::unreachable()
    }

    fn panic(message: String) {
        panic!("{message}")
    }

    fn oob() -> u8 {
        let nowhere = black_box(0xffff_ff00_usize as *const u8);
        // SAFETY: none; this is the misbehaviour. A wasm memory never has this address, so it traps.
        unsafe { nowhere.read_volatile() }
    }

    /// Rust would check the divisor and panic, so this goes around the check.
    fn divide_by_zero(a: u32) -> u32 {
        // SAFETY: none; wasm's division traps.
        unsafe { unchecked_divide(a, black_box(0)) }
    }

    fn bad_call() {
        // SAFETY: none; a function pointer is an index into the table, which is not this large.
        let nothing: fn() = unsafe { std::mem::transmute(black_box(0x00ff_ffff_usize)) };
        nothing();
    }

    /// Not called `exit`: an export of the world is a C symbol of that name, and libc has one.
    fn leave(success: bool) {
        std::process::exit(if success { 0 } else { 1 })
    }

    fn nan_bits() -> u64 {
        let payload = black_box(f64::from_bits(0x7ff8_0000_0000_1234));
        (payload + black_box(1.0)).to_bits()
    }

    fn zero_by_zero_bits() -> u64 {
        (black_box(0.0_f64) / black_box(0.0)).to_bits()
    }

    fn relaxed() -> f32 {
        relaxed_square_error()
    }

    fn calls() -> u32 {
        static CALLS: AtomicU32 = AtomicU32::new(0);
        CALLS.fetch_add(1, Ordering::Relaxed) + 1
    }
}

/// Not a loop in disguise: the addition after the call needs the frame, and so does the array.
#[expect(unconditional_recursion, reason = "this is the misbehaviour")]
#[inline(never)]
fn deeper(depth: u64) -> u64 {
    let frame = black_box([depth; 8]);
    deeper(depth + 1) + frame[0]
}

/// `a / b` without a check of `b`.
unsafe fn unchecked_divide(a: u32, b: u32) -> u32 {
    // SAFETY: none, see above.
    unsafe { std::hint::assert_unchecked(b != 0) };
    a / b
}

/// (1 + 2^-23) (1 - 2^-23) - 1 is -2^-46 exactly, and 0 if the product is rounded first.
#[target_feature(enable = "relaxed-simd")]
fn relaxed_square_error() -> f32 {
    let above = f32x4_splat(black_box(1.0 + f32::EPSILON));
    let below = f32x4_splat(black_box(1.0 - f32::EPSILON));
    f32x4_extract_lane::<0>(f32x4_relaxed_madd(
        above,
        below,
        f32x4_splat(black_box(-1.0)),
    ))
}

export!(Hostile);
