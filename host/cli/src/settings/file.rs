//! What may stand in `homestar.toml`.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZero;
use std::path::PathBuf;
use std::time::Duration;

use homestar_core::grant::Grant;
use homestar_core::quantity;
use homestar_engine::drivers::resolver::Servers;
use serde::de::{Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// The whole file.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct File {
    /// What may be granted at most. Without it, whatever is asked for.
    pub(crate) ceiling: Option<Vec<Grant>>,
    /// What every task is granted.
    pub(crate) grant: Vec<Grant>,
    /// What single effects are granted, by name or CID.
    pub(crate) effect: BTreeMap<String, EffectTable>,
    /// Which effect provides an interface.
    pub(crate) pin: BTreeMap<String, String>,
    pub(crate) limits: LimitTable,
    pub(crate) https: HttpsTable,
    pub(crate) dns: DnsTable,
    pub(crate) store: StoreTable,
    /// Whom to ask for content that isn't in the store, in that order.
    pub(crate) gateways: Vec<String>,
    pub(crate) network: NetworkTable,
    pub(crate) api: ApiTable,
    pub(crate) work: WorkTable,
    /// By name.
    pub(crate) secret: BTreeMap<String, SecretTable>,
}

/// One effect.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct EffectTable {
    /// What it is granted, whoever asks it.
    pub(crate) grant: Vec<Grant>,
}

/// What a task may use unless an option says otherwise.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct LimitTable {
    #[serde(deserialize_with = "count")]
    pub(crate) fuel: Option<u64>,
    #[serde(deserialize_with = "size")]
    pub(crate) memory: Option<u64>,
    #[serde(deserialize_with = "time")]
    pub(crate) time: Option<Duration>,
    #[serde(deserialize_with = "size")]
    pub(crate) output: Option<u64>,
    #[serde(deserialize_with = "size")]
    pub(crate) storage: Option<u64>,
    #[serde(deserialize_with = "size")]
    pub(crate) log: Option<u64>,
    #[serde(deserialize_with = "count")]
    pub(crate) calls: Option<u64>,
    #[serde(deserialize_with = "size")]
    pub(crate) call_bytes: Option<u64>,
    /// The most that options may ask for.
    #[serde(deserialize_with = "maxima")]
    pub(crate) max: Option<Box<Self>>,
}

/// Where content is kept.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct StoreTable {
    /// The folder, instead of the user's.
    pub(crate) path: Option<PathBuf>,
    /// How many bytes of blocks it may hold.
    #[serde(deserialize_with = "size")]
    pub(crate) quota: Option<u64>,
}

/// How a node is among others.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct NetworkTable {
    /// Where it listens.
    pub(crate) listen: Option<Vec<String>>,
    /// Peers that it connects to.
    pub(crate) peers: Vec<String>,
    /// Peers that get everything that is in the store.
    pub(crate) trusted: Vec<String>,
    /// Peers that aren't spoken to.
    pub(crate) blocked: Vec<String>,
    /// The only peers that are.
    pub(crate) allowed: Option<Vec<String>>,
    /// Peers through which others reach it.
    pub(crate) relays: Vec<String>,
    /// Whether others are reached through it.
    pub(crate) relay: bool,
    /// Whether it looks for peers in its own networks, and lets itself be seen there.
    pub(crate) nearby: bool,
    /// Signers whose receipts count as one's own.
    pub(crate) believed: Vec<String>,
    /// Whether receipts of workflows are for everybody.
    pub(crate) share_receipts: bool,
}

/// Where a node is asked over TCP.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ApiTable {
    /// Where it listens; without it, nowhere.
    pub(crate) listen: Option<SocketAddr>,
    /// Names that requests may be for, besides addresses and `localhost`.
    pub(crate) hosts: Vec<String>,
}

/// Which tasks of others a node runs.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct WorkTable {
    /// Whose: signers, or `trusted`, `delegated` or `anyone`.
    #[serde(rename = "for")]
    pub(crate) whom: Vec<String>,
    /// How many at a time.
    pub(crate) jobs: Option<NonZero<u16>>,
}

