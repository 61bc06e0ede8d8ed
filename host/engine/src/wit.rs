//! Components described as WIT, for people.

use wit_component::{DecodedWasm, WitPrinter};

use crate::error::LoadError;
use crate::scan;

/// Returns the world of the component in `bytes` as a WIT document, with the packages it uses.
pub fn print(bytes: &[u8]) -> Result<String, LoadError> {
    let component = scan::component(bytes)?;
    let invalid = |error: anyhow::Error| LoadError::Invalid {
        source: error.into(),
    };
    let decoded = wit_component::decode(&component).map_err(invalid)?;
    let (DecodedWasm::Component(resolve, _) | DecodedWasm::WitPackage(resolve, _)) = &decoded;
    let main = decoded.package();
    let others: Vec<_> = resolve
        .packages
        .iter()
        .map(|(id, _)| id)
        .filter(|id| *id != main)
        .collect();
    let mut printer = WitPrinter::default();
    printer.print(resolve, main, &others).map_err(invalid)?;
    Ok(printer.output.to_string())
}
