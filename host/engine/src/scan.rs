//! A first look at bytes from outside, before anything expensive is done with them.

use wasmparser::{
    CanonicalFunction, CanonicalOption, Chunk, ComponentDefinedType, ComponentExternalKind,
    ComponentType, ComponentTypeDeclaration, Encoding, InstanceTypeDeclaration, Parser, Payload,
};

use crate::config::Mode;
use crate::error::LoadError;

/// Checks what `bytes` are and returns them as a component: a core module that carries its component type is
/// turned into one.
pub(crate) fn component(bytes: &[u8]) -> Result<std::borrow::Cow<'_, [u8]>, LoadError> {
    if bytes.get(..4) != Some(b"\0asm") {
        return Err(LoadError::NotWasm {
            found: looks_like(bytes),
        });
    }
    if Parser::is_component(bytes) {
        return Ok(bytes.into());
    }
    if !carries_component_type(bytes)? {
        return Err(LoadError::CoreModule);
    }
    let invalid = |error: anyhow::Error| LoadError::Invalid {
        source: error.into(),
    };
    let encoded = wit_component::ComponentEncoder::default()
        .validate(true)
        .module(bytes)
        .and_then(|encoder| encoder.encode())
        .map_err(invalid)?;
    Ok(encoded.into())
}

/// Says what bytes that aren't WebAssembly seem to be.
fn looks_like(bytes: &[u8]) -> &'static str {
    let start = bytes.trim_ascii_start();
    match start {
        [] => "nothing at all",
        [0x7f, b'E', b'L', b'F', ..] => "a native program (ELF)",
        [b'P', b'K', ..] => "a ZIP archive",
        [0x1f, 0x8b, ..] => "a gzip archive",
        [0x28, 0xb5, 0x2f, 0xfd, ..] => "a zstd archive",
        [b'(', ..] => "WebAssembly text",
        [b'<', ..] => "an HTML or XML document",
        [b'{' | b'[', ..] => "JSON",
        _ if std::str::from_utf8(start.get(..64).unwrap_or(start)).is_ok() => "text",
        _ => "something else",
    }
}

