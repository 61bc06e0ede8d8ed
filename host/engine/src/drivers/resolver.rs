//! Looks names up, for tasks and for the driver of HTTP.
//!
//! Names are taken as they are: no domain is added to short ones, whatever the system's settings say, so that a name
//! means the same everywhere and a grant for it is a grant for nothing else. Answers are kept as long as they say, for
//! all tasks together.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{
    ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts,
};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::Name;
use tokio::sync::OnceCell;
use url::{Host, Url};

use super::background::Background;
use super::dns::{Answer, Error, RecordType};
use super::http::settings;

/// Settings of a [`Resolver`].
#[derive(Clone, Debug)]
pub struct ResolverSettings {
    /// Who is asked. Default [`Servers::System`].
    pub servers: Servers,
    /// Time in which a server has to answer before it is asked again. Default 5 seconds.
    pub timeout: Duration,
    /// How often it is asked again. Default 1.
    pub retries: usize,
    /// Files with certificates in PEM, of authorities that are trusted besides the system's when names are looked up
    /// over HTTPS. None by default.
    pub authorities: Vec<PathBuf>,
}

impl Default for ResolverSettings {
    fn default() -> Self {
        Self {
            servers: Servers::default(),
            timeout: Duration::from_secs(5),
            retries: 1,
            authorities: Vec::new(),
        }
    }
}

/// Who is asked for names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Servers {
    /// Those that the system asks, after the system's file of hosts.
    #[default]
    System,
    /// These, over UDP, and over TCP where UDP is too small.
    Addresses(Vec<SocketAddr>),
    /// One, over HTTPS (RFC 8484). Its own name, if its URL has one, is looked up by the system, once.
    Https(Url),
}

/// Most addresses of one name that are used. Names that are served from many places have a dozen.
const ADDRESSES_MAX: usize = 32;

/// Looks names up, on a thread of its own: what one task asked answers the next. Nothing is read or opened before the first
/// name.
pub struct Resolver {
    asked: Arc<Asked>,
    background: Background,
}

/// Who is asked.
struct Asked {
    settings: ResolverSettings,
    inner: OnceCell<TokioResolver>,
}

impl Resolver {
    /// Makes a resolver.
    pub fn new(settings: ResolverSettings) -> Self {
        Self {
            asked: Arc::new(Asked {
                settings,
                inner: OnceCell::new(),
            }),
            background: Background::new("homestar-names"),
        }
    }

    /// Returns the addresses of a host, IPv6 first, and at least one. `localhost` and what is beneath it is this
    /// machine, and nobody is asked (RFC 6761, 6.3).
    pub async fn addresses(&self, name: &str) -> Result<Vec<IpAddr>, Error> {
        let name = check(name)?;
        if name == "localhost" || name.ends_with(".localhost") {
            return Ok(vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]);
        }
        let name = absolute(&name)?;
        let found = self.ask(async move |asked: TokioResolver| asked.lookup_ip(name).await);
        let found = found.await?.map_err(|error| failure(&error))?;
        let addresses: Vec<_> = found.iter().take(ADDRESSES_MAX).collect();
        if addresses.is_empty() {
            return Err(Error::NotFound);
        }
        Ok(addresses)
    }

    /// Returns the records of one type that a name has. Aliases are followed.
    pub async fn lookup(&self, name: &str, record_type: RecordType) -> Result<Vec<Answer>, Error> {
        let name = check(name)?;
        let wanted = record_type.into();
        let name = absolute(&name)?;
        let lookup = self.ask(async move |asked: TokioResolver| asked.lookup(name, wanted).await);
        let lookup = match lookup.await? {
            Ok(lookup) => lookup,
            Err(error) if error.is_no_records_found() && !error.is_nx_domain() => {
                return Ok(vec![]);
            }
            Err(error) => return Err(failure(&error)),
        };
        let answers: Vec<_> = lookup
            .answers()
            .iter()
            .filter_map(|record| Answer::of(record, wanted))
            .collect();
        let is_absent = lookup.message().response_code == ResponseCode::NXDomain;
        if answers.is_empty() && is_absent {
            return Err(Error::NotFound);
        }
        Ok(answers)
    }

    /// Asks on the resolver's thread, where its connections are.
    async fn ask<R, F>(
        &self,
        ask: impl FnOnce(TokioResolver) -> F + Send + 'static,
    ) -> Result<R, Error>
    where
        R: Send + 'static,
        F: Future<Output = R> + Send,
    {
        let asked = Arc::clone(&self.asked);
        let asking = self.background.run(async move {
            let inner = asked
                .inner
                .get_or_try_init(|| build(&asked.settings))
                .await?;
            Ok(ask(inner.clone()).await)
        });
        let failed = |words: String| Error::Failed(format!("the resolver can't work: {words}"));
        let ended = asking.map_err(|error| failed(error.to_string()))?.await;
        ended.map_err(|error| failed(error.to_string()))?
    }
}

impl Default for Resolver {
    fn default() -> Self {
        Self::new(ResolverSettings::default())
    }
}

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resolver")
            .field("settings", &self.asked.settings)
            .finish_non_exhaustive()
    }
}

