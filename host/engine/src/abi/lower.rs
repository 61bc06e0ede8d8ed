//! Lowering: values into the guest.

use std::mem::MaybeUninit;

use homestar_core::wit::Value;
use wasmtime::ValRaw;
use wasmtime::component::__internal::wasmtime_environ::component::VariantInfo;
use wasmtime::component::__internal::{ComponentTypes, InterfaceType, LowerContext};
use wasmtime::component::Lower as _;

use super::{FLAT_MAX, broken, flat_handle, flat_string, mismatch, of_the_guest};
use crate::content::pass::Streams;

/// Core values of a call, in order. wasm reads as many as its signature has, so no more are written.
pub(super) struct Slots<'a> {
    values: &'a mut [MaybeUninit<ValRaw>],
    next: usize,
}

impl<'a> Slots<'a> {
    pub(super) fn new(values: &'a mut [MaybeUninit<ValRaw>]) -> Self {
        Self { values, next: 0 }
    }

    pub(super) fn push(&mut self, value: ValRaw) {
        self.values[self.next].write(value);
        self.next += 1;
    }

    /// Returns how many values were written.
    pub(super) fn written(&self) -> usize {
        self.next
    }

    /// Fills up to `end` with zeros, as the canonical ABI pads the shorter cases of a variant.
    fn pad(&mut self, end: usize) {
        while self.next < end {
            self.push(ValRaw::u64(0));
        }
    }
}

/// Asks the guest for memory. What it does wrong in answering is its own fault.
pub(super) fn allocate<T>(
    cx: &mut LowerContext<'_, T>,
    align: u32,
    bytes: usize,
) -> wasmtime::Result<usize> {
    cx.realloc(0, 0, align, bytes).map_err(of_the_guest)
}

pub(super) fn lower<T>(
    cx: &mut LowerContext<'_, T>,
    ty: InterfaceType,
    value: &Value,
    streams: &Streams,
    slots: &mut Slots<'_>,
) -> wasmtime::Result<()> {
    let types = cx.types;
    match (ty, value) {
        (InterfaceType::Bool, Value::Bool(v)) => slots.push(ValRaw::u32((*v).into())),
        (InterfaceType::S8, Value::S8(v)) => slots.push(ValRaw::i32((*v).into())),
        (InterfaceType::U8, Value::U8(v)) => slots.push(ValRaw::u32((*v).into())),
        (InterfaceType::S16, Value::S16(v)) => slots.push(ValRaw::i32((*v).into())),
        (InterfaceType::U16, Value::U16(v)) => slots.push(ValRaw::u32((*v).into())),
        (InterfaceType::S32, Value::S32(v)) => slots.push(ValRaw::i32(*v)),
        (InterfaceType::U32, Value::U32(v)) => slots.push(ValRaw::u32(*v)),
        (InterfaceType::S64, Value::S64(v)) => slots.push(ValRaw::i64(*v)),
        (InterfaceType::U64, Value::U64(v)) => slots.push(ValRaw::u64(*v)),
        (InterfaceType::Float32, Value::F32(v)) => slots.push(ValRaw::f32(canonical32(*v))),
        (InterfaceType::Float64, Value::F64(v)) => slots.push(ValRaw::f64(canonical64(*v))),
        (InterfaceType::Char, Value::Char(v)) => slots.push(ValRaw::u32((*v).into())),
        (InterfaceType::String, Value::String(v)) => {
            flat_string(cx, v)?
                .into_iter()
                .for_each(|value| slots.push(value));
        }
        (InterfaceType::List(index), value) => {
            let (address, count) = store_list(cx, types[index].element, value, streams)?;
            slots.push(ValRaw::i64(address as i64));
            slots.push(ValRaw::i64(count as i64));
        }
        (InterfaceType::Record(index), Value::Record(values)) => {
            for (value, field) in values.iter().zip(&types[index].fields) {
                lower(cx, field.ty, value, streams, slots)?;
            }
        }
        (InterfaceType::Tuple(index), Value::Tuple(values)) => {
            for (value, ty) in values.iter().zip(&types[index].types) {
                lower(cx, *ty, value, streams, slots)?;
            }
        }
        (InterfaceType::Enum(_), Value::Enum(case)) => slots.push(ValRaw::u32(*case)),
        (InterfaceType::Flags(_), Value::Flags(words)) => {
            words.iter().for_each(|word| slots.push(ValRaw::u32(*word)));
        }
        (InterfaceType::Stream(_) | InterfaceType::Own(_) | InterfaceType::Borrow(_), value) => {
            slots.push(flat_handle(cx, ty, value, streams)?);
        }
        (ty, value) => {
            let variant = Variant::of(types, ty, value)?;
            let end = slots.next + variant.flat_count;
            slots.push(ValRaw::u32(variant.case));
            if let Some((ty, payload)) = variant.payload {
                lower(cx, ty, payload, streams, slots)?;
            }
            slots.pad(end);
        }
    }
    Ok(())
}

