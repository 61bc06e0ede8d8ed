//! Lifting: values out of the guest. Everything read here was written by it and is believed in nothing.

use homestar_core::wit::Value;
use wasmtime::ValRaw;
use wasmtime::component::__internal::wasmtime_environ::component::{
    StringEncoding, TypeVariant, VariantInfo,
};
use wasmtime::component::__internal::{ComponentTypes, InterfaceType, LiftContext};
use wasmtime::component::{Lift as _, Resource, StreamReader};

use super::{TooMuch, broken, is_value, mismatch, of_the_guest};
use crate::content::pass::Streams;
use crate::link::blocks::Blob;
use crate::link::ipld::Held;

pub(super) struct Lifting<'a, 'b> {
    cx: &'a mut LiftContext<'b>,
    types: &'b ComponentTypes,
    /// The streams that were lifted.
    pub(super) streams: Streams,
}

type Flat<'a> = std::slice::Iter<'a, ValRaw>;

/// Takes the next core value. There is one, since the number of values follows from the type.
fn next(flat: &mut Flat<'_>) -> wasmtime::Result<ValRaw> {
    flat.next().copied().map_or_else(mismatch, Ok)
}

impl<'a, 'b> Lifting<'a, 'b> {
    pub(super) fn new(cx: &'a mut LiftContext<'b>) -> Self {
        Self {
            types: cx.types,
            cx,
            streams: Streams::new(),
        }
    }

    /// Counts `bytes` of this process's memory against the limit on what a guest may return.
    fn charge(&mut self, count: usize, bytes: usize) -> wasmtime::Result<()> {
        self.cx
            .consume_fuel_array(count, bytes)
            .map_err(|_| TooMuch.into())
    }

