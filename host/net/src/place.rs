//! What a URL says of where it leads, before any name is looked up.

use homestar_core::grant::address::class;
use url::{Host, Url};

/// True for what is on this machine.
pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => is_localhost(name),
        None => false,
    }
}

/// False for an address that isn't public. What a name leads to is seen when it is looked up.
pub(crate) fn is_public(host: &Host<&str>) -> bool {
    match host {
        Host::Ipv4(address) => class((*address).into()).is_public(),
        Host::Ipv6(address) => class((*address).into()).is_public(),
        Host::Domain(name) => !is_localhost(name),
    }
}

/// True for names of this machine.
pub(crate) fn is_localhost(name: &str) -> bool {
    name == "localhost" || name.ends_with(".localhost")
}