/// Stores `value` at `address`, which is aligned for its type and lies inside memory the guest gave for it.
fn store<T>(
    cx: &mut LowerContext<'_, T>,
    ty: InterfaceType,
    value: &Value,
    streams: &Streams,
    address: usize,
) -> wasmtime::Result<()> {
    let types = cx.types;
    match (ty, value) {
        (InterfaceType::Bool, Value::Bool(v)) => *cx.get(address) = [(*v).into()],
        (InterfaceType::S8, Value::S8(v)) => *cx.get(address) = v.to_le_bytes(),
        (InterfaceType::U8, Value::U8(v)) => *cx.get(address) = v.to_le_bytes(),
        (InterfaceType::S16, Value::S16(v)) => *cx.get(address) = v.to_le_bytes(),
        (InterfaceType::U16, Value::U16(v)) => *cx.get(address) = v.to_le_bytes(),
        (InterfaceType::S32, Value::S32(v)) => *cx.get(address) = v.to_le_bytes(),
        (InterfaceType::U32, Value::U32(v)) => *cx.get(address) = v.to_le_bytes(),
        (InterfaceType::S64, Value::S64(v)) => *cx.get(address) = v.to_le_bytes(),
        (InterfaceType::U64, Value::U64(v)) => *cx.get(address) = v.to_le_bytes(),
        (InterfaceType::Float32, Value::F32(v)) => *cx.get(address) = canonical32(*v).to_le_bytes(),
        (InterfaceType::Float64, Value::F64(v)) => *cx.get(address) = canonical64(*v).to_le_bytes(),
        (InterfaceType::Char, Value::Char(v)) => *cx.get(address) = u32::from(*v).to_le_bytes(),
        (InterfaceType::String, Value::String(v)) => {
            v.linear_lower_to_memory(cx, ty, address)
                .map_err(of_the_guest)?;
        }
        (InterfaceType::List(index), value) => {
            let (list, count) = store_list(cx, types[index].element, value, streams)?;
            *cx.get(address) = (list as u32).to_le_bytes();
            *cx.get(address + 4) = (count as u32).to_le_bytes();
        }
        (InterfaceType::Record(index), Value::Record(values)) => {
            let fields = types[index].fields.iter().map(|field| field.ty);
            store_each(cx, fields, values, streams, address)?;
        }
        (InterfaceType::Tuple(index), Value::Tuple(values)) => {
            store_fields(cx, &types[index].types, values, streams, address)?;
        }
        (InterfaceType::Enum(index), Value::Enum(case)) => {
            store_case(cx, &types[index].info, *case, address);
        }
        (InterfaceType::Flags(index), Value::Flags(words)) => {
            store_flags(cx, types[index].abi.size32, words, address);
        }
        (InterfaceType::Stream(_) | InterfaceType::Own(_) | InterfaceType::Borrow(_), value) => {
            let handle = flat_handle(cx, ty, value, streams)?;
            *cx.get(address) = handle.get_u32().to_le_bytes();
        }
        (ty, value) => {
            let variant = Variant::of(types, ty, value)?;
            store_case(cx, variant.info, variant.case, address);
            if let Some((ty, payload)) = variant.payload {
                store(
                    cx,
                    ty,
                    payload,
                    streams,
                    address + variant.info.payload_offset32 as usize,
                )?;
            }
        }
    }
    Ok(())
}

pub(super) fn store_fields<T>(
    cx: &mut LowerContext<'_, T>,
    types: &[InterfaceType],
    values: &[Value],
    streams: &Streams,
    address: usize,
) -> wasmtime::Result<()> {
    store_each(cx, types.iter().copied(), values, streams, address)
}

