//! Which addresses are public, and what the others are for.
//!
//! After the registries of special-purpose addresses that IANA keeps for IPv4 and IPv6 (RFC 6890), read strictly: an
//! address is public if it is ordinary unicast that anyone may have. Addresses that carry another address inside are
//! not, because where they lead depends on the network that this machine stands in.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What an address is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// Anyone's: what is open without being named.
    Public,
    /// This host on this network, such as `0.0.0.0` and `::`.
    Unspecified,
    /// This machine.
    Loopback,
    /// Networks of one owner.
    Private,
    /// Between a provider and its customers.
    Shared,
    /// One wire. Clouds tell machines their secrets here.
    LinkLocal,
    /// Where a cloud tells machines their secrets, among public addresses.
    Metadata,
    /// Networks of one owner, in IPv6.
    UniqueLocal,
    /// Networks of one owner, as they once were.
    SiteLocal,
    /// Many at once.
    Multicast,
    /// All of a network.
    Broadcast,
    /// For examples in texts.
    Documentation,
    /// For measuring networks.
    Benchmarking,
    /// For protocols of the network itself.
    Protocol,
    /// Kept for later, or for a use that isn't ordinary.
    Reserved,
    /// Where packets end.
    Discard,
    /// An IPv4 address in IPv6: `::ffff:192.0.2.1`.
    Mapped,
    /// An IPv4 address in IPv6, as it once was: `::192.0.2.1`.
    Compatible,
    /// An IPv4 address behind a translator.
    Translated,
    /// An IPv4 address behind a tunnel (6to4).
    SixToFour,
    /// An IPv4 address behind a tunnel (Teredo).
    Teredo,
}

impl Class {
    /// True for what is open without being named.
    pub fn is_public(self) -> bool {
        self == Self::Public
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Public => "a public address",
            Self::Unspecified => "an unspecified address (RFC 1122, RFC 4291)",
            Self::Loopback => "a loopback address (RFC 1122, RFC 4291)",
            Self::Private => "a private address (RFC 1918)",
            Self::Shared => "a shared address (RFC 6598)",
            Self::LinkLocal => "a link-local address (RFC 3927, RFC 4291)",
            Self::Metadata => "an address of a cloud's own services",
            Self::UniqueLocal => "a unique local address (RFC 4193)",
            Self::SiteLocal => "a site-local address (RFC 3879)",
            Self::Multicast => "a multicast address (RFC 5771, RFC 4291)",
            Self::Broadcast => "a broadcast address (RFC 919)",
            Self::Documentation => "an address for documentation (RFC 5737, RFC 3849, RFC 9637)",
            Self::Benchmarking => "an address for benchmarking (RFC 2544, RFC 5180)",
            Self::Protocol => "an address for protocols (RFC 6890, RFC 2928)",
            Self::Reserved => "a reserved address (RFC 1112, RFC 4291)",
            Self::Discard => "a discard-only address (RFC 6666)",
            Self::Mapped => "an IPv4-mapped address (RFC 4291)",
            Self::Compatible => "an IPv4-compatible address (RFC 4291)",
            Self::Translated => "an address behind NAT64 (RFC 6052, RFC 8215)",
            Self::SixToFour => "a 6to4 address (RFC 3056, RFC 7526)",
            Self::Teredo => "a Teredo address (RFC 4380)",
        })
    }
}

/// Returns what an address is for.
pub fn class(address: IpAddr) -> Class {
    match address {
        IpAddr::V4(address) => class_v4(address),
        IpAddr::V6(address) => class_v6(address),
    }
}

/// The first that fits decides; what fits none is public.
const V4: &[([u8; 4], u32, Class)] = &[
    ([0, 0, 0, 0], 8, Class::Unspecified),
    ([10, 0, 0, 0], 8, Class::Private),
    ([100, 64, 0, 0], 10, Class::Shared),
    ([127, 0, 0, 0], 8, Class::Loopback),
    ([168, 63, 129, 16], 32, Class::Metadata),
    ([169, 254, 0, 0], 16, Class::LinkLocal),
    ([172, 16, 0, 0], 12, Class::Private),
    ([192, 0, 0, 0], 24, Class::Protocol),
    ([192, 0, 2, 0], 24, Class::Documentation),
    ([192, 88, 99, 0], 24, Class::SixToFour),
    ([192, 168, 0, 0], 16, Class::Private),
    ([198, 18, 0, 0], 15, Class::Benchmarking),
    ([198, 51, 100, 0], 24, Class::Documentation),
    ([203, 0, 113, 0], 24, Class::Documentation),
    ([224, 0, 0, 0], 4, Class::Multicast),
    ([255, 255, 255, 255], 32, Class::Broadcast),
    ([240, 0, 0, 0], 4, Class::Reserved),
];