    /// Returns `count` elements at `address`, if they lie inside memory.
    pub(super) fn slice(
        &self,
        address: u32,
        count: u32,
        size: u32,
        align: u32,
    ) -> wasmtime::Result<&'b [u8]> {
        let (start, bytes) = (address as usize, count as usize * size as usize);
        if !address.is_multiple_of(align) {
            return broken("a pointer that the guest returned is not aligned");
        }
        let memory = self
            .cx
            .memory()
            .get(start..)
            .and_then(|rest| rest.get(..bytes));
        memory.map_or_else(
            || broken("a pointer that the guest returned lies outside of its memory"),
            Ok,
        )
    }

    pub(super) fn lift(
        &mut self,
        ty: InterfaceType,
        flat: &mut Flat<'_>,
    ) -> wasmtime::Result<Value> {
        let types = self.types;
        Ok(match ty {
            InterfaceType::Bool => Value::Bool(next(flat)?.get_u32() != 0),
            InterfaceType::S8 => Value::S8(next(flat)?.get_i32() as i8),
            InterfaceType::U8 => Value::U8(next(flat)?.get_u32() as u8),
            InterfaceType::S16 => Value::S16(next(flat)?.get_i32() as i16),
            InterfaceType::U16 => Value::U16(next(flat)?.get_u32() as u16),
            InterfaceType::S32 => Value::S32(next(flat)?.get_i32()),
            InterfaceType::U32 => Value::U32(next(flat)?.get_u32()),
            InterfaceType::S64 => Value::S64(next(flat)?.get_i64()),
            InterfaceType::U64 => Value::U64(next(flat)?.get_u64()),
            InterfaceType::Float32 => Value::F32(f32::from_bits(next(flat)?.get_f32())),
            InterfaceType::Float64 => Value::F64(f64::from_bits(next(flat)?.get_f64())),
            InterfaceType::Char => character(next(flat)?.get_u32())?,
            InterfaceType::String => {
                let pair = [next(flat)?, next(flat)?];
                self.string(pair[0].get_u32(), pair[1].get_u32())?
            }
            InterfaceType::List(index) => {
                let pair = [next(flat)?, next(flat)?];
                self.list(types[index].element, pair[0].get_u32(), pair[1].get_u32())?
            }
            InterfaceType::Record(index) => {
                let fields = types[index].fields.iter();
                Value::Record(
                    fields
                        .map(|field| self.lift(field.ty, flat))
                        .collect::<Result<_, _>>()?,
                )
            }
            InterfaceType::Tuple(index) => {
                let fields = types[index].types.iter();
                Value::Tuple(
                    fields
                        .map(|ty| self.lift(*ty, flat))
                        .collect::<Result<_, _>>()?,
                )
            }
            InterfaceType::Enum(index) => {
                let case = next(flat)?.get_u32();
                checked_case(case, types[index].names.len())?;
                Value::Enum(case)
            }
            InterfaceType::Flags(index) => {
                let count = types[index].names.len();
                let words = (0..count.div_ceil(32)).map(|_| Ok(next(flat)?.get_u32()));
                flags(words.collect::<wasmtime::Result<_>>()?, count)
            }
            InterfaceType::Stream(_) | InterfaceType::Own(_) => {
                let handle = next(flat)?;
                self.handle(ty, handle.get_u32())?
            }
            ty => {
                let cases = Cases::of(types, ty)?;
                let case = next(flat)?.get_u32();
                let payload_ty = cases.payload(case)?;
                let before = flat.len();
                let payload = payload_ty.map(|ty| self.lift(ty, flat)).transpose()?;
                let padding = (cases.flat_count - 1).saturating_sub(before - flat.len());
                flat.take(padding).for_each(drop);
                self.case(ty, case, payload)?
            }
        })
    }

    pub(super) fn load(&mut self, ty: InterfaceType, bytes: &[u8]) -> wasmtime::Result<Value> {
        let types = self.types;
        Ok(match ty {
            InterfaceType::Bool => Value::Bool(bytes[0] != 0),
            InterfaceType::S8 => Value::S8(bytes[0] as i8),
            InterfaceType::U8 => Value::U8(bytes[0]),
            InterfaceType::S16 => Value::S16(i16::from_le_bytes(array(bytes))),
            InterfaceType::U16 => Value::U16(u16::from_le_bytes(array(bytes))),
            InterfaceType::S32 => Value::S32(i32::from_le_bytes(array(bytes))),
            InterfaceType::U32 => Value::U32(u32::from_le_bytes(array(bytes))),
            InterfaceType::S64 => Value::S64(i64::from_le_bytes(array(bytes))),
            InterfaceType::U64 => Value::U64(u64::from_le_bytes(array(bytes))),
            InterfaceType::Float32 => Value::F32(f32::from_le_bytes(array(bytes))),
            InterfaceType::Float64 => Value::F64(f64::from_le_bytes(array(bytes))),
            InterfaceType::Char => character(u32::from_le_bytes(array(bytes)))?,
            InterfaceType::String => {
                let (address, length) = pair(bytes);
                self.string(address, length)?
            }
            InterfaceType::List(index) => {
                let (address, count) = pair(bytes);
                self.list(types[index].element, address, count)?
            }
            InterfaceType::Record(index) => {
                let fields = types[index].fields.iter().map(|field| field.ty);
                Value::Record(self.load_each(fields, bytes)?)
            }
            InterfaceType::Tuple(index) => {
                Value::Tuple(self.load_each(types[index].types.iter().copied(), bytes)?)
            }
            InterfaceType::Enum(index) => {
                let ty = &types[index];
                let case = load_case(&ty.info, bytes);
                checked_case(case, ty.names.len())?;
                Value::Enum(case)
            }
            InterfaceType::Flags(index) => {
                let words = bytes.chunks(4).map(|chunk| {
                    let mut word = [0; 4];
                    word[..chunk.len()].copy_from_slice(chunk);
                    u32::from_le_bytes(word)
                });
                flags(words.collect(), types[index].names.len())
            }
            InterfaceType::Stream(_) | InterfaceType::Own(_) => {
                self.handle(ty, u32::from_le_bytes(array(bytes)))?
            }
            ty => {
                let cases = Cases::of(types, ty)?;
                let case = load_case(cases.info, bytes);
                let payload = cases.payload(case)?.map(|ty| {
                    let size = types.canonical_abi(&ty).size32 as usize;
                    let start = cases.info.payload_offset32 as usize;
                    self.load(ty, &bytes[start..][..size])
                });
                let payload = payload.transpose()?;
                self.case(ty, case, payload)?
            }
        })
    }

    fn load_each(
        &mut self,
        types: impl ExactSizeIterator<Item = InterfaceType>,
        bytes: &[u8],
    ) -> wasmtime::Result<Vec<Value>> {
        self.charge(types.len(), size_of::<Value>())?;
        let mut offset = 0;
        let load = |ty| {
            let abi = self.types.canonical_abi(&ty);
            let start = abi.next_field32(&mut offset) as usize;
            self.load(ty, &bytes[start..][..abi.size32 as usize])
        };
        types.map(load).collect()
    }

    fn string(&mut self, address: u32, length: u32) -> wasmtime::Result<Value> {
        if self.cx.options().string_encoding != StringEncoding::Utf8 {
            return self.string_of_other_encoding(address, length);
        }
        let bytes = self.slice(address, length, 1, 1)?;
        self.charge(bytes.len(), 1)?;
        match std::str::from_utf8(bytes) {
            Ok(text) => Ok(Value::String(text.to_owned())),
            Err(error) => broken(format!(
                "a string that the guest returned is not UTF-8: {error}"
            )),
        }
    }

    /// UTF-16 and Latin-1 are rare, so wasmtime reads them.
    fn string_of_other_encoding(&mut self, address: u32, length: u32) -> wasmtime::Result<Value> {
        let pair = [ValRaw::u32(address), ValRaw::u32(length)];
        let text = String::linear_lift_from_flat(self.cx, InterfaceType::String, &pair);
        text.map(Value::String).map_err(of_the_guest)
    }

    fn list(
        &mut self,
        element: InterfaceType,
        address: u32,
        count: u32,
    ) -> wasmtime::Result<Value> {
        let abi = self.types.canonical_abi(&element);
        let bytes = self.slice(address, count, abi.size32, abi.align32)?;
        if element == InterfaceType::U8 {
            self.charge(bytes.len(), 1)?;
            return Ok(Value::Bytes(bytes.to_vec()));
        }
        self.charge(count as usize, size_of::<Value>())?;
        let elements = bytes.chunks_exact(abi.size32 as usize);
        Ok(Value::List(
            elements
                .map(|bytes| self.load(element, bytes))
                .collect::<Result<_, _>>()?,
        ))
    }

    /// Takes a stream, a blob or a value of the guest, and returns the number that stands for it.
    fn handle(&mut self, ty: InterfaceType, index: u32) -> wasmtime::Result<Value> {
        let raw = ValRaw::u32(index);
        if let InterfaceType::Stream(_) = ty {
            let stream = StreamReader::<u8>::linear_lift_from_flat(self.cx, ty, &raw);
            self.streams.push(stream.map_err(of_the_guest)?);
            return Ok(Value::U32(self.streams.len() as u32 - 1));
        }
        if let InterfaceType::Own(index) = ty
            && is_value(&self.cx.resource_type(index))
        {
            let value = Resource::<Held>::linear_lift_from_flat(self.cx, ty, &raw);
            return Ok(Value::U32(value.map_err(of_the_guest)?.rep()));
        }
        let blob = Resource::<Blob>::linear_lift_from_flat(self.cx, ty, &raw);
        Ok(Value::U32(blob.map_err(of_the_guest)?.rep()))
    }

    fn case(
        &mut self,
        ty: InterfaceType,
        case: u32,
        payload: Option<Value>,
    ) -> wasmtime::Result<Value> {
        let payload = payload.map(Box::new);
        if payload.is_some() {
            self.charge(1, size_of::<Value>())?;
        }
        Ok(match ty {
            InterfaceType::Option(_) => Value::Option(payload),
            InterfaceType::Result(_) if case == 0 => Value::Result(Ok(payload)),
            InterfaceType::Result(_) => Value::Result(Err(payload)),
            _ => Value::Variant(case, payload),
        })
    }
}