async fn build(settings: &ResolverSettings) -> Result<TokioResolver, Error> {
    let failed = |error: NetError| Error::Failed(format!("the resolver can't start: {error}"));
    let provider = TokioRuntimeProvider::default();
    let mut hosts = ResolveHosts::Never;
    let mut builder = match &settings.servers {
        Servers::System => {
            hosts = ResolveHosts::Always;
            TokioResolver::builder_tokio().map_err(failed)?
        }
        Servers::Addresses(servers) => {
            let servers = servers.iter().map(plain).collect();
            let config = ResolverConfig::from_parts(None, vec![], servers);
            TokioResolver::builder_with_config(config, provider)
        }
        Servers::Https(url) => {
            let config = ResolverConfig::from_parts(None, vec![], over_https(url).await?);
            let roots = settings::roots(&settings.authorities);
            let roots = roots.map_err(|error| Error::Failed(error.to_string()))?;
            let tls = settings::tls(settings::with_system(roots));
            let tls = tls.map_err(|error| Error::Failed(error.to_string()))?;
            TokioResolver::builder_with_config(config, provider).with_tls_config(tls)
        }
    };
    options(builder.options_mut(), settings, hosts);
    builder.build().map_err(failed)
}

fn options(options: &mut ResolverOpts, settings: &ResolverSettings, hosts: ResolveHosts) {
    options.timeout = settings.timeout;
    options.attempts = settings.retries;
    options.use_hosts_file = hosts;
    options.edns0 = true;
    options.try_tcp_on_error = true;
}

fn plain(server: &SocketAddr) -> NameServerConfig {
    let with_port = |mut connection: ConnectionConfig| {
        connection.port = server.port();
        connection
    };
    let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()];
    NameServerConfig::new(server.ip(), true, connections.map(with_port).into())
}

async fn over_https(url: &Url) -> Result<Vec<NameServerConfig>, Error> {
    let bad = |why: &str| Error::Failed(format!("{url} can't be asked for names: {why}"));
    if url.scheme() != "https" {
        return Err(bad("it is not https"));
    }
    let host = url.host_str().ok_or_else(|| bad("it has no host"))?;
    let port = url.port().unwrap_or(443);
    let addresses: Vec<IpAddr> = match url.host() {
        Some(Host::Ipv4(address)) => vec![address.into()],
        Some(Host::Ipv6(address)) => vec![address.into()],
        _ => {
            let found = tokio::net::lookup_host((host, port)).await;
            found
                .map_err(|error| bad(&error.to_string()))?
                .map(|socket| socket.ip())
                .collect()
        }
    };
    let server = |address| {
        let name = host.trim_matches(['[', ']']).into();
        let mut connection = ConnectionConfig::https(name, Some(url.path().into()));
        connection.port = port;
        NameServerConfig::new(address, true, vec![connection])
    };
    Ok(addresses.into_iter().map(server).collect())
}

/// Returns a name in lower case, as IDNA writes it and without a dot at its end, if it is one that can be asked for
/// (RFC 1035, 2.3.4; underscores as in RFC 2782, slashes as in RFC 2317).
pub(super) fn check(name: &str) -> Result<String, Error> {
    let invalid = |why: &str| Error::Invalid(format!("{:?} {why}", shorten(name)));
    let mut ascii = name.to_ascii_lowercase();
    if !name.is_ascii() {
        match Host::parse(name) {
            Ok(Host::Domain(domain)) => ascii = domain,
            _ => return Err(invalid("is no name")),
        }
    }
    if ascii.ends_with('.') {
        ascii.pop();
    }
    if ascii.len() > 253 {
        return Err(invalid("is longer than 253 bytes"));
    }
    for part in ascii.split('.') {
        let is_fine = |byte: u8| byte.is_ascii_alphanumeric() || b"-_/".contains(&byte);
        if !matches!(part.len(), 1..=63) {
            return Err(invalid("has a part that is empty or longer than 63 bytes"));
        }
        if !part.bytes().all(is_fine) {
            return Err(invalid("has a character that names don't have"));
        }
    }
    Ok(ascii)
}

/// The start of a name from outside, for messages.
fn shorten(name: &str) -> String {
    name.chars().take(80).collect()
}

fn absolute(name: &str) -> Result<Name, Error> {
    let mut name = Name::from_ascii(name).map_err(|error| Error::Invalid(error.to_string()))?;
    name.set_fqdn(true);
    Ok(name)
}

/// What a failed lookup is to who asked.
fn failure(error: &NetError) -> Error {
    match error {
        NetError::Timeout => Error::Timeout,
        NetError::Dns(DnsError::ResponseCode(code)) => {
            Error::Failed(format!("the server said: {code}"))
        }
        error if error.is_no_records_found() => Error::NotFound,
        error => Error::Failed(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked() {
        let long = ["a".repeat(63).as_str(); 4].join(".");
        for (name, checked) in [
            ("Example.COM.", Some("example.com")),
            ("_sip._tcp.example.com", Some("_sip._tcp.example.com")),
            ("1.2.0.192.in-addr.arpa", Some("1.2.0.192.in-addr.arpa")),
            (
                "0/25.2.0.192.in-addr.arpa",
                Some("0/25.2.0.192.in-addr.arpa"),
            ),
            ("bücher.example", Some("xn--bcher-kva.example")),
            ("com", Some("com")),
            ("", None),
            (".", None),
            ("a..b", None),
            ("a b", None),
            ("a\0b", None),
            ("a\\.b", None),
            ("*.example.com", None),
            (&"a".repeat(64), None),
            (&long, None),
        ] {
            assert_eq!(check(name).ok().as_deref(), checked, "{name:?}");
        }
    }
}
