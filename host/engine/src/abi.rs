//! Values into a guest's memory and back, led by the component's own types.
//!
//! wasmtime passes values whose types are known only at run time as trees of its `Val`, which cost some 80 ns
//! for each byte of a `list<u8>`. It passes values whose types are known when the host is compiled at the speed
//! of memory. [`Args`] and [`Results`] are types of the second kind that look up what they are at run time: they
//! implement wasmtime's traits for the canonical ABI and read the signature they are asked to follow. So bytes
//! are copied as a block wherever they stand, alone, in a record or in a list.
//!
//! The rules are those of the component model's `CanonicalABI.md`; names (`flat`, `lower`, `lift`, `store`,
//! `load`) are its own. wasmtime's traits are hidden from its documentation and may change with any release,
//! which is why its version is pinned; `tests/all/values.rs` sends every type through.

#![expect(
    unsafe_code,
    reason = "wasmtime's traits for the canonical ABI are unsafe to implement"
)]

use std::mem::MaybeUninit;

use homestar_core::wit::{Type, Value};
use wasmtime::ValRaw;
use wasmtime::component::__internal::wasmtime_environ::component::{
    StringEncoding, TypeTuple, TypeVariant, VariantInfo,
};
use wasmtime::component::__internal::{
    CanonicalAbiInfo, ComponentTypes, InstanceType, InterfaceType, LiftContext, LowerContext,
};
use wasmtime::component::{ComponentNamedList, ComponentType, Func, Lift, Lower, TypedFunc};

use crate::end::LimitReached;

/// Most core values that parameters, and results of asynchronous functions, are passed as; more go through memory.
pub(crate) const FLAT_MAX: usize = 16;

/// The guest broke the rules of the canonical ABI.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Broken(String);

/// The guest returned more than wasmtime was told to copy out of it.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the result is too large")]
pub(crate) struct TooMuch;

/// Returns an error of the guest with this text.
fn broken<T>(text: impl Into<String>) -> wasmtime::Result<T> {
    Err(Broken(text.into()).into())
}

/// Arguments of a call. They must fit the parameters of the function: [`Value::fits`].
pub(crate) struct Args(pub(crate) Vec<Value>);

/// Result of a call that hands over `FLAT` core values.
///
/// A function that is lifted synchronously hands over its result as one core value, or a pointer to it: `FLAT` is
/// 0 without a result and 1 with one. One that is lifted asynchronously hands over up to [`FLAT_MAX`] core
/// values, or a pointer: `FLAT` is what the type flattens to, and more than [`FLAT_MAX`] stands for all above.
/// Only functions of an async type can be lifted asynchronously, but they need not be: with more than one core
/// value wasmtime then takes the result from memory.
pub(crate) struct Results<const FLAT: usize>(pub(crate) Option<Value>);

/// What wasmtime checks before it looks at a result in memory. We check again with the real size and alignment.
const UNKNOWN: CanonicalAbiInfo = CanonicalAbiInfo {
    size32: 0,
    align32: 1,
    size64: 0,
    align64: 1,
    flat_count: None,
};

// SAFETY: `Lower` is an array of `ValRaw`, which `linear_lower_to_flat` fills to the end. `ABI` is not used:
// it decides on passing through memory, and `linear_lower_to_flat` does that by the type it is given.
unsafe impl ComponentType for Args {
    type Lower = [ValRaw; FLAT_MAX];
    const ABI: CanonicalAbiInfo = UNKNOWN;

    fn typecheck(_: &InterfaceType, _: &InstanceType<'_>) -> wasmtime::Result<()> {
        Ok(())
    }
}

// SAFETY: arguments are a list of values as a tuple is.
unsafe impl ComponentNamedList for Args {}

