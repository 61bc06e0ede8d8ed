//! What `homestar bind` writes types with.

/// A list of values and of what stands for values: `list![1, &half, 3]`.
#[macro_export]
macro_rules! list {
    ($($item:expr),* $(,)?) => {
        ::std::vec![$($crate::flow::Arg::from($item)),*]
    };
}

/// A record. Each field has its type, and the type of what its constructor takes.
#[macro_export]
macro_rules! record {
    ($(#[$doc:meta])* $name:ident { $($field:ident: $ty:ty as $arg:ty,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq)]
        pub struct $name {
            $(#[allow(missing_docs, reason = "WIT has none")] pub $field: $ty,)*
        }

        impl $name {
            /// One of values and of what stands for values.
            #[allow(clippy::too_many_arguments, reason = "it has so many fields")]
            pub fn of($($field: impl Into<$crate::flow::Arg<$arg>>),*) -> $crate::flow::Arg<Self> {
                $crate::flow::Arg::of($crate::flow::fields([
                    $((stringify!($field), $field.into().into_node()),)*
                ]))
            }
        }

        impl $crate::flow::Value for $name {
            fn write(&self) -> $crate::flow::Node {
                $crate::flow::fields([
                    $((stringify!($field), $crate::flow::Value::write(&self.$field)),)*
                ])
            }

            fn read(value: &$crate::flow::Json) -> Option<Self> {
                const NULL: &$crate::flow::Json = &$crate::flow::Json::Null;
                let field = |name| value.get($crate::flow::kebab(name)).unwrap_or(NULL);
                Some(Self {
                    $($field: $crate::flow::Value::read(field(stringify!($field)))?,)*
                })
            }
        }

        impl $crate::flow::Fits<Self> for $name {}
        impl $crate::flow::Fits<$crate::flow::Data> for $name {}
    };
}

/// A variant. Each case has its name in WIT, and where it holds something the type of that, with what its constructor is called
/// and takes.
#[macro_export]
macro_rules! variant {
    ($(#[$doc:meta])* $name:ident { $($case:ident $(($ty:ty as $arg:ty, $make:ident))? = $wit:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq)]
        pub enum $name {
            $(#[allow(missing_docs, reason = "WIT has none")] $case $(($ty))?,)*
        }

        impl $name {
            $($(
                /// The case of a value or of what stands for one.
                pub fn $make(value: impl Into<$crate::flow::Arg<$arg>>) -> $crate::flow::Arg<Self> {
                    let inner = value.into().into_node();
                    $crate::flow::Arg::of($crate::flow::Node::Map(::std::vec![($wit.to_owned(), inner)]))
                }
            )?)*
        }

        impl $crate::flow::Value for $name {
            fn write(&self) -> $crate::flow::Node {
                $($crate::case_write!(self, $name, $case $(($ty))?, $wit);)*
                unreachable!("it is one of its cases")
            }

            fn read(value: &$crate::flow::Json) -> Option<Self> {
                let (case, value) = value.as_object()?.iter().next()?;
                $($crate::case_read!(case, value, $name, $case $(($ty))?, $wit);)*
                None
            }
        }

        impl $crate::flow::Fits<Self> for $name {}
        impl $crate::flow::Fits<$crate::flow::Data> for $name {}
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! case_write {
    ($self:ident, $name:ident, $case:ident, $wit:literal) => {
        if matches!($self, $name::$case) {
            let null = $crate::flow::Node::Json($crate::flow::Json::Null);
            return $crate::flow::Node::Map(::std::vec![($wit.to_owned(), null)]);
        }
    };
    ($self:ident, $name:ident, $case:ident ($ty:ty), $wit:literal) => {
        if let $name::$case(value) = $self {
            let inner = $crate::flow::Value::write(value);
            return $crate::flow::Node::Map(::std::vec![($wit.to_owned(), inner)]);
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! case_read {
    ($found:ident, $value:ident, $name:ident, $case:ident, $wit:literal) => {
        if $found == $wit {
            return Some($name::$case);
        }
    };
    ($found:ident, $value:ident, $name:ident, $case:ident ($ty:ty), $wit:literal) => {
        if $found == $wit {
            return $crate::flow::Value::read($value).map($name::$case);
        }
    };
}

/// An enum, each case with its name in WIT. Flags are a set of one.
#[macro_export]
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($case:ident = $wit:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name {
            $(#[allow(missing_docs, reason = "WIT has none")] $case,)*
        }

        impl $crate::flow::Value for $name {
            fn write(&self) -> $crate::flow::Node {
                let word = match self {
                    $(Self::$case => $wit,)*
                };
                $crate::flow::Node::Json(word.into())
            }

            fn read(value: &$crate::flow::Json) -> Option<Self> {
                match value.as_str()? {
                    $($wit => Some(Self::$case),)*
                    _ => None,
                }
            }
        }

        impl $crate::flow::Fits<Self> for $name {}
        impl $crate::flow::Fits<$crate::flow::Data> for $name {}
    };
}