fn class_v4(address: Ipv4Addr) -> Class {
    let bits = u32::from(address);
    let fits = |net: [u8; 4], length: u32| (bits ^ u32::from_be_bytes(net)) >> (32 - length) == 0;
    let found = V4.iter().find(|(net, length, _)| fits(*net, *length));
    found.map_or(Class::Public, |(_, _, class)| *class)
}

/// The first that fits decides; what fits none is reserved: ordinary unicast is `2000::/3`, and no more was given out.
const V6: &[([u16; 8], u32, Class)] = &[
    ([0, 0, 0, 0, 0, 0, 0, 0], 128, Class::Unspecified),
    ([0, 0, 0, 0, 0, 0, 0, 1], 128, Class::Loopback),
    ([0, 0, 0, 0, 0, 0, 0, 0], 96, Class::Compatible),
    ([0, 0, 0, 0, 0, 0xffff, 0, 0], 96, Class::Mapped),
    // As SIIT writes it (RFC 2765), for systems that still do.
    ([0, 0, 0, 0, 0xffff, 0, 0, 0], 96, Class::Mapped),
    ([0x64, 0xff9b, 0, 0, 0, 0, 0, 0], 96, Class::Translated),
    ([0x64, 0xff9b, 1, 0, 0, 0, 0, 0], 48, Class::Translated),
    ([0x100, 0, 0, 0, 0, 0, 0, 0], 64, Class::Discard),
    ([0x2001, 0, 0, 0, 0, 0, 0, 0], 32, Class::Teredo),
    ([0x2001, 2, 0, 0, 0, 0, 0, 0], 48, Class::Benchmarking),
    ([0x2001, 0, 0, 0, 0, 0, 0, 0], 23, Class::Protocol),
    ([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0], 32, Class::Documentation),
    ([0x2002, 0, 0, 0, 0, 0, 0, 0], 16, Class::SixToFour),
    ([0x3fff, 0, 0, 0, 0, 0, 0, 0], 20, Class::Documentation),
    ([0x2000, 0, 0, 0, 0, 0, 0, 0], 3, Class::Public),
    ([0xfc00, 0, 0, 0, 0, 0, 0, 0], 7, Class::UniqueLocal),
    ([0xfe80, 0, 0, 0, 0, 0, 0, 0], 10, Class::LinkLocal),
    ([0xfec0, 0, 0, 0, 0, 0, 0, 0], 10, Class::SiteLocal),
    ([0xff00, 0, 0, 0, 0, 0, 0, 0], 8, Class::Multicast),
];

fn class_v6(address: Ipv6Addr) -> Class {
    let bits = u128::from(address);
    let fits = |net: [u16; 8], length: u32| {
        (bits ^ u128::from(Ipv6Addr::from(net))) >> (128 - length) == 0
    };
    let found = V6.iter().find(|(net, length, _)| fits(*net, *length));
    found.map_or(Class::Reserved, |(_, _, class)| *class)
}