/// Whom HTTP trusts.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct HttpsTable {
    /// Files with certificates in PEM, of authorities that are trusted beside the system's.
    pub(crate) ca: Vec<PathBuf>,
}

/// Who is asked for names.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct DnsTable {
    pub(crate) resolver: Resolver,
}

/// Who is asked for names.
#[derive(Debug, Default)]
pub(crate) struct Resolver(pub(crate) Servers);

/// A secret: where it comes from, and where it may be sent.
#[derive(Debug, Deserialize)]
#[serde(try_from = "SecretFields")]
pub(crate) struct SecretTable {
    pub(crate) source: SecretSource,
    pub(crate) hosts: Vec<String>,
}

/// Where a secret comes from.
#[derive(Debug)]
pub(crate) enum SecretSource {
    /// A file that holds it and nothing else.
    File(PathBuf),
    /// An environment variable.
    Variable(String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SecretFields {
    file: Option<PathBuf>,
    env: Option<String>,
    hosts: Vec<String>,
}

impl TryFrom<SecretFields> for SecretTable {
    type Error = &'static str;

    fn try_from(fields: SecretFields) -> Result<Self, Self::Error> {
        let source = match (fields.file, fields.env) {
            (Some(path), None) => SecretSource::File(path),
            (None, Some(variable)) => SecretSource::Variable(variable),
            _ => return Err("a secret comes from either a file or env"),
        };
        Ok(Self {
            source,
            hosts: fields.hosts,
        })
    }
}

fn maxima<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Box<LimitTable>>, D::Error> {
    let table = LimitTable::deserialize(deserializer)?;
    match table.max {
        Some(_) => Err(D::Error::unknown_field("max", &[])),
        None => Ok(Some(Box::new(table))),
    }
}

fn count<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    let amount = Amount("a number such as 10000 or \"10k\"", quantity::count);
    deserializer.deserialize_any(amount).map(Some)
}

fn size<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    let amount = Amount("a size such as 4096 or \"64MiB\"", quantity::bytes);
    deserializer.deserialize_any(amount).map(Some)
}

/// An amount, as a number or as it is typed in an option.
struct Amount(&'static str, fn(&str) -> Result<u64, String>);

impl Visitor<'_> for Amount {
    type Value = u64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<u64, E> {
        u64::try_from(number).map_err(|_| E::custom("a limit is not negative"))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<u64, E> {
        Ok(number)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<u64, E> {
        self.1(text).map_err(E::custom)
    }
}

fn time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    struct Time;

    impl Visitor<'_> for Time {
        type Value = Duration;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a time such as \"30s\"")
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<Duration, E> {
            quantity::time(text).map_err(E::custom)
        }
    }

    deserializer.deserialize_any(Time).map(Some)
}

impl<'de> Deserialize<'de> for Resolver {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Named;

        impl<'de> Visitor<'de> for Named {
            type Value = Resolver;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("\"system\", a URL or a list of addresses")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Resolver, E> {
                let known = match text {
                    "system" => Some(Servers::System),
                    _ if text.starts_with("https://") => text.parse().ok().map(Servers::Https),
                    _ => None,
                };
                known.map(Resolver).ok_or_else(|| {
                    E::custom(format!(
                        "`{text}` is no resolver; there are \"system\", a URL as \
                         \"https://dns.example/dns-query\", and addresses as [\"192.0.2.1:53\"]"
                    ))
                })
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Resolver, A::Error> {
                let mut addresses = Vec::new();
                while let Some(text) = list.next_element::<String>()? {
                    addresses.push(address(&text).ok_or_else(|| {
                        A::Error::custom(format!(
                            "`{text}` is no address of a resolver, such as \"192.0.2.1:53\""
                        ))
                    })?);
                }
                match addresses.is_empty() {
                    true => Err(A::Error::custom("no address of a resolver is given")),
                    false => Ok(Resolver(Servers::Addresses(addresses))),
                }
            }
        }

        deserializer.deserialize_any(Named)
    }
}

/// Port of DNS.
const PORT: u16 = 53;

fn address(text: &str) -> Option<SocketAddr> {
    let whole = text.parse().ok();
    whole.or_else(|| Some(SocketAddr::new(text.parse::<IpAddr>().ok()?, PORT)))
}
