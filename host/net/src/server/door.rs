//! What a request over TCP has to be before anybody looks at who makes it.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use http::Request;
use http::header::{HOST, ORIGIN};
use http::uri::Authority;

use super::rates::Rates;

/// Requests a second of one address, signed or not: to check a signature takes a part of a millisecond.
const REQUESTS_PER_SECOND: u32 = 200;
/// Requests that may come at once after a pause.
const REQUESTS_AT_ONCE: u32 = 400;
/// Addresses that are remembered.
const ADDRESSES_MAX: usize = 4_096;

/// Why a request is sent away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// It is for a name that isn't ours. A page of somebody else's may have had its own name lead here.
    Host,
    /// A page of a browser makes it.
    Origin,
    /// There were too many.
    Rate,
}

/// The way in over TCP.
#[derive(Debug)]
pub(super) struct Door {
    /// Names of this machine that requests may be for, besides its addresses and `localhost`.
    hosts: Vec<String>,
    rates: Mutex<Rates<IpAddr>>,
}

impl Door {
    pub(super) fn new(hosts: Vec<String>) -> Self {
        Self {
            hosts,
            rates: Mutex::new(Rates::new(
                REQUESTS_PER_SECOND,
                REQUESTS_AT_ONCE,
                ADDRESSES_MAX,
            )),
        }
    }

    /// Lets a request pass, or says why not.
    pub(super) fn enter<B>(
        &self,
        request: &Request<B>,
        from: Option<IpAddr>,
        now: Instant,
    ) -> Result<(), Refused> {
        if let Some(from) = from {
            let mut rates = self.rates.lock().unwrap_or_else(PoisonError::into_inner);
            if !rates.take(network(from), now) {
                return Err(Refused::Rate);
            }
        }
        let mut hosts = request.headers().get_all(HOST).iter();
        let (host, more) = (hosts.next(), hosts.next());
        let host = host.and_then(|host| host.to_str().ok());
        let named = request.uri().authority().map(Authority::as_str);
        let are_ours = [host, named]
            .into_iter()
            .flatten()
            .all(|it| self.is_ours(it));
        if host.is_none() || more.is_some() || !are_ours {
            return Err(Refused::Host);
        }
        match request.headers().contains_key(ORIGIN) {
            true => Err(Refused::Origin),
            false => Ok(()),
        }
    }

    /// Whether a name can't be that of a stranger's page: addresses can't be made to lead elsewhere.
    fn is_ours(&self, host: &str) -> bool {
        let Ok(authority) = host.parse::<Authority>() else {
            return false;
        };
        if host.contains('@') {
            return false;
        }
        let name = authority.host();
        let address = name.trim_start_matches('[').trim_end_matches(']');
        address.parse::<IpAddr>().is_ok()
            || name.eq_ignore_ascii_case("localhost")
            || self.hosts.iter().any(|it| it.eq_ignore_ascii_case(name))
    }
}

/// What one caller has: an address, or all those of a network of IPv6.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let mut octets = address.octets();
            octets[8..].fill(0);
            Ipv6Addr::from(octets).into()
        }
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn enter(door: &Door, headers: &[(&str, &str)]) -> Result<(), Refused> {
        let mut request = Request::builder().uri("/v1/node");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        door.enter(&request.body(()).unwrap(), None, Instant::now())
    }

    #[test]
    fn names_of_strangers_are_refused() {
        let door = Door::new(vec!["node.example".to_owned()]);
        for host in [
            "127.0.0.1:4807",
            "[::1]:4807",
            "[2001:db8::1]",
            "192.0.2.1",
            "localhost",
            "LocalHost:80",
            "node.example:4807",
            "Node.Example",
        ] {
            assert_eq!(enter(&door, &[("host", host)]), Ok(()), "{host}");
        }
        for host in [
            "",
            "evil.example",
            "evil.example:4807",
            "localhost.evil.example",
            "node.example.evil.example",
            "127.0.0.1.evil.example",
            "127.0.0.1@evil.example",
            "evil@127.0.0.1",
            "/",
        ] {
            assert_eq!(
                enter(&door, &[("host", host)]),
                Err(Refused::Host),
                "{host}"
            );
        }
        assert_eq!(enter(&door, &[]), Err(Refused::Host));
        let two = [("host", "localhost"), ("host", "evil.example")];
        assert_eq!(enter(&door, &two), Err(Refused::Host));
    }

    #[test]
    fn a_whole_url_counts_too() {
        let door = Door::new(Vec::new());
        let request = Request::builder().uri("http://evil.example/v1/node");
        let request = request.header("host", "localhost").body(()).unwrap();
        assert_eq!(
            door.enter(&request, None, Instant::now()),
            Err(Refused::Host)
        );
    }

    #[test]
    fn pages_are_refused() {
        let door = Door::new(Vec::new());
        for origin in ["https://evil.example", "null", "http://localhost:4807"] {
            let headers = [("host", "localhost"), ("origin", origin)];
            assert_eq!(enter(&door, &headers), Err(Refused::Origin), "{origin}");
        }
    }

    #[test]
    fn a_network_is_one_caller() {
        let (door, now) = (Door::new(Vec::new()), Instant::now());
        let request = || {
            let request = Request::builder().uri("/v1/health");
            request.header("host", "localhost").body(()).unwrap()
        };
        let from = |text: &str| Some(text.parse().unwrap());
        for at in 0..REQUESTS_AT_ONCE {
            let address = format!("2001:db8::{at:x}");
            assert_eq!(door.enter(&request(), from(&address), now), Ok(()));
        }
        let last = door.enter(&request(), from("2001:db8::ffff"), now);
        assert_eq!(last, Err(Refused::Rate));
        let other = door.enter(&request(), from("2001:db8:1::1"), now);
        assert_eq!(other, Ok(()));
    }
}
