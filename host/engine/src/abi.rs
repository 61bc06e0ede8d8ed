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

mod lift;
mod lower;

use std::mem::MaybeUninit;

use homestar_core::wit::{Type, Value};
use wasmtime::ValRaw;
use wasmtime::component::__internal::wasmtime_environ::component::TypeTuple;
use wasmtime::component::__internal::{
    CanonicalAbiInfo, ComponentTypes, InstanceType, InterfaceType, LiftContext, LowerContext,
};
use wasmtime::component::{
    ComponentNamedList, ComponentType, Func, Lift, Lower, Resource, ResourceType, TypedFunc,
};

use self::lift::Lifting;
use self::lower::{Slots, allocate, lower, store_fields};
use crate::content::pass::Streams;
use crate::end::LimitReached;
use crate::link::blocks::Blob;
use crate::link::ipld::Held;

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

/// Arguments of a call. They must fit the parameters of the function: [`Value::fits`]. In the place of a handle stands
/// a number, as [`pass`](crate::content::pass) has it.
pub(crate) struct Args {
    pub(crate) values: Vec<Value>,
    pub(crate) streams: Streams,
}

/// Result of a call that hands over `FLAT` core values.
///
/// A function that is lifted synchronously hands over its result as one core value, or a pointer to it: `FLAT` is
/// 0 without a result and 1 with one. One that is lifted asynchronously hands over up to [`FLAT_MAX`] core
/// values, or a pointer: `FLAT` is what the type flattens to, and more than [`FLAT_MAX`] stands for all above.
/// Only functions of an async type can be lifted asynchronously, but they need not be: with more than one core
/// value wasmtime then takes the result from memory.
pub(crate) struct Results<const FLAT: usize> {
    pub(crate) value: Option<Value>,
    /// The streams in it.
    pub(crate) streams: Streams,
}

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

// SAFETY: as many slots are written as the signature has, which is checked at the end, and wasm reads no others. What
// is stored in memory goes through `LowerContext`, which checks bounds.
unsafe impl Lower for Args {
    fn linear_lower_to_flat<T>(
        &self,
        cx: &mut LowerContext<'_, T>,
        ty: InterfaceType,
        dst: &mut MaybeUninit<Self::Lower>,
    ) -> wasmtime::Result<()> {
        let types = cx.types;
        let tuple = tuple(types, ty)?;
        let flat_count = tuple.abi.flat_count(FLAT_MAX);
        let mut slots = Slots::new(each(dst));
        if flat_count.is_some() {
            for (value, ty) in self.values.iter().zip(&tuple.types) {
                lower(cx, *ty, value, &self.streams, &mut slots)?;
            }
        } else {
            let address = allocate(cx, tuple.abi.align32, tuple.abi.size32 as usize)?;
            store_fields(cx, &tuple.types, &self.values, &self.streams, address)?;
            slots.push(ValRaw::i64(address as i64));
        }
        match slots.written() == flat_count.unwrap_or(1) {
            true => Ok(()),
            false => mismatch(),
        }
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
            return from_memory(cx, tuple, src.first().map_or(0, ValRaw::get_u32));
        }
        let mut lifting = Lifting::new(cx);
        let value = match &*tuple.types {
            [ty] => Some(lifting.lift(*ty, &mut src.iter())?),
            _ => None,
        };
        Ok(Self {
            value,
            streams: lifting.streams,
        })
    }

    fn linear_lift_from_memory(
        cx: &mut LiftContext<'_>,
        ty: InterfaceType,
        bytes: &[u8],
    ) -> wasmtime::Result<Self> {
        let tuple = tuple(cx.types, ty)?;
        // `bytes` is an empty slice at the result: see `UNKNOWN`.
        let address = bytes.as_ptr().addr() - cx.memory().as_ptr().addr();
        from_memory(cx, tuple, address as u32)
    }
}

/// Loads a result that lies at `address`.
fn from_memory<const FLAT: usize>(
    cx: &mut LiftContext<'_>,
    tuple: &TypeTuple,
    address: u32,
) -> wasmtime::Result<Results<FLAT>> {
    let mut lifting = Lifting::new(cx);
    let value = match &*tuple.types {
        [ty] => {
            let bytes = lifting.slice(address, 1, tuple.abi.size32, tuple.abi.align32)?;
            Some(lifting.load(*ty, bytes)?)
        }
        _ => None,
    };
    Ok(Results {
        value,
        streams: lifting.streams,
    })
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

/// Returns the slots, each for itself not yet written.
fn each(slots: &mut MaybeUninit<[ValRaw; FLAT_MAX]>) -> &mut [MaybeUninit<ValRaw>; FLAT_MAX] {
    // SAFETY: an array that may not be initialised is an array of elements that may not be.
    unsafe { &mut *slots.as_mut_ptr().cast() }
}

/// Lowers a string, which wasmtime does in whatever encoding the guest asked for.
fn flat_string<T>(cx: &mut LowerContext<'_, T>, text: &str) -> wasmtime::Result<[ValRaw; 2]> {
    let mut pair = MaybeUninit::uninit();
    text.linear_lower_to_flat(cx, InterfaceType::String, &mut pair)
        .map_err(of_the_guest)?;
    // SAFETY: lowering a string initialises both values or returns an error.
    Ok(unsafe { pair.assume_init() })
}

/// Tells whether a resource is the `value` of `homestar:std/ipld`. Any other that passes is a blob.
fn is_value(ty: &ResourceType) -> bool {
    *ty == ResourceType::host::<Held>()
}

/// Lowers the stream, the blob or the value that a number stands for.
fn flat_handle<T>(
    cx: &mut LowerContext<'_, T>,
    ty: InterfaceType,
    value: &Value,
    streams: &Streams,
) -> wasmtime::Result<ValRaw> {
    let Value::U32(number) = value else {
        return mismatch();
    };
    let mut slot = MaybeUninit::uninit();
    match ty {
        InterfaceType::Stream(_) => match streams.get(*number as usize) {
            Some(stream) => stream.linear_lower_to_flat(cx, ty, &mut slot)?,
            None => return mismatch(),
        },
        InterfaceType::Own(index) if is_value(&cx.resource_type(index)) => {
            Resource::<Held>::new_own(*number).linear_lower_to_flat(cx, ty, &mut slot)?;
        }
        InterfaceType::Borrow(index) if is_value(&cx.resource_type(index)) => {
            Resource::<Held>::new_borrow(*number).linear_lower_to_flat(cx, ty, &mut slot)?;
        }
        InterfaceType::Own(_) => {
            Resource::<Blob>::new_own(*number).linear_lower_to_flat(cx, ty, &mut slot)?;
        }
        InterfaceType::Borrow(_) => {
            Resource::<Blob>::new_borrow(*number).linear_lower_to_flat(cx, ty, &mut slot)?;
        }
        _ => return mismatch(),
    }
    // SAFETY: lowering a handle initialises the value or returns an error.
    Ok(unsafe { slot.assume_init() })
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