// SAFETY: every slot is written; wasm reads those that its signature has. What is stored in memory goes through
// `LowerContext`, which checks bounds.
unsafe impl Lower for Args {
    fn linear_lower_to_flat<T>(
        &self,
        cx: &mut LowerContext<'_, T>,
        ty: InterfaceType,
        dst: &mut MaybeUninit<Self::Lower>,
    ) -> wasmtime::Result<()> {
        let types = cx.types;
        let tuple = tuple(types, ty)?;
        let mut slots = Slots::default();
        if tuple.abi.flat_count(FLAT_MAX).is_some() {
            for (value, ty) in self.0.iter().zip(&tuple.types) {
                lower(cx, *ty, value, &mut slots)?;
            }
        } else {
            let address = allocate(cx, tuple.abi.align32, tuple.abi.size32 as usize)?;
            store_fields(cx, &tuple.types, &self.0, address)?;
            slots.push(ValRaw::i64(address as i64));
        }
        dst.write(slots.values);
        Ok(())
    }

    fn linear_lower_to_memory<T>(
        &self,
        _: &mut LowerContext<'_, T>,
        _: InterfaceType,
        _: usize,
    ) -> wasmtime::Result<()> {
        broken("arguments are flat")
    }
}

// SAFETY: `Lower` is an array of `ValRaw`. `ABI` promises no bytes, so what lies in memory is looked up by type.
unsafe impl<const FLAT: usize> ComponentType for Results<FLAT> {
    type Lower = [ValRaw; FLAT];
    const ABI: CanonicalAbiInfo = UNKNOWN;

    fn typecheck(_: &InterfaceType, _: &InstanceType<'_>) -> wasmtime::Result<()> {
        Ok(())
    }
}

// SAFETY: results are a list of at most one value.
unsafe impl<const FLAT: usize> ComponentNamedList for Results<FLAT> {}

// SAFETY: reads no more slots than the type has, and memory only inside its bounds.
unsafe impl<const FLAT: usize> Lift for Results<FLAT> {
    fn linear_lift_from_flat(
        cx: &mut LiftContext<'_>,
        ty: InterfaceType,
        src: &Self::Lower,
    ) -> wasmtime::Result<Self> {
        let tuple = tuple(cx.types, ty)?;
        if tuple.abi.flat_count(FLAT).is_none() {
            return from_memory(cx, tuple, src.first().map_or(0, ValRaw::get_u32)).map(Self);
        }
        let [ty] = &*tuple.types else {
            return Ok(Self(None));
        };
        let value = Lifting::new(cx).lift(*ty, &mut src.iter())?;
        Ok(Self(Some(value)))
    }

    fn linear_lift_from_memory(
        cx: &mut LiftContext<'_>,
        ty: InterfaceType,
        bytes: &[u8],
    ) -> wasmtime::Result<Self> {
        let tuple = tuple(cx.types, ty)?;
        // `bytes` is an empty slice at the result: see `UNKNOWN`.
        let address = bytes.as_ptr().addr() - cx.memory().as_ptr().addr();
        from_memory(cx, tuple, address as u32).map(Self)
    }
}

/// Loads a result that lies at `address`.
fn from_memory(
    cx: &mut LiftContext<'_>,
    tuple: &TypeTuple,
    address: u32,
) -> wasmtime::Result<Option<Value>> {
    let [ty] = &*tuple.types else {
        return Ok(None);
    };
    let mut lifting = Lifting::new(cx);
    let bytes = lifting.slice(address, 1, tuple.abi.size32, tuple.abi.align32)?;
    lifting.load(*ty, bytes).map(Some)
}

/// Returns `function` as one that takes [`Args`] and returns [`Results`]. The caller sees to it that the arguments
/// fit the parameters.
pub(crate) fn typed<const FLAT: usize>(function: Func) -> TypedFunc<Args, Results<FLAT>> {
    // SAFETY: `Args` and `Results` follow whatever signature the function has; a value that doesn't fit it is an
    // error in `lower` and `store`.
    unsafe { TypedFunc::new_unchecked(function) }
}

