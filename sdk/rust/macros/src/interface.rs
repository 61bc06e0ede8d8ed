//! The interface that the tasks of one module make: its WIT, and the bindings to it.

use std::collections::BTreeMap;

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::{
    Attribute, Error, Expr, Fields, FnArg, Ident, Item, ItemEnum, ItemFn, ItemMod, ItemStruct, Lit,
    Meta, Pat, ReturnType, Type, Visibility,
};

use crate::names::Name;
use crate::types::{Ty, Way, turner};

/// Returns the module, with bindings in it where it is compiled to WebAssembly.
pub(crate) fn expand(module: &ItemMod, package: &str) -> Result<TokenStream, Error> {
    let world = Name::parse(package).ok_or_else(|| {
        let words = format!("the package's name `{package}` is no name in WIT");
        Error::new_spanned(&module.ident, words)
    })?;
    let bindings = Interface::of(module)?.bindings(&world);
    let (attributes, visibility, name) = (&module.attrs, &module.vis, &module.ident);
    let items = module.content.iter().flat_map(|(_, items)| items);
    // Without WebAssembly nobody calls the tasks but tests.
    Ok(quote! {
        #(#attributes)*
        #[cfg_attr(not(target_family = "wasm"), allow(dead_code))]
        #visibility mod #name {
            #(#items)*
            #bindings
        }
    })
}

/// A struct or enum of the module.
#[derive(Clone, Copy)]
enum Own<'a> {
    Struct(&'a ItemStruct),
    Enum(&'a ItemEnum),
}

struct Interface<'a> {
    own: BTreeMap<String, Own<'a>>,
    /// Whose each name of WIT is.
    names: BTreeMap<String, String>,
    /// Types that are being looked at: one that leads to itself has no end in WIT.
    open: Vec<String>,
    /// Definitions in WIT, of types and of functions.
    types: Vec<String>,
    functions: Vec<String>,
    /// Functions that turn values of the module's types.
    turners: Vec<TokenStream>,
    methods: Vec<TokenStream>,
}

impl<'a> Interface<'a> {
    /// Returns the interface that the public functions of `module` make.
    fn of(module: &'a ItemMod) -> Result<Self, Error> {
        let Some((_, items)) = &module.content else {
            let words = "`tasks` needs a module with its content, `mod name { … }`";
            return Err(Error::new_spanned(module, words));
        };
        let mut interface = Self::new(items);
        for item in items {
            match item {
                Item::Fn(task) if matches!(task.vis, Visibility::Public(_)) => {
                    interface.add(task)?;
                }
                _ => {}
            }
        }
        if interface.methods.is_empty() {
            let words = "there is no task in here: a function that is `pub`";
            return Err(Error::new_spanned(&module.ident, words));
        }
        Ok(interface)
    }

    fn new(items: &'a [Item]) -> Self {
        let own = items.iter().filter_map(|item| match item {
            Item::Struct(item) => Some((item.ident.to_string(), Own::Struct(item))),
            Item::Enum(item) => Some((item.ident.to_string(), Own::Enum(item))),
            _ => None,
        });
        Self {
            own: own.collect(),
            names: BTreeMap::new(),
            open: Vec::new(),
            types: Vec::new(),
            functions: Vec::new(),
            turners: Vec::new(),
            methods: Vec::new(),
        }
    }

    /// Takes the name for `ident`, and tells whether it was taken for it before.
    fn claim(&mut self, ident: &Ident) -> Result<(Name, bool), Error> {
        let name = Name::new(ident)?;
        match self.names.insert(name.wit(), ident.to_string()) {
            None => Ok((name, false)),
            Some(other) if *ident == other => Ok((name, true)),
            Some(other) => Err(Error::new(
                ident.span(),
                format!(
                    "`{ident}` and `{other}` would both be called `{}` in WIT",
                    name.wit()
                ),
            )),
        }
    }

    fn ty(&mut self, ty: &Type) -> Result<Option<Ty>, Error> {
        Ty::new(ty, &mut |ident| self.own(ident))
    }

    fn some(&mut self, ty: &Type) -> Result<Ty, Error> {
        Ty::some(ty, &mut |ident| self.own(ident))
    }

