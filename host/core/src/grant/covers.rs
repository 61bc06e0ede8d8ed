//! Whether what one grant opens is open by another already.

use super::address::class;
use super::{Grant, Grants, Label, Rule};

impl Grants {
    /// Whether all that a grant opens is allowed. Some of what it opens may be even where this is false.
    ///
    /// ```
    /// use homestar_core::grant::{Grant, Grants};
    ///
    /// let ceiling = Grants::new(vec![Grant::parse("https=GET *.example.com/v1/*")?]);
    /// assert!(ceiling.covers(&Grant::parse("https=GET api.example.com/v1/users")?));
    /// assert!(!ceiling.covers(&Grant::parse("https=api.example.com/v1/users")?));
    /// # Ok::<(), homestar_core::grant::GrantError>(())
    /// ```
    pub fn covers(&self, grant: &Grant) -> bool {
        self.sets()
            .all(|set| set.iter().any(|outer| outer.0.covers(&grant.0)))
    }
}

impl Rule {
    fn covers(&self, inner: &Self) -> bool {
        match (self, inner) {
            (Self::Https(outer), Self::Https(inner)) => outer.covers(inner),
            (Self::Dns(outer), Self::Dns(inner)) => outer.covers(inner),
            (Self::Net(outer), Self::Net(inner)) => outer.contains(inner),
            (Self::CryptoKey(outer), Self::CryptoKey(inner))
            | (Self::State(outer), Self::State(inner)) => *outer == Label::Any || outer == inner,
            (outer, inner) => outer == inner,
        }
    }
}

/// Whether a host that is any name is allowed to be this address.
pub(super) fn is_any_address(address: std::net::IpAddr) -> bool {
    class(address).is_public()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grant_is_covered_by_what_opens_as_much() {
        for (outer, inner, expected) in [
            ("https=*:*", "https=GET api.example.com:8443/v1", true),
            ("https=*", "https=api.example.com:8443", false),
            ("https=*", "https=http://api.example.com", false),
            ("https=*", "https=192.0.2.1", false),
            ("https=*", "https=1.1.1.1", true),
            ("https=1.1.1.1", "https=1.1.1.1/a", true),
            ("https=GET,POST a.example", "https=POST a.example", true),
            ("https=GET a.example", "https=a.example", false),
            ("https=a.example/v1/*", "https=a.example/v1/b/*", true),
            ("https=a.example/v1/*", "https=a.example/v1/", true),
            ("https=a.example/v1/*", "https=a.example/v2", false),
            ("https=a.example/v1", "https=a.example/v1/*", false),
            ("https=a.example/v1", "https=a.example", false),
            ("https=*.example", "https=*.a.example", true),
            ("https=*.example", "https=example", false),
            ("https=*.a.example", "https=*.example", false),
            ("dns=*", "dns=TXT a.example", true),
            ("dns=TXT *", "dns=a.example", false),
            ("dns=TXT,MX *.example", "dns=MX a.example", true),
            ("net=10.0.0.0/8", "net=10.1.0.0/16", true),
            ("net=10.1.0.0/16", "net=10.0.0.0/8", false),
            ("crypto=*", "crypto=signing", true),
            ("crypto", "crypto=signing", false),
            ("state=a", "state=*", false),
            ("random", "random", true),
            ("random", "clock", false),
        ] {
            let ceiling = Grants::new(vec![Grant::parse(outer).unwrap()]);
            let inner = Grant::parse(inner).unwrap();
            assert_eq!(ceiling.covers(&inner), expected, "{outer} over {inner}");
        }
    }

    #[test]
    fn every_set_has_to_cover() {
        let one = Grants::new(vec![Grant::parse("random").unwrap()]);
        let both = one.and(&Grants::new(vec![Grant::parse("clock").unwrap()]));
        let random = Grant::parse("random").unwrap();
        assert!(one.covers(&random) && !both.covers(&random));
        assert!(Grants::everything().covers(&random) && !Grants::none().covers(&random));
    }
}