fn carries_component_type(module: &[u8]) -> Result<bool, LoadError> {
    for payload in Parser::new(0).parse_all(module) {
        if let Payload::CustomSection(section) = payload.map_err(invalid)?
            && section.name().starts_with("component-type")
        {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Returns the names of what `component` imports, without looking at what is inside of it.
pub(crate) fn imports(component: &[u8]) -> Result<Vec<String>, LoadError> {
    let mut names = Vec::new();
    own_sections(component, |payload| {
        if let Payload::ComponentImportSection(section) = payload {
            for import in section {
                names.push(import?.name.name.to_owned());
            }
        }
        Ok(())
    })?;
    Ok(names)
}

/// Returns the names of the interfaces that `component` exports, without looking at what is inside of it.
pub(crate) fn exported_interfaces(component: &[u8]) -> Result<Vec<String>, LoadError> {
    let mut names = Vec::new();
    own_sections(component, |payload| {
        if let Payload::ComponentExportSection(section) = payload {
            for export in section {
                let export = export?;
                if export.kind == ComponentExternalKind::Instance {
                    names.push(export.name.name.to_owned());
                }
            }
        }
        Ok(())
    })?;
    Ok(names)
}

/// Calls `see` with each section of `component`, but not with those of the modules and components inside of it.
fn own_sections<'a>(
    component: &'a [u8],
    mut see: impl FnMut(Payload<'a>) -> wasmparser::Result<()>,
) -> Result<(), LoadError> {
    let mut parser = Parser::new(0);
    let mut rest = component;
    loop {
        let Chunk::Parsed { payload, consumed } = parser.parse(rest, true).map_err(invalid)? else {
            // All bytes are there, so the parser never asks for more.
            return Ok(());
        };
        let mut skipped = 0;
        match payload {
            Payload::ModuleSection {
                unchecked_range, ..
            }
            | Payload::ComponentSection {
                unchecked_range, ..
            } => {
                skipped = unchecked_range.end.saturating_sub(unchecked_range.start);
            }
            Payload::End(_) => return Ok(()),
            payload => see(payload).map_err(invalid)?,
        }
        // The parser has counted what is inside of it; its bytes are ours to pass over.
        let next = consumed.saturating_add(usize::try_from(skipped).unwrap_or(usize::MAX));
        rest = rest.get(next..).unwrap_or_default();
    }
}

/// Returns which engine `component` needs.
pub(crate) fn mode(component: &[u8]) -> Result<Mode, LoadError> {
    for payload in Parser::new(0).parse_all(component) {
        if asks_for_concurrency(&payload.map_err(invalid)?).map_err(invalid)? {
            return Ok(Mode::Concurrent);
        }
    }
    Ok(Mode::Sync)
}

fn asks_for_concurrency(payload: &Payload<'_>) -> wasmparser::Result<bool> {
    match payload {
        Payload::Version {
            encoding: Encoding::Module,
            ..
        } => Ok(false),
        Payload::ComponentCanonicalSection(section) => {
            any(section.clone(), |function| Ok(is_concurrent(&function)))
        }
        Payload::ComponentTypeSection(section) => {
            any(section.clone(), |ty| Ok(type_is_concurrent(&ty)))
        }
        _ => Ok(false),
    }
}

fn any<'a, T: wasmparser::FromReader<'a>>(
    section: wasmparser::SectionLimited<'a, T>,
    mut test: impl FnMut(T) -> wasmparser::Result<bool>,
) -> wasmparser::Result<bool> {
    for item in section {
        if test(item?)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Everything but plain lifting, lowering and resources belongs to the asynchronous part of the component model.
fn is_concurrent(function: &CanonicalFunction) -> bool {
    match function {
        CanonicalFunction::Lift { options, .. } | CanonicalFunction::Lower { options, .. } => {
            options.iter().any(|option| {
                matches!(
                    option,
                    CanonicalOption::Async | CanonicalOption::Callback(_)
                )
            })
        }
        CanonicalFunction::ResourceNew { .. }
        | CanonicalFunction::ResourceDrop { .. }
        | CanonicalFunction::ResourceRep { .. } => false,
        _ => true,
    }
}

fn type_is_concurrent(ty: &ComponentType<'_>) -> bool {
    match ty {
        ComponentType::Defined(defined) => is_concurrent_value(defined),
        ComponentType::Func(function) => function.async_,
        ComponentType::Component(declarations) => {
            declarations.iter().any(|declaration| match declaration {
                ComponentTypeDeclaration::Type(ty) => type_is_concurrent(ty),
                _ => false,
            })
        }
        ComponentType::Instance(declarations) => {
            declarations.iter().any(|declaration| match declaration {
                InstanceTypeDeclaration::Type(ty) => type_is_concurrent(ty),
                _ => false,
            })
        }
        ComponentType::Resource { .. } => false,
    }
}

fn is_concurrent_value(ty: &ComponentDefinedType<'_>) -> bool {
    matches!(
        ty,
        ComponentDefinedType::Future(_) | ComponentDefinedType::Stream(_)
    )
}

fn invalid(error: wasmparser::BinaryReaderError) -> LoadError {
    LoadError::Invalid {
        source: Box::new(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_what_is_not_wasm() {
        let found = |bytes: &[u8]| match component(bytes) {
            Err(LoadError::NotWasm { found }) => found,
            other => panic!("{other:?}"),
        };
        assert_eq!(found(b""), "nothing at all");
        assert_eq!(found(b"\x7fELF\x02\x01"), "a native program (ELF)");
        assert_eq!(found(b"(component)"), "WebAssembly text");
        assert_eq!(found(b"<!doctype html>"), "an HTML or XML document");
        assert_eq!(found(b"hello"), "text");
        assert_eq!(found(&[0xff; 100]), "something else");
    }

    #[test]
    fn a_bare_module_is_not_a_component() {
        assert!(matches!(
            component(b"\0asm\x01\0\0\0"),
            Err(LoadError::CoreModule)
        ));
    }

    #[test]
    fn broken_wasm_is_an_error() {
        assert!(matches!(
            component(b"\0asm\x01\0\0\0\xff\xff"),
            Err(LoadError::Invalid { .. })
        ));
        assert!(mode(b"\0asm\x0d\0\x01\0\xff\xff").is_err());
    }
}