fn store_each<T>(
    cx: &mut LowerContext<'_, T>,
    types: impl Iterator<Item = InterfaceType>,
    values: &[Value],
    streams: &Streams,
    mut address: usize,
) -> wasmtime::Result<()> {
    for (ty, value) in types.zip(values) {
        let abi = cx.types.canonical_abi(&ty);
        let field = abi.next_field32_size(&mut address);
        store(cx, ty, value, streams, field)?;
    }
    Ok(())
}

/// Stores the elements of a list and returns its address and length.
fn store_list<T>(
    cx: &mut LowerContext<'_, T>,
    element: InterfaceType,
    list: &Value,
    streams: &Streams,
) -> wasmtime::Result<(usize, usize)> {
    match list {
        Value::Bytes(bytes) => {
            let address = allocate(cx, 1, bytes.len())?;
            cx.as_slice_mut()[address..][..bytes.len()].copy_from_slice(bytes);
            Ok((address, bytes.len()))
        }
        Value::List(values) => {
            let abi = cx.types.canonical_abi(&element);
            let (size, align) = (abi.size32 as usize, abi.align32);
            let Some(bytes) = size.checked_mul(values.len()) else {
                return broken("a list is longer than memory");
            };
            let address = allocate(cx, align, bytes)?;
            for (number, value) in values.iter().enumerate() {
                store(cx, element, value, streams, address + number * size)?;
            }
            Ok((address, values.len()))
        }
        _ => mismatch(),
    }
}

fn store_case<T>(cx: &mut LowerContext<'_, T>, info: &VariantInfo, case: u32, address: usize) {
    let size = usize::from(info.size);
    for (offset, byte) in case.to_le_bytes().into_iter().take(size).enumerate() {
        *cx.get(address + offset) = [byte];
    }
}

fn store_flags<T>(cx: &mut LowerContext<'_, T>, size: u32, words: &[u32], address: usize) {
    let bytes = words
        .iter()
        .flat_map(|word| word.to_le_bytes())
        .take(size as usize);
    for (offset, byte) in bytes.enumerate() {
        *cx.get(address + offset) = [byte];
    }
}

/// The canonical ABI has one NaN, so that its bits carry nothing.
fn canonical32(value: f32) -> u32 {
    if value.is_nan() {
        0x7fc0_0000
    } else {
        value.to_bits()
    }
}

/// See [`canonical32`].
fn canonical64(value: f64) -> u64 {
    if value.is_nan() {
        0x7ff8_0000_0000_0000
    } else {
        value.to_bits()
    }
}

/// A value of a type with cases: a variant, an option or a result.
struct Variant<'a> {
    case: u32,
    payload: Option<(InterfaceType, &'a Value)>,
    info: &'a VariantInfo,
    flat_count: usize,
}

impl<'a> Variant<'a> {
    fn of(
        types: &'a ComponentTypes,
        ty: InterfaceType,
        value: &'a Value,
    ) -> wasmtime::Result<Self> {
        let (info, abi, case, ty, payload) = match (ty, value) {
            (InterfaceType::Variant(index), Value::Variant(case, payload)) => {
                let ty = &types[index];
                let Some((_, payload_ty)) = ty.cases.get_index(*case as usize) else {
                    return mismatch();
                };
                (&ty.info, &ty.abi, *case, *payload_ty, payload)
            }
            (InterfaceType::Option(index), Value::Option(some)) => {
                let ty = &types[index];
                let case = some.is_some().into();
                (&ty.info, &ty.abi, case, some.as_ref().map(|_| ty.ty), some)
            }
            (InterfaceType::Result(index), Value::Result(result)) => {
                let ty = &types[index];
                match result {
                    Ok(payload) => (&ty.info, &ty.abi, 0, ty.ok, payload),
                    Err(payload) => (&ty.info, &ty.abi, 1, ty.err, payload),
                }
            }
            _ => return mismatch(),
        };
        let payload = match (ty, payload.as_deref()) {
            (Some(ty), Some(payload)) => Some((ty, payload)),
            (None, None) => None,
            _ => return mismatch(),
        };
        let flat_count = abi.flat_count(usize::MAX).unwrap_or(FLAT_MAX);
        Ok(Self {
            case,
            payload,
            info,
            flat_count,
        })
    }
}