/// Returns how many core values a value of this type is passed as, or a number above [`FLAT_MAX`].
pub(crate) fn flat_count(ty: &Type) -> usize {
    let most = |types: &mut dyn Iterator<Item = Option<&Type>>| {
        types.flatten().map(flat_count).max().unwrap_or(0)
    };
    let count = match ty {
        Type::String | Type::List(_) => 2,
        Type::Record(fields) => fields.iter().map(|field| flat_count(&field.ty)).sum(),
        Type::Tuple(types) => types.iter().map(flat_count).sum(),
        Type::Variant(cases) => 1 + most(&mut cases.iter().map(|case| case.ty.as_ref())),
        Type::Option(some) => 1 + flat_count(some),
        Type::Result { ok, err } => 1 + most(&mut [ok, err].into_iter().map(Option::as_deref)),
        Type::Flags(names) => names.len().div_ceil(32),
        _ => 1,
    };
    count.min(FLAT_MAX + 1)
}

/// Returns the tuple type that parameters and results have.
fn tuple(types: &ComponentTypes, ty: InterfaceType) -> wasmtime::Result<&TypeTuple> {
    match ty {
        InterfaceType::Tuple(index) => Ok(&types[index]),
        _ => broken("parameters and results are tuples"),
    }
}

/// A value that isn't of the type it is passed as, or a type without values: callers check both before.
fn mismatch<T>() -> wasmtime::Result<T> {
    broken("a value doesn't fit its type")
}

// Lowering: values into the guest.

/// Core values of a call, in order. Those not written stay zero, as the padding of variants must be.
struct Slots {
    values: [ValRaw; FLAT_MAX],
    next: usize,
}

impl Default for Slots {
    fn default() -> Self {
        Self {
            values: [ValRaw::u64(0); FLAT_MAX],
            next: 0,
        }
    }
}

impl Slots {
    fn push(&mut self, value: ValRaw) {
        self.values[self.next] = value;
        self.next += 1;
    }
}

/// Asks the guest for memory. What it does wrong in answering is its own fault.
fn allocate<T>(cx: &mut LowerContext<'_, T>, align: u32, bytes: usize) -> wasmtime::Result<usize> {
    cx.realloc(0, 0, align, bytes).map_err(of_the_guest)
}

/// Keeps a trap or a limit as it is and makes anything else a fault of the guest.
fn of_the_guest(error: wasmtime::Error) -> wasmtime::Error {
    if error.is::<wasmtime::Trap>()
        || error.is::<LimitReached>()
        || error.is::<wasmtime::WasmBacktrace>()
    {
        return error;
    }
    Broken(error.to_string()).into()
}

fn lower<T>(
    cx: &mut LowerContext<'_, T>,
    ty: InterfaceType,
    value: &Value,
    slots: &mut Slots,
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
        (InterfaceType::String, Value::String(v)) => lower_string(cx, v, slots)?,
        (InterfaceType::List(index), value) => {
            let (address, count) = store_list(cx, types[index].element, value)?;
            slots.push(ValRaw::i64(address as i64));
            slots.push(ValRaw::i64(count as i64));
        }
        (InterfaceType::Record(index), Value::Record(values)) => {
            for (value, field) in values.iter().zip(&types[index].fields) {
                lower(cx, field.ty, value, slots)?;
            }
        }
        (InterfaceType::Tuple(index), Value::Tuple(values)) => {
            for (value, ty) in values.iter().zip(&types[index].types) {
                lower(cx, *ty, value, slots)?;
            }
        }
        (InterfaceType::Enum(_), Value::Enum(case)) => slots.push(ValRaw::u32(*case)),
        (InterfaceType::Flags(_), Value::Flags(words)) => {
            words.iter().for_each(|word| slots.push(ValRaw::u32(*word)));
        }
        (ty, value) => {
            let variant = Variant::of(types, ty, value)?;
            let end = slots.next + variant.flat_count;
            slots.push(ValRaw::u32(variant.case));
            if let Some((ty, payload)) = variant.payload {
                lower(cx, ty, payload, slots)?;
            }
            slots.next = end;
        }
    }
    Ok(())
}

