//! Where a peer is, and who.

use std::fmt;
use std::net::{IpAddr, TcpListener};
use std::str::FromStr;

use homestar_core::grant::address::{Class, class};
use libp2p::multiaddr::Protocol;
use libp2p::{Multiaddr, PeerId};
use thiserror::Error;

/// The longest text that is read as an address.
const TEXT_BYTES_MAX: usize = 1000;

/// Where a peer is, and who: a multiaddress with a peer's id at its end, as `/ip4/192.0.2.1/tcp/4001/p2p/12D3…`.
///
/// The id is that of a key, so whoever answers there has to prove that it is theirs.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PeerAddress {
    id: PeerId,
    address: Multiaddr,
}

impl PeerAddress {
    /// The address of a peer that listens there.
    pub fn new(address: Multiaddr, id: PeerId) -> Self {
        let address = match address.iter().last() {
            Some(Protocol::P2p(_)) => address,
            _ => address.with(Protocol::P2p(id)),
        };
        Self { id, address }
    }

    /// Who.
    pub fn id(&self) -> PeerId {
        self.id
    }

    /// Where.
    pub fn address(&self) -> &Multiaddr {
        &self.address
    }
}

impl FromStr for PeerAddress {
    type Err = PeerAddressError;

    fn from_str(text: &str) -> Result<Self, PeerAddressError> {
        let shown: String = text.chars().take(100).collect();
        if text.len() > TEXT_BYTES_MAX {
            return Err(PeerAddressError::Malformed(shown));
        }
        let address: Multiaddr = match text.parse() {
            Ok(address) if !text.is_empty() => address,
            _ => return Err(PeerAddressError::Malformed(shown)),
        };
        match address.iter().last() {
            Some(Protocol::P2p(_)) if address.iter().count() == 1 => {
                Err(PeerAddressError::Nowhere(shown))
            }
            Some(Protocol::P2p(id)) => Ok(Self { id, address }),
            _ => Err(PeerAddressError::Nobody(shown)),
        }
    }
}

impl fmt::Display for PeerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.address.fmt(f)
    }
}

/// Tells whether nobody listens there yet, as far as that is known before listening. For TCP, libp2p listens also where
/// somebody does already, and then each gets some of the connections.
pub(super) fn is_free(address: &Multiaddr) -> std::io::Result<()> {
    let mut parts = address.iter();
    let ip = match parts.next() {
        Some(Protocol::Ip4(ip)) => IpAddr::V4(ip),
        Some(Protocol::Ip6(ip)) => IpAddr::V6(ip),
        _ => return Ok(()),
    };
    match parts.next() {
        Some(Protocol::Tcp(port)) if port != 0 => TcpListener::bind((ip, port)).map(drop),
        _ => Ok(()),
    }
}

/// Tells whether a peer at one address may say that somebody is at another one. What is near us is not for those to say
/// who are far away: else strangers would have us knock at doors in our own network.
pub(super) fn may_tell(teller: &Multiaddr, told: &Multiaddr) -> bool {
    match (Reach::of(teller), Reach::of(told)) {
        (Some(teller), Some(told)) => told <= teller,
        _ => false,
    }
}

/// From where an address is reached, the farthest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Reach {
    Everywhere,
    Network,
    Machine,
}

impl Reach {
    /// None for names, which lead wherever who has them wants.
    pub(super) fn of(address: &Multiaddr) -> Option<Self> {
        let ip = match address.iter().next()? {
            Protocol::Ip4(ip) => IpAddr::V4(ip),
            Protocol::Ip6(ip) => IpAddr::V6(ip),
            Protocol::Memory(_) => return Some(Self::Machine),
            _ => return None,
        };
        Some(match class(ip) {
            Class::Public => Self::Everywhere,
            Class::Loopback => Self::Machine,
            _ => Self::Network,
        })
    }
}

/// What should be the address of a peer and isn't.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PeerAddressError {
    /// It is no multiaddress.
    #[error("`{0}` is no address of a peer, such as /ip4/192.0.2.1/tcp/4001/p2p/12D3KooW…")]
    Malformed(String),
    /// It doesn't say who.
    #[error("`{0}` doesn't say which peer is there: /p2p/ and its id belong at the end")]
    Nobody(String),
    /// It says only who.
    #[error("`{0}` doesn't say where the peer is: /ip4/… or another place belongs before it")]
    Nowhere(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "12D3KooWK99VoVxNE7XzyBwXEzW7xhK7Gpv85r9F3V3fyKSUKPH5";

    #[test]
    fn addresses_are_read_and_written() {
        for place in [
            "/ip4/127.0.0.1/tcp/4001",
            "/dns4/node.example/udp/4001/quic-v1",
            "/memory/7",
        ] {
            let text = format!("{place}/p2p/{ID}");
            let address: PeerAddress = text.parse().unwrap();
            assert_eq!(address.to_string(), text);
            assert_eq!(address.id().to_string(), ID);
            assert_eq!(
                PeerAddress::new(place.parse().unwrap(), address.id()),
                address
            );
        }
    }

    #[test]
    fn who_is_far_away_says_nothing_of_what_is_near() {
        let (far, near) = ("/ip4/9.9.9.9/tcp/1", "/ip4/10.0.0.1/tcp/1");
        let (here, name) = ("/ip4/127.0.0.1/tcp/1", "/dns4/node.example/tcp/1");
        for (teller, told, may) in [
            (far, far, true),
            (far, near, false),
            (far, here, false),
            (far, name, false),
            (near, far, true),
            (near, near, true),
            (near, here, false),
            (here, here, true),
            (here, near, true),
            ("/memory/1", "/memory/2", true),
            (far, "/memory/2", false),
        ] {
            let [teller, told] = [teller, told].map(|text| text.parse().unwrap());
            assert_eq!(may_tell(&teller, &told), may, "{teller} {told}");
        }
    }

    #[test]
    fn what_is_missing_is_said() {
        for (text, words) in [
            ("", "`` is no address of a peer"),
            ("127.0.0.1:4001", "`127.0.0.1:4001` is no address of a peer"),
            (
                "/ip4/127.0.0.1/tcp/4001",
                "`/ip4/127.0.0.1/tcp/4001` doesn't say which peer is there",
            ),
            (&format!("/p2p/{ID}"), "doesn't say where the peer is"),
        ] {
            let error = text.parse::<PeerAddress>().unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
    }
}