/// The IPv4 address that an address carries inside, where packets may end.
pub(super) fn embedded(address: IpAddr) -> Option<IpAddr> {
    let IpAddr::V6(address) = address else {
        return None;
    };
    let bits = u128::from(address);
    let inner = match class_v6(address) {
        Class::Mapped | Class::Compatible | Class::Translated => bits as u32,
        Class::SixToFour => (bits >> 80) as u32,
        Class::Teredo => !(bits as u32),
        _ => return None,
    };
    Some(Ipv4Addr::from(inner).into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn special_addresses_are_known() {
        for (text, expected) in [
            ("0.0.0.0", Class::Unspecified),
            ("0.1.2.3", Class::Unspecified),
            ("10.255.255.255", Class::Private),
            ("100.64.0.0", Class::Shared),
            ("100.100.100.200", Class::Shared),
            ("100.127.255.255", Class::Shared),
            ("127.0.0.1", Class::Loopback),
            ("127.255.0.1", Class::Loopback),
            ("168.63.129.16", Class::Metadata),
            ("169.254.169.254", Class::LinkLocal),
            ("172.16.0.0", Class::Private),
            ("172.31.255.255", Class::Private),
            ("192.0.0.192", Class::Protocol),
            ("192.0.2.1", Class::Documentation),
            ("192.88.99.1", Class::SixToFour),
            ("192.168.0.1", Class::Private),
            ("198.19.255.255", Class::Benchmarking),
            ("198.51.100.1", Class::Documentation),
            ("203.0.113.255", Class::Documentation),
            ("224.0.0.1", Class::Multicast),
            ("239.255.255.255", Class::Multicast),
            ("240.0.0.1", Class::Reserved),
            ("255.255.255.254", Class::Reserved),
            ("255.255.255.255", Class::Broadcast),
            ("::", Class::Unspecified),
            ("::1", Class::Loopback),
            ("::7f00:1", Class::Compatible),
            ("::ffff:127.0.0.1", Class::Mapped),
            ("::ffff:8.8.8.8", Class::Mapped),
            ("::ffff:0:127.0.0.1", Class::Mapped),
            ("64:ff9b::7f00:1", Class::Translated),
            ("64:ff9b:1:ffff::1", Class::Translated),
            ("100::1", Class::Discard),
            ("100:0:0:1::1", Class::Reserved),
            ("2001::1", Class::Teredo),
            ("2001:2::1", Class::Benchmarking),
            ("2001:20::1", Class::Protocol),
            ("2001:1ff::1", Class::Protocol),
            ("2001:db8::1", Class::Documentation),
            ("2002:7f00:1::", Class::SixToFour),
            ("3fff:fff::1", Class::Documentation),
            ("4000::1", Class::Reserved),
            ("5f00::1", Class::Reserved),
            ("fc00::1", Class::UniqueLocal),
            ("fd00:ec2::254", Class::UniqueLocal),
            ("fe80::1", Class::LinkLocal),
            ("fec0::1", Class::SiteLocal),
            ("ff02::1", Class::Multicast),
        ] {
            assert_eq!(class(text.parse().unwrap()), expected, "{text}");
        }
    }

    #[test]
    fn what_is_beside_them_is_public() {
        for text in [
            "1.0.0.0",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "168.63.129.15",
            "169.253.255.255",
            "169.255.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.0",
            "192.0.3.0",
            "192.167.255.255",
            "192.169.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "2000::1",
            "2001:200::1",
            "2001:4860:4860::8888",
            "2001:db7::1",
            "2001:db9::1",
            "2003::1",
            "2606:4700::1111",
            "3ffe:ffff::1",
            "3fff:1000::1",
        ] {
            assert_eq!(class(text.parse().unwrap()), Class::Public, "{text}");
        }
    }

    #[test]
    fn addresses_inside_others_are_found() {
        for (text, inner) in [
            ("::ffff:10.0.0.1", "10.0.0.1"),
            ("::10.0.0.1", "10.0.0.1"),
            ("64:ff9b::7f00:1", "127.0.0.1"),
            ("2002:a00:1::5", "10.0.0.1"),
            ("2001:0:4136:e378:8000:63bf:80ff:fffe", "127.0.0.1"),
        ] {
            let inner: IpAddr = inner.parse().unwrap();
            assert_eq!(embedded(text.parse().unwrap()), Some(inner), "{text}");
        }
        assert_eq!(embedded("2606:4700::1111".parse().unwrap()), None);
    }

    proptest! {
        /// The standard library knows some of them too.
        #[test]
        fn what_the_standard_library_knows_is_not_public(bits in any::<u32>()) {
            let address = Ipv4Addr::from(bits);
            let is_special = address.is_loopback()
                || address.is_private()
                || address.is_link_local()
                || address.is_multicast()
                || address.is_broadcast()
                || address.is_documentation()
                || address.is_unspecified();
            prop_assert!(!(is_special && class_v4(address).is_public()));
            prop_assert!(!class(address.to_ipv6_mapped().into()).is_public());
            prop_assert!(!class(address.to_ipv6_compatible().into()).is_public());
        }
    }
}
