//! Name resolution, with a name server of our own.

use std::time::Duration;

use hickory_resolver::proto::op::{Message, ResponseCode};
use hickory_resolver::proto::rr::rdata::CNAME;
use hickory_resolver::proto::rr::{Name, RData, RecordType as OnWire};
use homestar_core::grant::Grants;
use homestar_engine::drivers::dns::{Answer, Data, Error, RecordType, lookup};
use homestar_engine::drivers::resolver::{Resolver, ResolverSettings, Servers};
use url::Url;

use super::net_server::*;

fn asking(
    answers: impl Fn(&str) -> Option<Result<Vec<&'static str>, ResponseCode>> + Send + 'static,
) -> Resolver {
    resolver(name_server(move |name, record_type| {
        answers(name).map(|answer| answer.map(|addresses| records(&addresses, record_type)))
    }))
}

fn look(resolver: &Resolver, name: &str, record_type: RecordType) -> Result<Vec<Answer>, Error> {
    runtime().block_on(lookup(
        resolver,
        &Grants::everything().into(),
        name,
        record_type,
    ))
}

#[test]
fn records_are_as_the_server_says() {
    let resolver = asking(|name| {
        Some(match name {
            "host.test." => Ok(vec!["192.0.2.1", "2001:db8::1"]),
            "empty.test." => Ok(vec![]),
            "broken.test." => Err(ResponseCode::ServFail),
            "refused.test." => Err(ResponseCode::Refused),
            _ => Err(ResponseCode::NXDomain),
        })
    });
    let answer = |data| Answer {
        name: "host.test".to_owned(),
        ttl: 0,
        data,
    };
    let look = |name, record_type| look(&resolver, name, record_type);
    assert_eq!(
        look("Host.test", RecordType::A),
        Ok(vec![answer(Data::A("192.0.2.1".into()))])
    );
    assert_eq!(
        look("host.test.", RecordType::Aaaa),
        Ok(vec![answer(Data::Aaaa("2001:db8::1".into()))])
    );
    assert_eq!(look("empty.test", RecordType::A), Ok(vec![]));
    assert_eq!(look("nowhere.test", RecordType::A), Err(Error::NotFound));
    for name in ["broken.test", "refused.test"] {
        let error = look(name, RecordType::A).unwrap_err();
        assert!(
            matches!(&error, Error::Failed(text) if text.contains("the server said")),
            "{error:?}"
        );
    }
}

#[test]
fn both_kinds_of_addresses_are_found_with_ipv6_first() {
    let resolver = asking(|_| Some(Ok(vec!["192.0.2.1", "2001:db8::1"])));
    let addresses = runtime().block_on(resolver.addresses("host.test"));
    let expected: Vec<std::net::IpAddr> =
        vec!["2001:db8::1".parse().unwrap(), "192.0.2.1".parse().unwrap()];
    assert_eq!(addresses, Ok(expected));
}

#[test]
fn this_machine_is_known_without_asking() {
    let resolver = asking(|_| None);
    for name in ["localhost", "LocalHost.", "a.b.localhost"] {
        let addresses = runtime().block_on(resolver.addresses(name)).unwrap();
        assert!(
            addresses.iter().all(|address| address.is_loopback()),
            "{name}"
        );
    }
}

#[test]
fn names_are_taken_as_they_are() {
    let (sender, asked) = std::sync::mpsc::channel();
    let resolver = asking(move |name| {
        let _ = sender.send(name.to_owned());
        Some(Err(ResponseCode::NXDomain))
    });
    assert_eq!(
        look(&resolver, "short", RecordType::Txt),
        Err(Error::NotFound)
    );
    assert_eq!(asked.try_iter().collect::<Vec<_>>(), ["short."]);
}

#[test]
fn a_server_that_never_answers_is_left() {
    let server = name_server(|_, _| None);
    let resolver = Resolver::new(ResolverSettings {
        servers: Servers::Addresses(vec![server]),
        timeout: Duration::from_millis(20),
        retries: 0,
        ..ResolverSettings::default()
    });
    assert_eq!(
        look(&resolver, "host.test", RecordType::A),
        Err(Error::Timeout)
    );
}

