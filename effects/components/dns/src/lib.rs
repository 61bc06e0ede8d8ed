//! The effect `homestar:dns/client`: name resolution over its driver.

use std::net::IpAddr;

use bindings::exports::homestar::dns::client::Guest;
use bindings::homestar::dns::types::{Answer, Data, Error, RecordType};

mod bindings {
    wit_bindgen::generate!({
        path: "../../../wit",
        world: "homestar:driver/dns-provider",
        generate_all,
    });

    #[cfg(target_family = "wasm")]
    export!(Effect with_types_in self);

    #[cfg(target_family = "wasm")]
    use super::Effect;
}

struct Effect;

impl Guest for Effect {
    fn lookup(name: String, record_type: RecordType) -> Result<Vec<Answer>, Error> {
        bindings::homestar::driver::dns::lookup(&name, record_type)
    }

    fn addresses(name: String) -> Result<Vec<String>, Error> {
        addresses(&name, bindings::homestar::driver::dns::lookup)
    }

    fn reverse(address: String) -> Result<Vec<String>, Error> {
        reverse(&address, bindings::homestar::driver::dns::lookup)
    }
}

/// The addresses of `name`, IPv6 first. One family is enough: many hosts have but one, and some
/// servers fail when asked for the other.
fn addresses(
    name: &str,
    mut lookup: impl FnMut(&str, RecordType) -> Result<Vec<Answer>, Error>,
) -> Result<Vec<String>, Error> {
    if let Ok(address) = name.parse::<IpAddr>() {
        return Ok(vec![address.to_string()]);
    }
    let mut found = Vec::new();
    let mut failed = None;
    for record_type in [RecordType::Aaaa, RecordType::A] {
        match lookup(name, record_type) {
            Ok(answers) => {
                for answer in answers {
                    if let Data::A(address) | Data::Aaaa(address) = answer.data
                        && !found.contains(&address)
                    {
                        found.push(address);
                    }
                }
            }
            Err(error @ (Error::NotFound | Error::Timeout | Error::Failed(_))) => {
                failed.get_or_insert(error);
            }
            Err(error) => return Err(error),
        }
    }
    match failed {
        Some(error) if found.is_empty() => Err(error),
        _ => Ok(found),
    }
}

/// The names of `address`.
fn reverse(
    address: &str,
    mut lookup: impl FnMut(&str, RecordType) -> Result<Vec<Answer>, Error>,
) -> Result<Vec<String>, Error> {
    let address: IpAddr = address.parse().map_err(|_| {
        Error::Invalid(format!(
            "`{address}` is no IP address, such as 192.0.2.1 or 2001:db8::1"
        ))
    })?;
    let answers = lookup(&reverse_name(address), RecordType::Ptr)?;
    let names = answers.into_iter().filter_map(|answer| match answer.data {
        Data::Ptr(name) => Some(name),
        _ => None,
    });
    Ok(names.collect())
}

/// The name under which the names of an address are found (RFC 1035, 3.5; RFC 3596, 2.5).
fn reverse_name(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => {
            let [a, b, c, d] = address.octets();
            format!("{d}.{c}.{b}.{a}.in-addr.arpa")
        }
        IpAddr::V6(address) => {
            let mut name = String::with_capacity(72);
            for byte in address.octets().iter().rev() {
                name += &format!("{:x}.{:x}.", byte & 15, byte >> 4);
            }
            name + "ip6.arpa"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(data: Data) -> Answer {
        Answer {
            name: "example.com".into(),
            ttl: 60,
            data,
        }
    }

    fn v4(address: &str) -> Answer {
        answer(Data::A(address.into()))
    }

    fn v6(address: &str) -> Answer {
        answer(Data::Aaaa(address.into()))
    }

    #[test]
    fn addresses_come_ipv6_first_and_once() {
        let found = addresses("example.com", |name, record_type| {
            assert_eq!(name, "example.com");
            match record_type {
                RecordType::A => Ok(vec![
                    answer(Data::Cname("other.example.com".into())),
                    v4("192.0.2.1"),
                    v4("192.0.2.1"),
                ]),
                RecordType::Aaaa => Ok(vec![v6("2001:db8::1")]),
                _ => panic!("only addresses are asked for"),
            }
        });
        assert_eq!(found.unwrap(), ["2001:db8::1", "192.0.2.1"]);
    }

    #[test]
    fn one_family_of_addresses_is_enough() {
        let found = addresses("example.com", |_, record_type| match record_type {
            RecordType::A => Ok(vec![v4("192.0.2.1")]),
            _ => Err(Error::Timeout),
        });
        assert_eq!(found.unwrap(), ["192.0.2.1"]);
        let none = addresses("example.com", |_, _| Err(Error::NotFound));
        assert!(matches!(none, Err(Error::NotFound)));
        let none = addresses("example.com", |_, _| Ok(Vec::new()));
        assert!(none.unwrap().is_empty());
    }

    #[test]
    fn a_name_that_may_not_be_looked_up_ends_the_search() {
        let mut asked = 0;
        let denied = addresses("example.com", |_, _| {
            asked += 1;
            Err(Error::Denied("no".into()))
        });
        assert!(matches!(denied, Err(Error::Denied(_))));
        assert_eq!(asked, 1);
    }

    #[test]
    fn an_address_is_its_own() {
        let found = addresses("2001:DB8:0::1", |_, _| panic!("nothing is looked up"));
        assert_eq!(found.unwrap(), ["2001:db8::1"]);
    }

    #[test]
    fn names_of_an_address_are_looked_up_backwards() {
        let names = reverse("192.0.2.1", |name, record_type| {
            assert_eq!(name, "1.2.0.192.in-addr.arpa");
            assert!(matches!(record_type, RecordType::Ptr));
            Ok(vec![answer(Data::Ptr("example.com".into()))])
        });
        assert_eq!(names.unwrap(), ["example.com"]);
        assert_eq!(
            reverse_name("2001:db8::567:89ab".parse().unwrap()),
            "b.a.9.8.7.6.5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa"
        );
        assert_eq!(
            reverse_name("::ffff:192.0.2.1".parse().unwrap()),
            "1.2.0.192.in-addr.arpa"
        );
        let invalid = reverse("example.com", |_, _| panic!("nothing is looked up"));
        assert!(matches!(invalid, Err(Error::Invalid(text)) if text.contains("`example.com`")));
    }
}
