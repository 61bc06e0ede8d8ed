//! Functions as WIT, with the names that types have there.

use std::fmt::Write as _;

use wit_parser::{Function, FunctionKind, Handle, Resolve, Type, TypeDefKind, TypeId};

use crate::error::LoadError;

/// Most bytes of a signature. Types without a name may lie in each other many times over, so a few lines can
/// stand for more text than there is memory.
const BYTES_MAX: usize = 64 << 10;

/// Returns `function` as WIT, such as `blur: func(image: list<u8>, sigma: f32) -> result<list<u8>, error>`.
pub(super) fn of(resolve: &Resolve, function: &Function) -> Result<String, LoadError> {
    let mut writer = Writer {
        resolve,
        text: String::new(),
    };
    writer.function(function);
    if writer.is_full() {
        return Err(LoadError::TypesTooLarge {
            nodes_max: BYTES_MAX,
        });
    }
    Ok(writer.text)
}

fn is_async(function: &Function) -> bool {
    matches!(
        function.kind,
        FunctionKind::AsyncFreestanding
            | FunctionKind::AsyncMethod(_)
            | FunctionKind::AsyncStatic(_)
    )
}

struct Writer<'a> {
    resolve: &'a Resolve,
    text: String,
}

impl Writer<'_> {
    fn is_full(&self) -> bool {
        self.text.len() > BYTES_MAX
    }

    fn word(&mut self, word: &str) {
        self.text.push_str(word);
    }

    fn function(&mut self, function: &Function) {
        let keyword = if is_async(function) {
            "async func"
        } else {
            "func"
        };
        // Writing to a string can't fail.
        let _ = write!(self.text, "{}: {keyword}(", function.name);
        self.separated(&function.params, |writer, param| {
            writer.word(&param.name);
            writer.word(": ");
            writer.ty(&param.ty);
        });
        self.word(")");
        if let Some(result) = &function.result {
            self.word(" -> ");
            self.ty(result);
        }
    }

    fn ty(&mut self, ty: &Type) {
        if self.is_full() {
            return;
        }
        match ty {
            Type::Bool => self.word("bool"),
            Type::S8 => self.word("s8"),
            Type::U8 => self.word("u8"),
            Type::S16 => self.word("s16"),
            Type::U16 => self.word("u16"),
            Type::S32 => self.word("s32"),
            Type::U32 => self.word("u32"),
            Type::S64 => self.word("s64"),
            Type::U64 => self.word("u64"),
            Type::F32 => self.word("f32"),
            Type::F64 => self.word("f64"),
            Type::Char => self.word("char"),
            Type::String => self.word("string"),
            Type::ErrorContext => self.word("error-context"),
            Type::Id(id) => self.defined(*id),
        }
    }

    fn defined(&mut self, id: TypeId) {
        let resolve = self.resolve;
        if let Some(name) = &resolve.types[id].name {
            return self.word(name);
        }
        match &resolve.types[id].kind {
            TypeDefKind::Tuple(tuple) => {
                self.word("tuple<");
                self.separated(&tuple.types, Self::ty);
                self.word(">");
            }
            TypeDefKind::Option(ty) => self.applied("option", [Some(ty)]),
            TypeDefKind::List(ty) => self.applied("list", [Some(ty)]),
            TypeDefKind::Future(ty) => self.applied("future", [ty.as_ref()]),
            TypeDefKind::Stream(ty) => self.applied("stream", [ty.as_ref()]),
            TypeDefKind::Map(key, value) => self.applied("map", [Some(key), Some(value)]),
            TypeDefKind::Result(result) => {
                self.applied("result", [result.ok.as_ref(), result.err.as_ref()]);
            }
            TypeDefKind::Handle(Handle::Own(id)) => self.defined(*id),
            TypeDefKind::Handle(Handle::Borrow(id)) => {
                self.word("borrow<");
                self.defined(*id);
                self.word(">");
            }
            TypeDefKind::Type(ty) => self.ty(ty),
            // WIT has no way to write these without a name, so there is one.
            other => self.word(other.as_str()),
        }
    }

    /// Writes `name<a, b>`, with `_` for what is absent and nothing where all that follows is.
    fn applied<const COUNT: usize>(&mut self, name: &str, types: [Option<&Type>; COUNT]) {
        self.word(name);
        let Some(last) = types.iter().rposition(Option::is_some) else {
            return;
        };
        self.word("<");
        self.separated(&types[..=last], |writer, ty| match ty {
            Some(ty) => writer.ty(ty),
            None => writer.word("_"),
        });
        self.word(">");
    }

    fn separated<T>(&mut self, items: &[T], one: impl Fn(&mut Self, &T)) {
        for (position, item) in items.iter().enumerate() {
            if position > 0 {
                self.word(", ");
            }
            one(self, item);
        }
    }
}