/// The cases of a variant, an option or a result.
struct Cases<'a> {
    payloads: Payloads<'a>,
    info: &'a VariantInfo,
    flat_count: usize,
}

enum Payloads<'a> {
    Two([Option<InterfaceType>; 2]),
    Many(&'a TypeVariant),
}

impl<'a> Cases<'a> {
    fn of(types: &'a ComponentTypes, ty: InterfaceType) -> wasmtime::Result<Self> {
        let (payloads, info, abi) = match ty {
            InterfaceType::Variant(index) => {
                let ty = &types[index];
                (Payloads::Many(ty), &ty.info, &ty.abi)
            }
            InterfaceType::Option(index) => {
                let ty = &types[index];
                (Payloads::Two([None, Some(ty.ty)]), &ty.info, &ty.abi)
            }
            InterfaceType::Result(index) => {
                let ty = &types[index];
                (Payloads::Two([ty.ok, ty.err]), &ty.info, &ty.abi)
            }
            _ => return mismatch(),
        };
        let flat_count = abi.flat_count(usize::MAX).unwrap_or(1);
        Ok(Self {
            payloads,
            info,
            flat_count,
        })
    }

    fn payload(&self, case: u32) -> wasmtime::Result<Option<InterfaceType>> {
        let payload = match &self.payloads {
            Payloads::Two(types) => types.get(case as usize).copied(),
            Payloads::Many(ty) => ty.cases.get_index(case as usize).map(|(_, ty)| *ty),
        };
        payload.map_or_else(
            || {
                broken(format!(
                    "the guest returned case {case}, which its type doesn't have"
                ))
            },
            Ok,
        )
    }
}

fn checked_case(case: u32, count: usize) -> wasmtime::Result<()> {
    if (case as usize) < count {
        return Ok(());
    }
    broken(format!(
        "the guest returned case {case} of an enum with {count}"
    ))
}

fn load_case(info: &VariantInfo, bytes: &[u8]) -> u32 {
    let mut case = [0; 4];
    let size = usize::from(info.size);
    case[..size].copy_from_slice(&bytes[..size]);
    u32::from_le_bytes(case)
}

fn character(bits: u32) -> wasmtime::Result<Value> {
    let character = char::from_u32(bits).map(Value::Char);
    character.map_or_else(
        || broken(format!("the guest returned {bits:#x} as a character")),
        Ok,
    )
}

/// Bits beyond the last flag mean nothing and are dropped, as the canonical ABI says.
fn flags(mut words: Vec<u32>, count: usize) -> Value {
    if let (Some(last), used @ 1..) = (words.last_mut(), count % 32) {
        *last &= (1 << used) - 1;
    }
    Value::Flags(words)
}

/// Returns the first bytes; there are enough, since the type says how many it takes.
fn array<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut array = [0; N];
    array.copy_from_slice(&bytes[..N]);
    array
}

fn pair(bytes: &[u8]) -> (u32, u32) {
    (
        u32::from_le_bytes(array(bytes)),
        u32::from_le_bytes(array(&bytes[4..])),
    )
}
