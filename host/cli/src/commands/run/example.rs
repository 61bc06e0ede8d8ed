//! Calls that a component would understand, made from its types.

use homestar_core::wit::{Function, Type};
use homestar_engine::Component;

use super::Options;

/// Returns a command that calls the function with this full name, or the first that can be called.
pub(super) fn call(
    options: &Options,
    component: &Component,
    full_name: Option<&str>,
) -> Option<String> {
    let is_meant = |function: &&Function| match full_name {
        Some(full_name) => function.full_name() == full_name,
        None => true,
    };
    let callable = |function: &&Function| function.handle().is_none();
    let mut functions = component.functions().iter();
    let function = functions.find(|function| is_meant(function) && callable(function))?;
    let name = match component.find(&function.name) {
        Ok(_) => function.name.clone(),
        Err(_) => function.full_name(),
    };
    let args: Vec<String> = function.params.iter().map(|(_, ty)| argument(ty)).collect();
    let call = format!("{name}({})", args.join(", "));
    if call.len() > CALL_BYTES_MAX {
        return None;
    }
    let named = options.component.to_string();
    Some(format!("homestar run {} {}", word(&named), quoted(&call)))
}

/// Returns such a command as a hint.
pub(super) fn hint(
    options: &Options,
    component: &Component,
    full_name: Option<&str>,
) -> Option<String> {
    call(options, component, full_name).map(|call| format!("for example `{call}`"))
}

/// A longer example helps nobody.
const CALL_BYTES_MAX: usize = 300;

fn argument(ty: &Type) -> String {
    match ty.takes_link() {
        true => "@FILE".to_owned(),
        false => {
            let mut text = String::new();
            value(ty, &mut text);
            text
        }
    }
}

/// Appends a value of type `ty` in WAVE. A type may be larger than anything that should be printed, so this
/// stops when the text is too long.
fn value(ty: &Type, text: &mut String) {
    if text.len() > CALL_BYTES_MAX {
        return;
    }
    match ty {
        Type::Bool => text.push_str("true"),
        Type::F32 | Type::F64 => text.push_str("1.5"),
        Type::Char => text.push_str("'a'"),
        Type::String => text.push_str("\"text\""),
        Type::List(element) => separated(text, ["[", "]"], [&**element], value),
        Type::Tuple(types) => separated(text, ["(", ")"], types.iter(), value),
        Type::Record(fields) => separated(text, ["{", "}"], fields.iter(), |field, text| {
            text.push_str(&field.name);
            text.push_str(": ");
            value(&field.ty, text);
        }),
        Type::Variant(cases) => {
            if let Some(case) = cases.first() {
                text.push_str(&spelled(&case.name));
                payload(case.ty.as_ref(), text);
            }
        }
        Type::Enum(names) => {
            text.push_str(&names.first().map_or(String::new(), |name| spelled(name)))
        }
        Type::Flags(names) => separated(text, ["{", "}"], names.first(), |name, text| {
            text.push_str(name);
        }),
        Type::Option(some) => {
            text.push_str("some");
            payload(Some(some), text);
        }
        Type::Result { ok, .. } => {
            text.push_str("ok");
            payload(ok.as_deref(), text);
        }
        _ => text.push('1'),
    }
}

fn payload(ty: Option<&Type>, text: &mut String) {
    if let Some(ty) = ty {
        separated(text, ["(", ")"], [ty], value);
    }
}

fn separated<T>(
    text: &mut String,
    [open, close]: [&str; 2],
    items: impl IntoIterator<Item = T>,
    one: impl Fn(T, &mut String),
) {
    text.push_str(open);
    for (position, item) in items.into_iter().enumerate() {
        if position > 0 {
            text.push_str(", ");
        }
        one(item, text);
    }
    text.push_str(close);
}

/// Cases that are named like a word of WAVE are marked.
fn spelled(name: &str) -> String {
    const WORDS: [&str; 8] = ["true", "false", "some", "none", "ok", "err", "inf", "nan"];
    match WORDS.contains(&name) {
        true => format!("%{name}"),
        false => name.to_owned(),
    }
}

/// Returns `text` as a word of the shell, quoted if need be.
fn word(text: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "/._-+:@".contains(c);
    match !text.is_empty() && text.chars().all(plain) {
        true => text.to_owned(),
        false => quoted(text),
    }
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use homestar_core::wit::wave;

    #[test]
    fn every_example_is_a_value_of_its_type() {
        let pair = Type::record([
            ("a", Type::list(Type::Char)),
            ("b", Type::option(Type::option(Type::F64))),
        ]);
        let types = [
            Type::S8,
            Type::list(Type::U8),
            Type::tuple([Type::Bool, Type::String]),
            Type::variant([("none", Some(Type::U64)), ("b", None)]),
            Type::enumeration(["err", "b"]),
            Type::flags(["read", "write"]),
            Type::result(None, Some(Type::U8)),
            Type::result(Some(pair.clone()), None),
            pair,
        ];
        for ty in types {
            let mut text = String::new();
            value(&ty, &mut text);
            assert!(wave::parse(&text, &ty).is_ok(), "{text} for {ty}");
        }
    }

    #[test]
    fn a_shell_reads_it_back() {
        assert_eq!(word("a/b.wasm"), "a/b.wasm");
        assert_eq!(word("it's"), r"'it'\''s'");
    }

    #[test]
    fn an_endless_type_has_no_endless_example() {
        let huge = (0..64).fold(Type::U8, |ty, _| Type::tuple([ty.clone(), ty]));
        assert!(argument(&huge).len() < 1_000);
    }
}
