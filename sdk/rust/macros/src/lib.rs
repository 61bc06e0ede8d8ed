//! The attribute `tasks`: see `homestar-sdk`.

use proc_macro::TokenStream;
use syn::{ItemMod, parse_macro_input};

mod interface;
mod names;
mod types;

/// Makes the public functions of a module those that a component exports.
///
/// Parameters and results have types of the standard library, or structs and enums of the same module. A component has one
/// such module.
#[proc_macro_attribute]
pub fn tasks(attribute: TokenStream, item: TokenStream) -> TokenStream {
    let attribute = proc_macro2::TokenStream::from(attribute);
    if !attribute.is_empty() {
        let error = syn::Error::new_spanned(attribute, "`tasks` takes nothing");
        return error.into_compile_error().into();
    }
    let module = parse_macro_input!(item as ItemMod);
    let package = std::env::var("CARGO_PKG_NAME").unwrap_or_default();
    match interface::expand(&module, &package) {
        Ok(tokens) => tokens.into(),
        Err(error) => {
            // The functions are there all the same, or each use of them would be an error too.
            let error = error.into_compile_error();
            quote::quote!(#module #error).into()
        }
    }
}
