use proptest::prelude::*;

use super::fit::{Fit, fit};
use crate::wit::arbitrary::{ty, ty_and_value};
use crate::wit::{Type, Value, from_ipld, into_ipld};

/// Whether a value of one type is taken where another is expected.
fn is_taken(value: &Value, given: &Type, expected: &Type) -> bool {
    let ipld = into_ipld(value.clone(), given).expect("a value of the type");
    from_ipld(ipld, expected).is_ok()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn what_always_fits_is_taken((given, value) in ty_and_value(), expected in ty()) {
        if fit(&given, &expected) == Fit::Always {
            prop_assert!(is_taken(&value, &given, &expected), "{given} {value:?} as {expected}");
        }
    }

    #[test]
    fn each_type_fits_itself((given, value) in ty_and_value()) {
        prop_assert_eq!(fit(&given, &given), Fit::Always);
        let some = Type::option(given.clone());
        if fit(&given, &some) == Fit::Always {
            prop_assert!(is_taken(&value, &given, &some));
        }
    }
}

#[test]
fn what_fits_and_what_does_not() {
    let stream = || Type::Stream(Some(std::sync::Arc::new(Type::U8)));
    let bytes = || Type::list(Type::U8);
    let blob = || Type::Own("blob".into());
    let size = |more: Option<(&'static str, Type)>| {
        Type::record([("w", Type::U8), ("h", Type::U8)].into_iter().chain(more))
    };
    let result = |ok, err| Type::result(Some(ok), Some(err));
    for (given, expected, word) in [
        (Type::U8, Type::U32, "always"),
        (Type::U32, Type::U8, "sometimes"),
        (Type::S8, Type::U8, "sometimes"),
        (Type::U16, Type::F32, "always"),
        (Type::U32, Type::F32, "sometimes"),
        (Type::S32, Type::F64, "always"),
        (Type::F64, Type::U8, "never"),
        (Type::F32, Type::F64, "always"),
        (Type::F64, Type::F32, "sometimes"),
        (Type::Char, Type::String, "always"),
        (Type::String, Type::Char, "sometimes"),
        (Type::String, Type::U8, "never"),
        (
            Type::enumeration(["a"]),
            Type::enumeration(["a", "b"]),
            "always",
        ),
        (
            Type::enumeration(["a", "b"]),
            Type::enumeration(["a"]),
            "sometimes",
        ),
        (Type::enumeration(["a"]), Type::enumeration(["b"]), "never"),
        (Type::U8, Type::option(Type::U16), "always"),
        (Type::option(Type::U8), Type::U16, "sometimes"),
        (Type::option(Type::String), Type::U16, "never"),
        (Type::U8, Type::option(Type::option(Type::U8)), "never"),
        (Type::list(Type::U8), Type::list(Type::U16), "never"),
        (Type::list(Type::U16), Type::list(Type::U8), "sometimes"),
        (
            Type::list(Type::U16),
            Type::tuple([Type::U16, Type::U32]),
            "sometimes",
        ),
        (
            Type::tuple([Type::U16, Type::U8]),
            Type::list(Type::U16),
            "always",
        ),
        (
            Type::tuple([Type::U8]),
            Type::tuple([Type::U8, Type::U8]),
            "never",
        ),
        (
            size(None),
            size(Some(("z", Type::option(Type::U8)))),
            "always",
        ),
        (size(None), size(Some(("z", Type::U8))), "never"),
        (size(Some(("z", Type::U8))), size(None), "never"),
        (
            size(None),
            Type::list(Type::tuple([Type::String, Type::U16])),
            "always",
        ),
        (
            result(Type::U8, Type::String),
            result(Type::U16, Type::String),
            "always",
        ),
        (
            result(Type::U8, Type::String),
            result(Type::Bool, Type::String),
            "sometimes",
        ),
        (
            result(Type::U8, Type::String),
            Type::variant([("ok", Some(Type::U8)), ("error", Some(Type::String))]),
            "always",
        ),
        (Type::flags(["a"]), Type::flags(["b", "a"]), "always"),
        (Type::flags(["a"]), Type::list(Type::String), "always"),
        (stream(), bytes(), "always"),
        (bytes(), stream(), "always"),
        (stream(), blob(), "always"),
        (blob(), stream(), "always"),
        (Type::list(stream()), Type::list(bytes()), "always"),
        (stream(), Type::String, "never"),
        (Type::String, stream(), "never"),
        (
            Type::Own("socket".into()),
            Type::Own("socket".into()),
            "never",
        ),
    ] {
        let found = match fit(&given, &expected) {
            Fit::Always => "always",
            Fit::Sometimes(_) => "sometimes",
            Fit::Never(_) => "never",
        };
        assert_eq!(found, word, "{given} as {expected}");
    }
}
