//! What the modules for effects have in common.

/// Declares why an effect didn't do it, each case with its message.
macro_rules! error {
    ($(#[$doc:meta])* {
        $($(#[$case_doc:meta])* $case:ident $(($value:ident: $ty:ty))? => $words:literal,)*
    }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum Error {
            $($(#[$case_doc])* $case $(($ty))?,)*
        }

        impl std::fmt::Display for Error {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                match self {
                    $(Self::$case $(($value))? => write!(f, $words),)*
                }
            }
        }

        impl std::error::Error for Error {}

        #[cfg(all(feature = "testing", not(target_family = "wasm")))]
        impl $crate::testing::Case for Error {
            fn case(name: &str, value: &$crate::testing::Value) -> Option<Self> {
                $(if $crate::testing::is_called(stringify!($case), name) {
                    return Some(Self::$case $(($crate::testing::read::<$ty>(value)?))?);
                })*
                None
            }
        }

        /// A task that fails with a text can end with `?`.
        impl From<Error> for String {
            fn from(error: Error) -> Self {
                error.to_string()
            }
        }
    };
}

/// Declares an enum of plain cases, in the order of its WIT.
macro_rules! cases {
    ($(#[$doc:meta])* $name:ident { $($(#[$case_doc:meta])* $case:ident,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u8)]
        pub enum $name {
            $($(#[$case_doc])* $case,)*
        }

        #[cfg(all(feature = "testing", not(target_family = "wasm")))]
        impl $crate::testing::Case for $name {
            fn case(name: &str, _: &$crate::testing::Value) -> Option<Self> {
                let cases = [$((stringify!($case), Self::$case)),*];
                cases.into_iter().find_map(|(case, it)| $crate::testing::is_called(case, name).then_some(it))
            }
        }

        #[cfg(target_family = "wasm")]
        impl $name {
            /// # Safety
            ///
            /// None: bindings call it so.
            pub(crate) unsafe fn _lift(value: u8) -> Self {
                const CASES: &[$name] = &[$($name::$case,)*];
                CASES[usize::from(value)]
            }
        }
    };
}

/// Declares the functions of an interface. In a component they are those of `bindings`, elsewhere those of what stands in.
macro_rules! functions {
    ($module:literal, $bindings:path {
        $($(#[$doc:meta])* fn $name:ident($($argument:ident: $ty:ty),*) $(-> $result:ty)?;)*
    }) => {
        #[cfg(target_family = "wasm")]
        use $bindings as bindings;

        $(
            $(#[$doc])*
            pub fn $name($($argument: $ty),*) $(-> $result)? {
                #[cfg(target_family = "wasm")]
                return bindings::$name($($argument),*);
                #[cfg(not(target_family = "wasm"))]
                return host(stringify!($name)).$name($($argument),*);
            }
        )*

        /// What answers where there is no host: in tests. A function that isn't overridden panics.
        #[cfg(not(target_family = "wasm"))]
        #[expect(unused_variables, reason = "names that say what an argument is")]
        pub trait Host {
            $(
                $(#[$doc])*
                fn $name(&self, $($argument: $ty),*) $(-> $result)? {
                    $crate::effect::unanswered($module, stringify!($name))
                }
            )*
        }

        #[cfg(not(target_family = "wasm"))]
        thread_local! {
            static HOST: std::cell::RefCell<Option<std::rc::Rc<dyn Host>>> = const { std::cell::RefCell::new(None) };
        }

        #[cfg(not(target_family = "wasm"))]
        fn host(function: &str) -> std::rc::Rc<dyn Host> {
            let host = HOST.with_borrow(|host| host.clone());
            host.unwrap_or_else(|| $crate::effect::unanswered($module, function))
        }

        /// Lets `host` answer in this thread until what is returned is dropped.
        #[cfg(not(target_family = "wasm"))]
        pub fn stand_in(host: impl Host + 'static) -> $crate::StandIn {
            let before = HOST.replace(Some(std::rc::Rc::new(host)));
            $crate::StandIn::new(move || {
                HOST.set(before);
            })
        }
    };
}

pub(crate) use {cases, error, functions};

/// Ends a test that calls what nothing stands in for.
#[cfg(not(target_family = "wasm"))]
pub(crate) fn unanswered(module: &str, function: &str) -> ! {
    panic!(
        "{module}::{function} works in a component; in a test something stands in for it, by `{module}::stand_in` or a \
         recording (`homestar_sdk::testing`)"
    )
}

/// While it lives, something answers in place of an effect.
#[cfg(not(target_family = "wasm"))]
#[must_use = "once it is dropped, nothing stands in any more"]
pub struct StandIn(Option<Box<dyn FnOnce()>>);

#[cfg(not(target_family = "wasm"))]
impl StandIn {
    pub(crate) fn new(end: impl FnOnce() + 'static) -> Self {
        Self(Some(Box::new(end)))
    }
}

#[cfg(not(target_family = "wasm"))]
impl Drop for StandIn {
    fn drop(&mut self) {
        if let Some(end) = self.0.take() {
            end();
        }
    }
}