#[test]
fn aliases_are_followed_and_named() {
    let server = name_server(|name, record_type| {
        let target = Name::from_ascii("real.test.").unwrap();
        Some(Ok(match (name, record_type) {
            ("alias.test.", _) => vec![RData::CNAME(CNAME(target))],
            ("real.test.", OnWire::A) => records(&["192.0.2.7"], OnWire::A),
            _ => vec![],
        }))
    });
    let resolver = resolver(server);
    let answers = look(&resolver, "alias.test", RecordType::A).unwrap();
    assert_eq!(answers.len(), 1);
    assert_eq!(answers[0].name, "real.test");
    assert_eq!(answers[0].data, Data::A("192.0.2.7".into()));
    let alias = look(&resolver, "alias.test", RecordType::Cname).unwrap();
    assert_eq!(alias[0].data, Data::Cname("real.test".into()));
}

#[test]
fn names_take_a_grant() {
    let resolver = asking(|_| Some(Ok(vec!["192.0.2.1"])));
    let granted = grants(&["dns=A *.example.com"]);
    let look = |name, record_type| {
        runtime().block_on(lookup(
            &resolver,
            &granted.clone().into(),
            name,
            record_type,
        ))
    };
    assert_eq!(look("a.example.com", RecordType::A).unwrap().len(), 1);
    assert_eq!(
        look("a.example.com", RecordType::Mx),
        Err(Error::Denied(
            "looking up MX of a.example.com is not granted; it takes `--allow 'dns=MX a.example.com'`".into()
        ))
    );
    assert!(matches!(
        look("example.com", RecordType::A),
        Err(Error::Denied(_))
    ));
    assert!(matches!(look("a b", RecordType::A), Err(Error::Invalid(_))));
}

#[test]
fn what_can_not_be_asked_is_said() {
    let resolver = Resolver::new(ResolverSettings {
        servers: Servers::Https(Url::parse("http://192.0.2.1/dns-query").unwrap()),
        ..ResolverSettings::default()
    });
    let error = look(&resolver, "host.test", RecordType::A).unwrap_err();
    assert!(
        matches!(&error, Error::Failed(text) if text.contains("it is not https")),
        "{error:?}"
    );
}

/// DNS over HTTPS by hand: for each request of HTTP/2 that ends, a head with the status 200 and a type, and the reply.
#[test]
fn names_are_looked_up_over_https() {
    let port = serve_tls(&["h2"], |wire| {
        let mut preface = [0; 24];
        if wire.read_exact(&mut preface).is_err() {
            return;
        }
        wire.write_all(&[0, 0, 0, 4, 0, 0, 0, 0, 0]).unwrap();
        while let Some((kind, flags, stream, payload)) = read_frame(wire) {
            let is_data = kind == 0;
            if kind == 4 && flags & 1 == 0 {
                write_frame(wire, 4, 1, [0; 4], &[]);
            }
            if !is_data || flags & 1 == 0 {
                continue;
            }
            let query = Message::from_vec(&payload).unwrap();
            let reply = reply(&query, &|_, kind| Some(Ok(records(&["192.0.2.9"], kind)))).unwrap();
            // `:status: 200` of the static table, then `content-type`, the 31st, with a value of its own.
            let mut head = vec![0x88, 0x0f, 0x10, 23];
            head.extend_from_slice(b"application/dns-message");
            write_frame(wire, 1, 4, stream, &head);
            write_frame(wire, 0, 1, stream, &reply);
        }
    });
    let file = authority_file(authority());
    let resolver = Resolver::new(ResolverSettings {
        servers: Servers::Https(
            Url::parse(&format!("https://127.0.0.1:{port}/dns-query")).unwrap(),
        ),
        authorities: vec![file.path().to_owned()],
        ..ResolverSettings::default()
    });
    let answers = look(&resolver, "host.test", RecordType::A).unwrap();
    assert_eq!(answers[0].data, Data::A("192.0.2.9".into()));
}

/// Reads a frame of HTTP/2: its kind, its flags, its stream and what it holds.
fn read_frame(wire: &mut dyn Wire) -> Option<(u8, u8, [u8; 4], Vec<u8>)> {
    let mut head = [0; 9];
    wire.read_exact(&mut head).ok()?;
    let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
    let mut payload = vec![0; length as usize];
    wire.read_exact(&mut payload).ok()?;
    Some((
        head[3],
        head[4],
        [head[5], head[6], head[7], head[8]],
        payload,
    ))
}

fn write_frame(wire: &mut dyn Wire, kind: u8, flags: u8, stream: [u8; 4], payload: &[u8]) {
    let [_, high, middle, low] = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = vec![high, middle, low, kind, flags];
    frame.extend_from_slice(&stream);
    frame.extend_from_slice(payload);
    wire.write_all(&frame).unwrap();
    wire.flush().unwrap();
}
