//! Clients, each for a set of addresses.
//!
//! A client keeps connections to use them again. A connection must serve only tasks that may reach where it leads,
//! and go nowhere else than to addresses that were checked. So there is a client for each set of addresses: it looks
//! no name up, and whoever uses it was allowed exactly those.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{Client, redirect};
use rustls::ClientConfig;

use super::prepare::{HEADER_BYTES_MAX, HEADERS_MAX};

/// Clients that are kept. A task that talks to more sets of addresses than this connects anew.
const CLIENTS_MAX: usize = 64;
/// How long a connection waits to be used again.
const IDLE: Duration = Duration::from_secs(60);
/// Connections to one host that wait to be used again.
const IDLE_MAX: usize = 8;

/// The clients that were used last.
#[derive(Default)]
pub(super) struct Clients(Mutex<Vec<(Key, Client)>>);

/// What a client is for.
#[derive(Clone, PartialEq, Eq)]
struct Key {
    /// With TLS or without: only those with it know whom to trust.
    scheme: String,
    /// In order.
    addresses: Vec<IpAddr>,
    connect_timeout: Duration,
}

impl Clients {
    /// Returns the client for these addresses, which are tried in the order in which they were first given.
    pub(super) fn get(
        &self,
        scheme: &str,
        addresses: &[IpAddr],
        connect_timeout: Duration,
        tls: &ClientConfig,
    ) -> reqwest::Result<Client> {
        let mut sorted = addresses.to_vec();
        sorted.sort_unstable();
        let key = Key {
            scheme: scheme.to_owned(),
            addresses: sorted,
            connect_timeout,
        };
        // Nothing is left half done if a thread panics here.
        let mut clients = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(at) = clients.iter().position(|(known, _)| *known == key) {
            let entry = clients.remove(at);
            let client = entry.1.clone();
            clients.push(entry);
            return Ok(client);
        }
        let client = build(addresses, connect_timeout, tls)?;
        if clients.len() == CLIENTS_MAX {
            clients.remove(0);
        }
        clients.push((key, client.clone()));
        Ok(client)
    }
}

fn build(
    addresses: &[IpAddr],
    connect_timeout: Duration,
    tls: &ClientConfig,
) -> reqwest::Result<Client> {
    let mut tls = tls.clone();
    tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Client::builder()
        .tls_backend_preconfigured(tls)
        .dns_resolver(Arc::new(Pinned(addresses.into())))
        .redirect(redirect::Policy::none())
        .referer(false)
        .no_proxy()
        .connect_timeout(connect_timeout)
        .pool_idle_timeout(IDLE)
        .pool_max_idle_per_host(IDLE_MAX)
        .http1_max_headers(HEADERS_MAX)
        .http2_max_header_list_size(HEADER_BYTES_MAX as u32)
        .build()
}

/// Knows the addresses of any name: those that were checked.
struct Pinned(Arc<[IpAddr]>);

impl Resolve for Pinned {
    fn resolve(&self, _: Name) -> Resolving {
        // The port is that of the URL.
        let addresses = self.0.clone();
        let sockets = (0..addresses.len()).map(move |at| SocketAddr::new(addresses[at], 0));
        let sockets: Addrs = Box::new(sockets);
        Box::pin(std::future::ready(Ok(sockets)))
    }
}