    /// Defines the type `ident` of the module, if there is one.
    fn own(&mut self, ident: &Ident) -> Result<Option<Name>, Error> {
        let Some(own) = self.own.get(&ident.to_string()).copied() else {
            return Ok(None);
        };
        if self.open.iter().any(|open| *ident == open) {
            return Err(Error::new(
                ident.span(),
                format!("`{ident}` holds itself, and types of WIT can't"),
            ));
        }
        let (name, is_known) = self.claim(ident)?;
        if !is_known {
            self.open.push(ident.to_string());
            match own {
                Own::Struct(item) => self.record(item, &name)?,
                Own::Enum(item) => self.cases(item, &name)?,
            }
            self.open.pop();
        }
        Ok(Some(name))
    }

    fn record(&mut self, item: &ItemStruct, name: &Name) -> Result<(), Error> {
        check_generics(&item.generics, &item.ident)?;
        let Fields::Named(fields) = &item.fields else {
            return Err(Error::new_spanned(
                item,
                "a record of WIT has fields with names",
            ));
        };
        if fields.named.is_empty() {
            return Err(Error::new_spanned(
                item,
                "a record of WIT has one field at least",
            ));
        }
        let mut wit = documented(&item.attrs, 1);
        wit += &format!("    record {} {{\n", name.wit());
        let (mut ins, mut outs) = (Vec::new(), Vec::new());
        for field in &fields.named {
            let ident = field.ident.as_ref().expect("it has a name");
            let label = Name::new(ident)?;
            let ty = self.some(&field.ty)?;
            wit += &documented(&field.attrs, 2);
            wit += &format!("        {}: {},\n", label.wit(), ty.wit());
            let bound = label.snake();
            let given = ty.turned(Way::In, &quote!(value.#bound));
            ins.push(quote!(#ident: #given));
            let given = ty.turned(Way::Out, &quote!(value.#ident));
            outs.push(quote!(#bound: #given));
        }
        wit += "    }\n";
        self.types.push(wit);
        let (ident, bound) = (&item.ident, name.camel());
        self.turner(
            name,
            ident,
            quote!(super::#ident { #(#ins,)* }),
            quote!(bindings::#bound { #(#outs,)* }),
        );
        Ok(())
    }

    /// Adds an enum, of which each case has at most one value.
    fn cases(&mut self, item: &ItemEnum, name: &Name) -> Result<(), Error> {
        check_generics(&item.generics, &item.ident)?;
        if item.variants.is_empty() {
            return Err(Error::new_spanned(
                item,
                "an enum of WIT has one case at least",
            ));
        }
        let is_plain = item.variants.iter().all(|case| case.fields.is_empty());
        let word = if is_plain { "enum" } else { "variant" };
        let mut wit = documented(&item.attrs, 1);
        wit += &format!("    {word} {} {{\n", name.wit());
        let (own, bound) = (&item.ident, name.camel());
        let (mut ins, mut outs) = (Vec::new(), Vec::new());
        for case in &item.variants {
            let label = Name::new(&case.ident)?;
            let (ident, other) = (&case.ident, label.camel());
            wit += &documented(&case.attrs, 2);
            match &case.fields {
                Fields::Unit => {
                    wit += &format!("        {},\n", label.wit());
                    ins.push(quote!(bindings::#bound::#other => super::#own::#ident));
                    outs.push(quote!(super::#own::#ident => bindings::#bound::#other));
                }
                Fields::Unnamed(fields) if fields.unnamed.len() == 1 => {
                    let ty = self.some(&fields.unnamed[0].ty)?;
                    wit += &format!("        {}({}),\n", label.wit(), ty.wit());
                    let given = ty.turned(Way::In, &quote!(value));
                    ins.push(
                        quote!(bindings::#bound::#other(value) => super::#own::#ident(#given)),
                    );
                    let given = ty.turned(Way::Out, &quote!(value));
                    outs.push(
                        quote!(super::#own::#ident(value) => bindings::#bound::#other(#given)),
                    );
                }
                _ => {
                    let words = "a case of WIT has one value; a tuple or a struct holds several";
                    return Err(Error::new_spanned(case, words));
                }
            }
        }
        wit += "    }\n";
        self.types.push(wit);
        self.turner(
            name,
            own,
            quote!(match value { #(#ins,)* }),
            quote!(match value { #(#outs,)* }),
        );
        Ok(())
    }

    /// Adds the functions that turn values of a type of the module.
    fn turner(&mut self, name: &Name, own: &Ident, ins: TokenStream, outs: TokenStream) {
        let (enter, leave, bound) = (turner(Way::In, name), turner(Way::Out, name), name.camel());
        // A type may go one way only.
        self.turners.push(quote! {
            #[allow(dead_code)]
            fn #enter(value: bindings::#bound) -> super::#own { #ins }
            #[allow(dead_code)]
            fn #leave(value: super::#own) -> bindings::#bound { #outs }
        });
    }

    fn add(&mut self, task: &ItemFn) -> Result<(), Error> {
        let signature = &task.sig;
        check_generics(&signature.generics, &signature.ident)?;
        let (name, _) = self.claim(&signature.ident)?;
        let (mut parameters, mut names, mut types, mut given) =
            (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for (at, input) in signature.inputs.iter().enumerate() {
            let (label, ty, is_lent) = self.parameter(input)?;
            parameters.push(format!("{}: {}", label.wit(), ty.wit()));
            let name = format_ident!("v{at}");
            let value = ty.turned(Way::In, &quote!(#name));
            given.push(if is_lent { quote!(&#value) } else { value });
            types.push(bound(&ty));
            names.push(name);
        }
        let result = match &signature.output {
            ReturnType::Default => None,
            ReturnType::Type(_, ty) => self.ty(ty)?,
        };
        let mut wit = documented(&task.attrs, 1);
        let arrow = result
            .as_ref()
            .map_or(String::new(), |ty| format!(" -> {}", ty.wit()));
        wit += &format!(
            "    {}: {}func({}){arrow};\n",
            name.wit(),
            signature.asyncness.map_or("", |_| "async "),
            parameters.join(", ")
        );
        self.functions.push(wit);

        let (function, method) = (&signature.ident, name.snake());
        let waits = &signature.asyncness;
        let wait = waits.map(|_| quote!(.await));
        let call = quote!(super::#function(#(#given),*)#wait);
        let (call, arrow) = match &result {
            Some(ty) => {
                let returned = bound(ty);
                (ty.turned(Way::Out, &call), quote!(-> #returned))
            }
            None => (call, quote!()),
        };
        self.methods
            .push(quote!(#waits fn #method(#(#names: #types),*) #arrow { #call }));
        Ok(())
    }

    /// Returns the name and the type of a parameter, and whether the function borrows it.
    fn parameter(&mut self, input: &FnArg) -> Result<(Name, Ty, bool), Error> {
        let FnArg::Typed(input) = input else {
            return Err(Error::new_spanned(input, "a task has no `self`"));
        };
        let Pat::Ident(pattern) = &*input.pat else {
            return Err(Error::new_spanned(
                &input.pat,
                "a parameter of a task has a name",
            ));
        };
        let label = Name::new(&pattern.ident)?;
        if let Type::Reference(reference) = &*input.ty
            && reference.mutability.is_none()
        {
            match &*reference.elem {
                Type::Path(path) if path.path.is_ident("str") => {
                    return Ok((label, Ty::Plain("string".to_owned()), true));
                }
                Type::Slice(slice) => return Ok((label, self.some(&slice.elem)?.listed(), true)),
                _ => {}
            }
        }
        Ok((label, self.some(&input.ty)?, false))
    }

    fn wit(&self, world: &Name) -> String {
        let items: Vec<&str> = self
            .types
            .iter()
            .chain(&self.functions)
            .map(|item| &**item)
            .collect();
        let world = world.wit();
        format!(
            "package my:{world};\n\ninterface tasks {{\n{}}}\n\nworld {world} {{\n    export tasks;\n}}\n",
            items.join("\n")
        )
    }

    fn bindings(&self, world: &Name) -> TokenStream {
        let wit = self.wit(world);
        let package = world.snake();
        let (turners, methods) = (&self.turners, &self.methods);
        quote! {
            #[cfg(target_family = "wasm")]
            mod homestar_bindings {
                ::homestar_sdk::private::wit_bindgen::generate!({
                    inline: #wit,
                    runtime_path: "::homestar_sdk::private::wit_bindgen::rt",
                });

                use exports::my::#package::tasks as bindings;

                struct Tasks;

                impl bindings::Guest for Tasks {
                    #(#methods)*
                }

                #(#turners)*

                export!(Tasks);
            }
        }
    }
}

/// Returns a type as bindings have it.
fn bound(ty: &Ty) -> TokenStream {
    match ty {
        Ty::Plain(text) => bound_plain(text),
        Ty::List(item) => {
            let item = bound(item);
            quote!(::std::vec::Vec<#item>)
        }
        Ty::Map(value) => {
            let value = bound(value);
            quote!(::std::vec::Vec<(::std::string::String, #value)>)
        }
        Ty::Option(some) => {
            let some = bound(some);
            quote!(::std::option::Option<#some>)
        }
        Ty::Tuple(types) => {
            let types = types.iter().map(bound);
            quote!((#(#types,)*))
        }
        Ty::Result(ok, error) => {
            let side = |ty: &Option<Box<Ty>>| ty.as_ref().map_or(quote!(()), |ty| bound(ty));
            let (ok, error) = (side(ok), side(error));
            quote!(::std::result::Result<#ok, #error>)
        }
        Ty::Own(name) => {
            let name = name.camel();
            quote!(bindings::#name)
        }
    }
}

fn bound_plain(text: &str) -> TokenStream {
    if let Some(item) = text
        .strip_prefix("list<")
        .and_then(|rest| rest.strip_suffix('>'))
    {
        let item = bound_plain(item);
        return quote!(::std::vec::Vec<#item>);
    }
    let name = match text {
        "string" => return quote!(::std::string::String),
        "s8" => "i8",
        "s16" => "i16",
        "s32" => "i32",
        "s64" => "i64",
        other => other,
    };
    let name = format_ident!("{name}");
    quote!(#name)
}

fn check_generics(generics: &syn::Generics, ident: &Ident) -> Result<(), Error> {
    match generics.params.is_empty() {
        true => Ok(()),
        false => Err(Error::new_spanned(
            generics,
            format!("`{ident}` has parameters, and nothing in WIT has"),
        )),
    }
}

/// Returns the documentation of an item as comments, at a depth of indentation.
fn documented(attributes: &[Attribute], depth: usize) -> String {
    let indent = "    ".repeat(depth);
    let lines = attributes
        .iter()
        .filter_map(|attribute| match &attribute.meta {
            Meta::NameValue(pair) if pair.path.is_ident("doc") => match &pair.value {
                Expr::Lit(literal) => match &literal.lit {
                    Lit::Str(text) => Some(text.value()),
                    _ => None,
                },
                _ => None,
            },
            _ => None,
        });
    let text: Vec<String> = lines.collect();
    let lines = text.iter().flat_map(|text| text.split('\n'));
    lines
        .map(|line| format!("{}\n", format!("{indent}///{line}").trim_end()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use syn::parse_quote;

    /// What stands in the interface, on one line.
    fn items(module: &ItemMod) -> String {
        let wit = Interface::of(module)
            .unwrap()
            .wit(&Name::parse("tries").unwrap());
        let inside = wit.split_once("interface tasks {").unwrap().1;
        let inside = inside.split_once("\n}\n").unwrap().0;
        inside.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    fn refused(module: &ItemMod) -> String {
        Interface::of(module).map(|_| ()).unwrap_err().to_string()
    }

    #[test]
    fn every_type_has_one_in_wit() {
        let types: [(Type, &str); 14] = [
            (parse_quote!(bool), "bool"),
            (parse_quote!(i64), "s64"),
            (parse_quote!(&str), "string"),
            (parse_quote!(std::string::String), "string"),
            (parse_quote!(&[u8]), "list<u8>"),
            (parse_quote!(Vec<Vec<f32>>), "list<list<f32>>"),
            (parse_quote!(&[Kind]), "list<kind>"),
            (parse_quote!(Option<Kind>), "option<kind>"),
            (parse_quote!((u8, char)), "tuple<u8, char>"),
            (
                parse_quote!(HashMap<String, Kind>),
                "list<tuple<string, kind>>",
            ),
            (parse_quote!(Result<(), ()>), "result"),
            (parse_quote!(Result<u8, ()>), "result<u8>"),
            (parse_quote!(Result<(), Kind>), "result<_, kind>"),
            (parse_quote!(Result<u8, String>), "result<u8, string>"),
        ];
        for (ty, wit) in types {
            let text = items(&parse_quote!(
                mod tries {
                    enum Kind { A }
                    pub fn given(value: #ty) {}
                }
            ));
            let wanted = format!("given: func(value: {wit});");
            assert!(text.ends_with(&wanted), "{text}");
        }
    }

    #[test]
    fn types_are_defined_with_their_documentation() {
        let text = items(&parse_quote!(
            mod tries {
                /// Where it is.
                struct Point {
                    x: f64,
                    /// Downwards.
                    r#type: Kind,
                }
                enum Kind {
                    VeryLarge,
                    List,
                }
                enum Shape {
                    /// Round.
                    Circle(Point),
                    Nothing,
                }
                /// Draws it.
                ///
                /// As a picture.
                pub fn draw(shapes: Vec<Shape>) -> Vec<u8> {}
                fn helper(not: usize) {}
            }
        ));
        assert_eq!(
            text,
            "enum kind { very-large, %list, } \
             /// Where it is. record point { x: f64, /// Downwards. %type: kind, } \
             variant shape { /// Round. circle(point), nothing, } \
             /// Draws it. /// /// As a picture. draw: func(shapes: list<shape>) -> list<u8>;"
        );
    }

    #[test]
    fn what_waits_is_async() {
        let text = items(&parse_quote!(
            mod tries {
                pub async fn wait(a: u8) -> Result<u8, String> {
                    Ok(a)
                }
            }
        ));
        assert_eq!(text, "wait: async func(a: u8) -> result<u8, string>;");
    }

    #[test]
    fn what_is_no_task_is_told() {
        let cases: [(ItemMod, &str); 10] = [
            (
                parse_quote!(
                    mod a;
                ),
                "`tasks` needs a module with its content, `mod name { … }`",
            ),
            (
                parse_quote!(
                    mod a {
                        fn f() {}
                    }
                ),
                "there is no task in here: a function that is `pub`",
            ),
            (
                parse_quote!(
                    mod a {
                        pub fn f<T>(a: T) {}
                    }
                ),
                "`f` has parameters, and nothing in WIT has",
            ),
            (
                parse_quote!(
                    mod a {
                        pub fn f(a: usize) {}
                    }
                ),
                "`usize` differs between machines; `u32` or `u64` don't",
            ),
            (
                parse_quote!(
                    mod a {
                        pub fn f() -> &'static str {}
                    }
                ),
                "of references, a parameter may be `&str` or `&[T]`, and nothing else may be one",
            ),
            (
                parse_quote!(
                    mod a {
                        pub fn f(a: HashMap<u8, u8>) {}
                    }
                ),
                "a map has a `String` for its keys; a `Vec` of tuples may have any",
            ),
            (
                parse_quote!(
                    mod a {
                        struct A {
                            a: Vec<A>,
                        }
                        pub fn f(a: A) {}
                    }
                ),
                "`A` holds itself, and types of WIT can't",
            ),
            (
                parse_quote!(
                    mod a {
                        struct A(u8);
                        pub fn f(a: A) {}
                    }
                ),
                "a record of WIT has fields with names",
            ),
            (
                parse_quote!(
                    mod a {
                        enum A {
                            B(u8, u8),
                        }
                        pub fn f(a: A) {}
                    }
                ),
                "a case of WIT has one value; a tuple or a struct holds several",
            ),
            (
                parse_quote!(
                    mod a {
                        struct F {
                            a: u8,
                        }
                        pub fn f(a: F) {}
                    }
                ),
                "`F` and `f` would both be called `f` in WIT",
            ),
        ];
        for (module, words) in cases {
            assert_eq!(refused(&module), words);
        }
        let unknown = refused(&parse_quote!(
            mod a {
                pub fn f(a: Instant) {}
            }
        ));
        assert!(
            unknown.starts_with("WIT has no type for this: there are bool"),
            "{unknown}"
        );
    }
}
