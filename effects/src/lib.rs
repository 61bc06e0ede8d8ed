//! The effects that come with Homestar: components, built from `components/` along with this crate
//! and held in it as bytes.
//!
//! They are ordinary effects, and a person may put others in their place. What each offers and
//! needs stands in its own type, so there is nothing here but names and bytes:
//!
//! ```
//! let names: Vec<_> = homestar_effects::all().iter().map(|effect| effect.name).collect();
//! assert!(names.contains(&"https"));
//! ```
//!
//! The same sources, compiled by the same Rust on the same kind of machine, give the same bytes,
//! whatever folder they lie in: receipts name effects by their CIDs.

use std::fmt;

/// An effect that comes with Homestar.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Embedded {
    /// What it is called, such as `https`.
    pub name: &'static str,
    /// The component.
    pub bytes: &'static [u8],
}

impl fmt::Debug for Embedded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Embedded")
            .field("name", &self.name)
            .field("bytes", &self.bytes.len())
            .finish()
    }
}

/// All of them, in the order of their names.
#[must_use]
pub fn all() -> &'static [Embedded] {
    ALL
}

/// A component that exports what it imports: the interfaces of effects for which SDKs have modules. It passes every call on,
/// and says in the log what was asked and answered.
#[must_use]
pub fn witness() -> &'static [u8] {
    include_bytes!(concat!(env!("OUT_DIR"), "/witness.wasm"))
}

const ALL: &[Embedded] = include!(concat!(env!("OUT_DIR"), "/embedded.rs"));

#[cfg(test)]
mod tests {
    use super::*;
    use std::env;

    /// All components.
    fn every() -> impl Iterator<Item = Embedded> {
        let witness = Embedded {
            name: "witness",
            bytes: witness(),
        };
        all().iter().copied().chain([witness])
    }

    fn contains(effect: &Embedded, text: &str) -> bool {
        let mut windows = effect.bytes.windows(text.len());
        windows.any(|window| window == text.as_bytes())
    }

    #[test]
    fn effects_are_components_in_the_order_of_their_names() {
        assert!(all().is_sorted_by_key(|effect| effect.name));
        for effect in every() {
            assert!(effect.bytes.starts_with(b"\0asm\x0d\0\x01\0"), "{effect:?}");
        }
    }

    #[test]
    fn effects_import_no_wasi() {
        for effect in every() {
            assert!(!contains(&effect, "wasi:"), "{effect:?}");
        }
    }

    /// A trap says in which core module it happened.
    #[test]
    fn core_modules_are_called_like_their_effect() {
        for effect in every() {
            let name = format!("{}.wasm", effect.name.replace('-', "_"));
            assert!(contains(&effect, &name), "{effect:?}");
        }
    }

    #[test]
    fn effects_do_not_say_where_they_were_built() {
        let home = env::home_dir().map(|home| home.join(".").display().to_string());
        for effect in every() {
            assert!(
                !contains(&effect, env!("CARGO_MANIFEST_DIR")),
                "{effect:?} names this folder"
            );
            for home in home.iter().filter(|home| home.len() > 2) {
                assert!(!contains(&effect, home), "{effect:?} names {home}");
            }
        }
    }
}
