//! The driver of name resolution: records of the names that were granted.

mod types;

use homestar_core::grant::Permit;

pub use self::types::{Answer, Caa, Data, Error, Mx, RecordType, Srv};

use super::resolver::{Resolver, check};

/// Looks up the records of one type that a name has. A name that has none of that type gives an empty list.
pub async fn lookup(
    resolver: &Resolver,
    permit: &Permit,
    name: &str,
    record_type: RecordType,
) -> Result<Vec<Answer>, Error> {
    let name = check(name)?;
    let granted = permit.dns(&name, record_type.into());
    granted.map_err(|denied| Error::Denied(denied.to_string()))?;
    resolver.lookup(&name, record_type).await
}
