//! Every WIT type goes into a guest and comes back as it was.

use homestar_core::ipld::Ipld;
use homestar_core::wit::{Type, Value, from_ipld, into_ipld};
use homestar_engine::{Component, Setting};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use crate::{engine, int, limits, load, ok, text};

fn zoo() -> Component {
    load(homestar_guests::zoo())
}

/// Makes values of a given type, small ones mostly and the ends of ranges often.
struct Source(ChaCha8Rng);

impl Source {
    fn below(&mut self, end: usize) -> usize {
        (self.0.next_u64() % end as u64) as usize
    }

    fn bits(&mut self) -> u64 {
        match self.below(4) {
            0 => 0,
            1 => u64::MAX,
            2 => 1 << self.below(64),
            _ => self.0.next_u64(),
        }
    }

    fn text(&mut self) -> String {
        (0..self.below(20)).map(|_| self.character()).collect()
    }

    fn character(&mut self) -> char {
        let any = char::from_u32(self.bits() as u32 % 0x11_0000);
        if self.below(2) == 0 {
            'x'
        } else {
            any.unwrap_or('\u{10ffff}')
        }
    }

    fn many(&mut self, ty: &Type) -> Vec<Value> {
        (0..self.below(5)).map(|_| self.value(ty)).collect()
    }

    fn payload(&mut self, ty: Option<&Type>) -> Option<Box<Value>> {
        ty.map(|ty| Box::new(self.value(ty)))
    }

    fn value(&mut self, ty: &Type) -> Value {
        match ty {
            Type::Bool => Value::Bool(self.below(2) == 0),
            Type::S8 => Value::S8(self.bits() as i8),
            Type::U8 => Value::U8(self.bits() as u8),
            Type::S16 => Value::S16(self.bits() as i16),
            Type::U16 => Value::U16(self.bits() as u16),
            Type::S32 => Value::S32(self.bits() as i32),
            Type::U32 => Value::U32(self.bits() as u32),
            Type::S64 => Value::S64(self.bits() as i64),
            Type::U64 => Value::U64(self.bits()),
            Type::F32 => Value::F32(f32::from_bits(self.bits() as u32)),
            Type::F64 => Value::F64(f64::from_bits(self.bits())),
            Type::Char => Value::Char(self.character()),
            Type::String => Value::String(self.text()),
            list if list.is_bytes() => {
                Value::Bytes((0..self.below(300)).map(|_| self.bits() as u8).collect())
            }
            Type::List(element) => Value::List(self.many(element)),
            Type::Record(fields) => {
                Value::Record(fields.iter().map(|field| self.value(&field.ty)).collect())
            }
            Type::Tuple(types) => Value::Tuple(types.iter().map(|ty| self.value(ty)).collect()),
            Type::Variant(cases) => {
                let case = self.below(cases.len());
                Value::Variant(case as u32, self.payload(cases[case].ty.as_ref()))
            }
            Type::Enum(names) => Value::Enum(self.below(names.len()) as u32),
            Type::Option(some) => {
                Value::Option((self.below(3) > 0).then(|| Box::new(self.value(some))))
            }
            Type::Result { ok, .. } if self.below(2) == 0 => {
                Value::Result(Ok(self.payload(ok.as_deref())))
            }
            Type::Result { err, .. } => Value::Result(Err(self.payload(err.as_deref()))),
            Type::Flags(names) => {
                let words = names.len().div_ceil(32);
                let unused = (words * 32 - names.len()) as u32;
                let mut flags: Vec<u32> = (0..words).map(|_| self.bits() as u32).collect();
                if let Some(last) = flags.last_mut() {
                    *last = *last << unused >> unused;
                }
                Value::Flags(flags)
            }
            handle => panic!("{handle} has no values"),
        }
    }
}

/// Values cross as they are, through a guest that was made from WIT by another tool.
#[test]
fn every_type_comes_back_as_it_was() {
    let zoo = zoo();
    let echoes: Vec<_> = zoo
        .functions()
        .iter()
        .filter(|function| function.name.starts_with("echo-"))
        .collect();
    assert!(echoes.len() >= 39, "{}", echoes.len());
    let mut source = Source(ChaCha8Rng::seed_from_u64(1));
    let mut instance = engine().start(&zoo, Setting::default(), &limits()).unwrap();
    for function in echoes {
        let export = zoo.find(&function.full_name()).unwrap();
        for _ in 0..100 {
            let value = source.value(&function.params[0].1);
            let back = instance.call(export, vec![value.clone()]);
            assert_eq!(back, Ok(Some(value)), "{function}");
        }
    }
}

/// The same through the written form, as a task does it.
#[test]
fn every_type_comes_back_from_its_written_form() {
    let zoo = zoo();
    let mut source = Source(ChaCha8Rng::seed_from_u64(2));
    for function in zoo
        .functions()
        .iter()
        .filter(|function| function.name.starts_with("echo-"))
    {
        // A result at the top is the outcome itself, so it is no value.
        if matches!(function.result, Some(Type::Result { .. })) {
            continue;
        }
        let ty = &function.params[0].1;
        for _ in 0..5 {
            let written = into_ipld(source.value(ty), ty).unwrap();
            assert_eq!(
                ok(&zoo, &function.full_name(), vec![written.clone()]),
                written,
                "{function}"
            );
            from_ipld(written, ty).unwrap();
        }
    }
}

#[test]
fn more_parameters_than_registers_go_through_memory() {
    let zoo = zoo();
    let expected = ok(&zoo, "many-results", vec![]);
    let Ipld::Map(fields) = expected.clone() else {
        panic!("{expected:?}")
    };
    let args: Vec<_> = fields.values().cloned().collect();
    assert_eq!(args.len(), 16);
    assert_eq!(fields["m"], text("many"));
    assert_eq!(fields["e"], int(-1));
    assert_eq!(ok(&zoo, "many-parameters", args), expected);
}

#[test]
fn a_megabyte_of_bytes_comes_back() {
    let bytes: Vec<u8> = (0..1 << 20).map(|number: u32| number as u8).collect();
    let zoo = zoo();
    assert_eq!(
        ok(&zoo, "echo-bytes", vec![Ipld::Bytes(bytes.clone())]),
        Ipld::Bytes(bytes.clone())
    );
    let nested = Ipld::List(vec![Ipld::Bytes(bytes); 3]);
    assert_eq!(ok(&zoo, "echo-list-bytes", vec![nested.clone()]), nested);
}

#[test]
fn nothing_is_null() {
    assert_eq!(ok(&zoo(), "nothing", vec![]), Ipld::Null);
}
