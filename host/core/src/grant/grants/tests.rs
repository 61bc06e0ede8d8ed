//! What is allowed, and what is said when it isn't.

use super::*;
use proptest::prelude::*;

fn grants(texts: &[&str]) -> Grants {
    Grants::new(
        texts
            .iter()
            .map(|text| Grant::parse(text).unwrap())
            .collect(),
    )
}

fn url(text: &str) -> Url {
    Url::parse(text).unwrap()
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn reaches(grants: &Grants, request: &str, address: &str) -> bool {
    let (method, target) = request.split_once(' ').unwrap();
    grants.address(method, &url(target), ip(address)).is_ok()
}

#[test]
fn nothing_is_open_without_a_grant() {
    let none = Grants::default();
    assert!(none.is_empty());
    assert!(none.https("GET", &url("https://example.com/")).is_err());
    assert!(none.dns("example.com", RecordType::A).is_err());
    assert!(none.random().is_err() && none.oracle().is_err() && none.clock().is_err());
    assert!(none.crypto().is_err() && none.crypto_key("a").is_err() && none.state("a").is_err());
}

#[test]
fn each_grant_opens_its_own() {
    let some = grants(&[
        "random",
        "crypto=signing",
        "state=visits",
        "dns=TXT *.example.com",
    ]);
    assert!(!some.is_empty());
    assert!(some.random().is_ok() && some.oracle().is_err() && some.clock().is_err());
    assert!(some.crypto().is_err());
    assert!(some.crypto_key("signing").is_ok() && some.crypto_key("other").is_err());
    assert!(some.state("visits").is_ok() && some.state("other").is_err());
    assert!(some.dns("a.example.com.", RecordType::Txt).is_ok());
    assert!(some.dns("a.example.com", RecordType::A).is_err());
    assert!(some.dns("example.com", RecordType::Txt).is_err());
    let any = grants(&["crypto=*", "state=*", "dns=*"]);
    assert!(any.crypto_key("x").is_ok() && any.state("x").is_ok() && any.crypto().is_err());
    assert!(any.dns("x.example", RecordType::Mx).is_ok());
}

#[test]
fn sets_have_to_agree() {
    let operator = grants(&["https=*.example.com", "random"]);
    let task = grants(&["https=GET *", "random", "clock"]);
    let both = operator.and(&task);
    for (method, target, is_allowed) in [
        ("GET", "https://a.example.com/", true),
        ("POST", "https://a.example.com/", false),
        ("GET", "https://example.org/", false),
    ] {
        assert_eq!(
            both.https(method, &url(target)).is_ok(),
            is_allowed,
            "{method} {target}"
        );
    }
    assert!(both.random().is_ok() && both.clock().is_err());
    assert!(both.and(&Grants::none()).is_empty());
    assert_eq!(both.and(&both), both);
    assert_eq!(both.and(&Grants::everything()), both);
    assert_eq!(both.sets().count(), 2);
}

#[test]
fn closed_addresses_take_a_grant_that_names_them() {
    let everything = Grants::everything();
    let named = grants(&["https=http://127.0.0.1:80"]);
    let request = "GET http://127.0.0.1/";
    assert!(!reaches(&everything, request, "127.0.0.1"));
    assert!(reaches(
        &everything,
        "GET https://example.com/",
        "192.0.1.1"
    ));
    assert!(reaches(&named, request, "127.0.0.1"));
    assert!(reaches(&everything.and(&named), request, "127.0.0.1"));
    assert!(reaches(&named.and(&everything), request, "127.0.0.1"));
    assert!(!reaches(
        &named.and(&grants(&["https=*", "https=http://*"])),
        request,
        "127.0.0.1"
    ));
    assert!(!reaches(&named, "GET http://127.0.0.1:81/", "127.0.0.1"));
    assert!(!reaches(&named, request, "127.0.0.2"));
}

#[test]
fn the_grant_that_opens_an_address_is_one_for_the_request() {
    let some = grants(&[
        "https=http://*:*",
        "https=GET http://127.0.0.1:80/a",
        "https=GET http://localhost/a",
    ]);
    assert!(reaches(&some, "GET http://127.0.0.1/a", "127.0.0.1"));
    assert!(!reaches(&some, "POST http://127.0.0.1/a", "127.0.0.1"));
    assert!(!reaches(&some, "GET http://127.0.0.1/b", "127.0.0.1"));
    assert!(!reaches(&some, "GET http://127.0.0.1:81/a", "127.0.0.1"));
    assert!(!reaches(&some, "GET http://evil.example/a", "127.0.0.1"));
    assert!(reaches(&some, "GET http://localhost/a", "127.0.0.1"));
    assert!(reaches(&some, "GET http://localhost./a", "::1"));
    assert!(!reaches(&some, "POST http://localhost/a", "127.0.0.1"));
    assert!(!reaches(&some, "GET http://localhost/a", "10.0.0.1"));
    assert!(!reaches(&some, "GET http://a.localhost/a", "127.0.0.1"));
}

#[test]
fn a_range_is_open_for_names_that_point_there() {
    let some = grants(&[
        "https=*.corp.example",
        "net=10.0.0.0/8",
        "net=64:ff9b::/96",
        "net=::ffff:0:0/96",
    ]);
    let request = "GET https://a.corp.example/";
    assert!(reaches(&some, request, "10.1.2.3"));
    assert!(!reaches(&some, request, "192.168.0.1"));
    assert!(!reaches(&some, "GET https://example.org/", "10.1.2.3"));
    assert!(reaches(&some, request, "64:ff9b::808:808"));
    assert!(reaches(&some, request, "64:ff9b::a00:1"));
    assert!(!reaches(&some, request, "64:ff9b::7f00:1"));
    assert!(reaches(&some, request, "::ffff:10.0.0.1"));
    assert!(!reaches(&some, request, "::ffff:169.254.169.254"));
}

#[test]
fn what_attackers_try_is_closed_whatever_names_allow() {
    let some = grants(&["https=*:*", "https=http://*:*"]);
    for target in [
        "http://169.254.169.254/latest/meta-data/",
        "http://[fd00:ec2::254]/",
        "http://[::ffff:127.0.0.1]/",
        "http://[::ffff:7f00:1]/",
        "http://[64:ff9b::7f00:1]/",
        "http://[::1]/",
        "http://[::]/",
        "http://2130706433/",
        "http://0177.0.0.1/",
        "http://0x7f.0.0.1/",
        "http://127.1/",
        "http://127.0.0.1./",
        "http://0/",
        "http://①②⑦.⓪.⓪.①/",
    ] {
        let url = url(target);
        let address: IpAddr = match url.host() {
            Some(url::Host::Ipv4(address)) => address.into(),
            Some(url::Host::Ipv6(address)) => address.into(),
            host => panic!("{target}: {host:?}"),
        };
        let denied = some.address("GET", &url, address).unwrap_err();
        assert!(
            denied.to_string().contains("which is not granted"),
            "{denied}"
        );
    }
}

#[test]
fn a_denial_says_what_would_allow_it() {
    let none = Grants::none();
    let target = url("https://api.example.com:8443/a%20b/*?token=x#f");
    assert_eq!(
        none.https("GET", &target).unwrap_err().to_string(),
        "GET https://api.example.com:8443/a%20b/* is not granted; \
         it takes `--allow 'https=GET api.example.com:8443/a%20b/%2A'`"
    );
    assert_eq!(
        none.https("GET", &url("ftp://example.com/"))
            .unwrap_err()
            .to_string(),
        "`ftp` is neither https nor http"
    );
    let any = grants(&["https=*", "https=http://*"]);
    assert_eq!(
        any.address("GET", &url("https://intra.example/"), ip("10.0.0.7"))
            .unwrap_err()
            .to_string(),
        "intra.example is at 10.0.0.7, a private address (RFC 1918), which is not granted; \
         it takes `--allow net=10.0.0.7`"
    );
    assert_eq!(
        any.address(
            "GET",
            &url("http://169.254.169.254/"),
            ip("169.254.169.254")
        )
        .unwrap_err()
        .to_string(),
        "169.254.169.254 is a link-local address (RFC 3927, RFC 4291), which is not granted; \
         it takes `--allow 'https=GET http://169.254.169.254/'`"
    );
    assert_eq!(
        any.address("GET", &url("http://localhost/"), ip("127.0.0.1"))
            .unwrap_err()
            .to_string(),
        "localhost is at 127.0.0.1, a loopback address (RFC 1122, RFC 4291), which is not granted; \
         it takes `--allow 'https=GET http://localhost/'`"
    );
    assert_eq!(
        none.dns("Example.com", RecordType::Txt)
            .unwrap_err()
            .to_string(),
        "looking up TXT of Example.com is not granted; it takes `--allow 'dns=TXT example.com'`"
    );
    assert_eq!(
        none.dns("a\u{1b}b", RecordType::A).unwrap_err().to_string(),
        "looking up A of a\\u{1b}b is not granted"
    );
    assert_eq!(
        none.random().unwrap_err().to_string(),
        "randomness is not granted; it takes `--allow random`"
    );
    assert_eq!(
        none.crypto_key("signing").unwrap_err().to_string(),
        "the key `signing` is not granted; it takes `--allow crypto=signing`"
    );
    assert_eq!(none.state("a b").unwrap_err().grant(), None);
}

#[test]
fn grants_are_shown_as_they_are_written() {
    let both = grants(&["random", "https=GET example.com"]).and(&Grants::none());
    assert_eq!(
        both.to_string(),
        "`random`, `https=GET example.com` and nothing"
    );
    assert_eq!(Grants::everything().to_string(), "everything");
}

proptest! {
    #[test]
    fn what_a_denial_suggests_allows_it(
        method in "GET|POST|[!#$%&'*+a-zA-Z-]{1,8}",
        scheme in "https?",
        host in r"[a-z]{1,8}\.example|127\.0\.0\.1|\[::1\]|localhost|xn--bcher-kva\.example",
        port in prop::option::of(1u16..),
        path in "(/[a-z*.;%'$()~ü]{0,6}){0,4}",
    ) {
        let port = port.map(|port| format!(":{port}")).unwrap_or_default();
        let target = url(&format!("{scheme}://{host}{port}{path}?q"));
        let denied = Grants::none().https(&method, &target).unwrap_err();
        let grant = Grant::parse(denied.grant().unwrap()).unwrap();
        prop_assert_eq!(&Grant::parse(&grant.to_string()).unwrap(), &grant);
        let granted = Grants::new(vec![grant]);
        prop_assert!(granted.https(&method, &target).is_ok(), "{}", denied);
        let other = url(&format!("{scheme}://other.example{port}{path}"));
        prop_assert!(granted.https(&method, &other).is_err());
    }

    #[test]
    fn grants_in_conjunction_never_open_more(
        left in prop::collection::vec(any_grant(), 0..4),
        right in prop::collection::vec(any_grant(), 0..4),
        request in any_request(),
    ) {
        let (method, target, address) = request;
        let (left, right) = (Grants::new(left), Grants::new(right));
        let both = left.and(&right);
        let allows = |grants: &Grants| grants.address(method, &target, address).is_ok();
        prop_assert_eq!(allows(&both), allows(&left) && allows(&right));
        prop_assert_eq!(allows(&left.and(&Grants::everything())), allows(&left));
        if !class(address).is_public() {
            prop_assert!(!allows(&Grants::everything()));
        }
    }

    #[test]
    fn parsing_takes_any_text(text in any::<String>(), kind in "https=|dns=|net=|crypto=|state=|") {
        let text = format!("{kind}{text}");
        if let Ok(grant) = Grant::parse(&text) {
            prop_assert_eq!(Grant::parse(&grant.to_string()), Ok(grant));
        }
    }
}

fn any_grant() -> impl Strategy<Value = Grant> {
    let text = prop_oneof![
        "https=(GET )?(http://)?(\\*|127\\.0\\.0\\.1|localhost|\\*\\.example|a\\.example)(:\\*)?(/v1/\\*)?",
        "net=(127\\.0\\.0\\.0/8|10\\.0\\.0\\.0/8|::/0)",
    ];
    text.prop_map(|text| Grant::parse(&text).unwrap())
}

fn any_request() -> impl Strategy<Value = (&'static str, Url, IpAddr)> {
    let method = prop_oneof![Just("GET"), Just("POST")];
    let target = "https?://(127\\.0\\.0\\.1|localhost|a\\.example)(:8080)?/(v1|v2)/x";
    let address = prop_oneof![
        Just("127.0.0.1"),
        Just("10.0.0.1"),
        Just("8.8.8.8"),
        Just("::ffff:127.0.0.1")
    ];
    (method, target, address)
        .prop_map(|(method, target, address)| (method, url(&target), ip(address)))
}