fn lower_string<T>(
    cx: &mut LowerContext<'_, T>,
    text: &str,
    slots: &mut Slots,
) -> wasmtime::Result<()> {
    let mut pair = MaybeUninit::uninit();
    text.linear_lower_to_flat(cx, InterfaceType::String, &mut pair)
        .map_err(of_the_guest)?;
    // SAFETY: lowering a string initialises both values or returns an error.
    let pair: [ValRaw; 2] = unsafe { pair.assume_init() };
    pair.into_iter().for_each(|value| slots.push(value));
    Ok(())
}

/// Stores `value` at `address`, which is aligned for its type and lies inside memory the guest gave for it.
fn store<T>(
    cx: &mut LowerContext<'_, T>,
    ty: InterfaceType,
    value: &Value,
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
            let (list, count) = store_list(cx, types[index].element, value)?;
            *cx.get(address) = (list as u32).to_le_bytes();
            *cx.get(address + 4) = (count as u32).to_le_bytes();
        }
        (InterfaceType::Record(index), Value::Record(values)) => {
            let fields = types[index].fields.iter().map(|field| field.ty);
            store_each(cx, fields, values, address)?;
        }
        (InterfaceType::Tuple(index), Value::Tuple(values)) => {
            store_fields(cx, &types[index].types, values, address)?;
        }
        (InterfaceType::Enum(index), Value::Enum(case)) => {
            store_case(cx, &types[index].info, *case, address);
        }
        (InterfaceType::Flags(index), Value::Flags(words)) => {
            store_flags(cx, types[index].abi.size32, words, address);
        }
        (ty, value) => {
            let variant = Variant::of(types, ty, value)?;
            store_case(cx, variant.info, variant.case, address);
            if let Some((ty, payload)) = variant.payload {
                store(
                    cx,
                    ty,
                    payload,
                    address + variant.info.payload_offset32 as usize,
                )?;
            }
        }
    }
    Ok(())
}

fn store_fields<T>(
    cx: &mut LowerContext<'_, T>,
    types: &[InterfaceType],
    values: &[Value],
    address: usize,
) -> wasmtime::Result<()> {
    store_each(cx, types.iter().copied(), values, address)
}

fn store_each<T>(
    cx: &mut LowerContext<'_, T>,
    types: impl Iterator<Item = InterfaceType>,
    values: &[Value],
    mut address: usize,
) -> wasmtime::Result<()> {
    for (ty, value) in types.zip(values) {
        let abi = cx.types.canonical_abi(&ty);
        let field = abi.next_field32_size(&mut address);
        store(cx, ty, value, field)?;
    }
    Ok(())
}

/// Stores the elements of a list and returns its address and length.
fn store_list<T>(
    cx: &mut LowerContext<'_, T>,
    element: InterfaceType,
    list: &Value,
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
                store(cx, element, value, address + number * size)?;
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

// Lifting: values out of the guest. Everything read here was written by it and is believed in nothing.

struct Lifting<'a, 'b> {
    cx: &'a mut LiftContext<'b>,
    types: &'b ComponentTypes,
}

type Flat<'a> = std::slice::Iter<'a, ValRaw>;

/// Takes the next core value. There is one, since the number of values follows from the type.
fn next(flat: &mut Flat<'_>) -> wasmtime::Result<ValRaw> {
    flat.next().copied().map_or_else(mismatch, Ok)
}

impl<'a, 'b> Lifting<'a, 'b> {
    fn new(cx: &'a mut LiftContext<'b>) -> Self {
        Self {
            types: cx.types,
            cx,
        }
    }

    /// Counts `bytes` of this process's memory against the limit on what a guest may return.
    fn charge(&mut self, count: usize, bytes: usize) -> wasmtime::Result<()> {
        self.cx
            .consume_fuel_array(count, bytes)
            .map_err(|_| TooMuch.into())
    }

    /// Returns `count` elements at `address`, if they lie inside memory.
    fn slice(&self, address: u32, count: u32, size: u32, align: u32) -> wasmtime::Result<&'b [u8]> {
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

    fn lift(&mut self, ty: InterfaceType, flat: &mut Flat<'_>) -> wasmtime::Result<Value> {
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

    fn load(&mut self, ty: InterfaceType, bytes: &[u8]) -> wasmtime::Result<Value> {
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
