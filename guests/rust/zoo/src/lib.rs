//! Gives back what it gets, for every WIT type.

use std::cell::Cell;

use exports::homestar::zoo::counters::{self, Counter, GuestCounter};
use exports::homestar::zoo::echo::{self, *};
use exports::homestar::zoo::{numbers, words};

wit_bindgen::generate!();

struct Zoo;

/// Functions that return their argument.
macro_rules! echoes {
    ($($name:ident: $type:ty,)*) => {
        $(fn $name(value: $type) -> $type {
            value
        })*
    };
}

impl echo::Guest for Zoo {
    echoes! {
        echo_bool: bool,
        echo_u8: u8,
        echo_u16: u16,
        echo_u32: u32,
        echo_u64: u64,
        echo_s8: i8,
        echo_s16: i16,
        echo_s32: i32,
        echo_s64: i64,
        echo_f32: f32,
        echo_f64: f64,
        echo_char: char,
        echo_string: String,

        echo_bytes: Vec<u8>,
        echo_list_u32: Vec<u32>,
        echo_list_f64: Vec<f64>,
        echo_list_string: Vec<String>,
        echo_list_bytes: Vec<Vec<u8>>,
        echo_list_option: Vec<Option<u32>>,
        echo_pairs: Vec<(String, u64)>,
        echo_list_person: Vec<Person>,

        echo_tuple: (u32, String),
        echo_tuple_one: (u32,),
        echo_tuple_nested: ((u8, bool), Option<(char, f32)>),
        echo_point: Point,
        echo_person: Person,

        echo_shape: Shape,
        echo_color: Color,
        echo_permissions: Permissions,
        echo_thirty_two: ThirtyTwo,

        echo_option: Option<u32>,
        echo_option_string: Option<String>,
        echo_option_option: Option<Option<u32>>,
        echo_option_list: Option<Vec<u8>>,

        echo_result: Result<(), ()>,
        echo_result_ok: Result<u32, ()>,
        echo_result_err: Result<(), String>,
        echo_result_both: Result<u32, String>,
        echo_result_nested: Result<Result<u32, String>, Option<String>>,
    }

    fn fail(reason: String) -> Result<u32, String> {
        Err(reason)
    }

    fn fail_shape(reason: Shape) -> Result<u32, Shape> {
        Err(reason)
    }

    fn many_parameters(
        a: u8,
        b: u16,
        c: u32,
        d: u64,
        e: i8,
        f: i16,
        g: i32,
        h: i64,
        i: f32,
        j: f64,
        k: bool,
        l: char,
        m: String,
        n: Vec<u8>,
        o: Option<u32>,
        p: Point,
    ) -> Many {
        Many {
            a,
            b,
            c,
            d,
            e,
            f,
            g,
            h,
            i,
            j,
            k,
            l,
            m,
            n,
            o,
            p,
        }
    }

    fn many_results() -> Many {
        Many {
            a: 1,
            b: 2,
            c: 3,
            d: 4,
            e: -1,
            f: -2,
            g: -3,
            h: -4,
            i: 0.5,
            j: 0.25,
            k: true,
            l: 'ö',
            m: "many".into(),
            n: vec![1, 2, 3],
            o: None,
            p: Point { x: 1.0, y: 2.0 },
        }
    }

    fn nothing() {}
}

impl numbers::Guest for Zoo {
    fn twice(value: u32) -> u32 {
        value.wrapping_mul(2)
    }
}

impl words::Guest for Zoo {
    fn twice(value: String) -> String {
        value.repeat(2)
    }
}

struct Count(Cell<u32>);

impl counters::Guest for Zoo {
    type Counter = Count;

    fn open(start: u32) -> Counter {
        Counter::new(Count::new(start))
    }

    fn read(counter: counters::CounterBorrow<'_>) -> u32 {
        counter.get::<Count>().value()
    }
}

impl GuestCounter for Count {
    fn new(start: u32) -> Self {
        Self(Cell::new(start))
    }

    fn increment(&self) -> u32 {
        self.0.set(self.0.get().wrapping_add(1));
        self.value()
    }

    fn value(&self) -> u32 {
        self.0.get()
    }

    fn larger(a: Counter, b: Counter) -> Counter {
        if a.get::<Self>().value() >= b.get::<Self>().value() {
            a
        } else {
            b
        }
    }
}

impl Guest for Zoo {
    fn answer() -> u32 {
        42
    }

    fn repeat(text: String, times: u32) -> String {
        text.repeat(times as usize)
    }
}

export!(Zoo);
