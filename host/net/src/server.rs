//! A trustless gateway for others.
//!
//! ```text
//! accept ─→ connection ─→ Wanted ─→ answer ─→ BlockSource      a job for each connection; blocks are read on threads for that
//!                 └─────→ api ────→ Api                        where there is more to be asked
//! ```
//!
//! **It serves everything that its source gives, to everybody who reaches it.** There is no list of what is private: who
//! makes the [`BlockSource`] decides, block by block. It binds to this machine unless told otherwise. Where there is an
//! [`Api`], that is asked first whether somebody gets anything at all; its owner does, who comes by a socket in the file system.

mod answer;
mod api;
mod door;
mod feed;
mod follow;
mod local;
mod rates;
mod request;
mod source;
mod stream;
mod wire;

use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;

pub use self::api::{Answer, Api, ApiAnswer, ApiHead, ApiRequest, Caller, Ticket};
pub use self::feed::Feed;
pub use self::rates::Rates;
pub use self::source::{BlockSource, SourceError};

use self::door::Door;
use self::follow::Following;
use self::local::Local;
use self::source::Reader;
use self::wire::Wire;

/// Settings of a [`GatewayServer`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerSettings {
    /// Where to listen. Default: this machine, a port that is free.
    pub address: SocketAddr,
    /// Connections at one time; more are told to come again. Default 256.
    pub connections_max: usize,
    /// Blocks that are read at one time. Default 8.
    pub reads_max: usize,
    /// Time for the head of a request, and for a connection to be used again. Default 20 seconds.
    pub head_timeout: Duration,
    /// Time in which a client has to take something of what is sent. Default 20 seconds.
    pub write_timeout: Duration,
    /// Time for answers to end when the server does. Default 10 seconds.
    pub shutdown_timeout: Duration,
}

impl Default for ServerSettings {
    fn default() -> Self {
        Self {
            address: (Ipv4Addr::LOCALHOST, 0).into(),
            connections_max: 256,
            reads_max: 8,
            head_timeout: Duration::from_secs(20),
            write_timeout: Duration::from_secs(20),
            shutdown_timeout: Duration::from_secs(10),
        }
    }
}

/// Bytes of a request's head.
const HEAD_BYTES_MAX: usize = 16 << 10;
/// Headers of a request.
const HEADERS_MAX: usize = 64;
/// Threads for what isn't reading of blocks, so that it is answered while all of those are read. Some answers take long.
const API_THREADS: usize = 32;
/// For who comes when there are too many.
const BUSY: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 5\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";

/// Why there is no server.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ServerError {
    /// The address can't be had.
    #[error("can't listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The socket can't be had.
    #[error("can't listen on {}", path.display())]
    Socket {
        /// Where it should be.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Its threads can't be started.
    #[error("the server's threads can't be started")]
    Threads(#[source] std::io::Error),
}

/// A server that runs, on threads of its own.
#[derive(Debug)]
#[must_use = "the server ends at once when this is dropped; `shutdown` ends it in order"]
pub struct GatewayServer {
    /// Told to end: true is now.
    end: watch::Sender<Option<End>>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// Nobody else comes in.
    Soon,
    /// Answers that are under way end.
    InOrder,
    Now,
}

/// Whether those who are in are to go.
fn is_last(end: &Option<End>) -> bool {
    matches!(end, Some(End::InOrder | End::Now))
}

fn listen(address: SocketAddr) -> std::io::Result<(SocketAddr, Listener)> {
    let listener = TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    Ok((listener.local_addr()?, Listener::Tcp(listener)))
}

impl GatewayServer {
    /// Starts a server, and returns where it listens.
    pub fn spawn(
        settings: ServerSettings,
        source: Arc<dyn BlockSource>,
    ) -> Result<(SocketAddr, Self), ServerError> {
        let failed = |source| ServerError::Listen {
            address: settings.address,
            source,
        };
        let (address, listener) = listen(settings.address).map_err(failed)?;
        let served = Served {
            source,
            api: None,
            door: None,
        };
        let server = Self::start(listener, settings, served)?;
        Ok((address, server))
    }

    /// Starts a server that asks `api` of every request whether it is answered, and returns where it listens. Requests are for
    /// an address, `localhost` or one of `hosts`, and no page of a browser makes them.
    pub fn spawn_api(
        settings: ServerSettings,
        hosts: Vec<String>,
        source: Arc<dyn BlockSource>,
        api: Arc<dyn Api>,
    ) -> Result<(SocketAddr, Self), ServerError> {
        let failed = |source| ServerError::Listen {
            address: settings.address,
            source,
        };
        let (address, listener) = listen(settings.address).map_err(failed)?;
        let served = Served {
            source,
            api: Some(api),
            door: Some(Door::new(hosts)),
        };
        let server = Self::start(listener, settings, served)?;
        Ok((address, server))
    }

    /// Starts a server on a socket in the file system, which is its owner's alone, with something to be asked besides
    /// blocks. The address in the settings is of no use then.
    pub fn spawn_local(
        path: &Path,
        settings: ServerSettings,
        source: Arc<dyn BlockSource>,
        api: Arc<dyn Api>,
    ) -> Result<Self, ServerError> {
        let (listener, local) = local::listen(path).map_err(|source| ServerError::Socket {
            path: path.to_owned(),
            source,
        })?;
        let served = Served {
            source,
            api: Some(api),
            door: None,
        };
        Self::start(Listener::Unix(listener, local), settings, served)
    }

    fn start(
        listener: Listener,
        settings: ServerSettings,
        served: Served,
    ) -> Result<Self, ServerError> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(2)
            .max_blocking_threads(settings.reads_max.max(1) + API_THREADS)
            .thread_name("homestar-gateway")
            .enable_io()
            .enable_time()
            .build()
            .map_err(ServerError::Threads)?;
        let (end, ended) = watch::channel(None);
        let spawned = thread::Builder::new()
            .name("homestar-gateway".to_owned())
            .spawn(move || {
                let _ = run(&runtime, listener, settings, served, ended);
                runtime.shutdown_background();
            });
        let thread = Some(spawned.map_err(ServerError::Threads)?);
        Ok(Self { end, thread })
    }

    /// Takes no more connections from now on. Those that are there are served until the [end](Self::shutdown).
    pub fn close(&self) {
        let _ = self.end.send(Some(End::Soon));
    }

    /// Ends it in order: takes no more connections, lets answers end that are under way, for as long as the settings say,
    /// and closes the rest. Returns when that is done.
    pub fn shutdown(mut self) {
        self.stop(End::InOrder);
    }

    fn stop(&mut self, how: End) {
        let _ = self.end.send(Some(how));
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for GatewayServer {
    fn drop(&mut self) {
        self.stop(End::Now);
    }
}

/// What is served.
#[derive(Debug)]
struct Served {
    source: Arc<dyn BlockSource>,
    api: Option<Arc<dyn Api>>,
    /// What requests have to be, unless they are the owner's.
    door: Option<Door>,
}

/// What is served, to be shared by connections.
#[derive(Clone, Debug)]
struct Service {
    reader: Reader,
    api: Option<Arc<dyn Api>>,
    door: Option<Arc<Door>>,
    /// Room for bodies, in bytes.
    bodies: Arc<Semaphore>,
}

enum Listener {
    Tcp(TcpListener),
    Unix(std::os::unix::net::UnixListener, Local),
}

fn run(
    runtime: &Runtime,
    listener: Listener,
    settings: ServerSettings,
    served: Served,
    end: watch::Receiver<Option<End>>,
) -> std::io::Result<()> {
    runtime.block_on(async {
        let listener = Accept::new(listener)?;
        let service = Service {
            reader: Reader::new(served.source, settings.reads_max.max(1)),
            api: served.api,
            door: served.door.map(Arc::new),
            bodies: Arc::new(Semaphore::new(api::BODIES_BYTES_MAX as usize)),
        };
        let connections = accept(listener, &settings, service, end.clone()).await;
        finish(connections, settings.shutdown_timeout, end).await;
        Ok(())
    })
}

/// Where connections come from.
enum Accept {
    Tcp(tokio::net::TcpListener),
    Unix(tokio::net::UnixListener, Local),
}

/// A connection that came.
enum Accepted {
    Tcp(TcpStream, IpAddr),
    Unix(UnixStream),
}

impl Accept {
    fn new(listener: Listener) -> std::io::Result<Self> {
        Ok(match listener {
            Listener::Tcp(listener) => Self::Tcp(tokio::net::TcpListener::from_std(listener)?),
            Listener::Unix(listener, local) => {
                Self::Unix(tokio::net::UnixListener::from_std(listener)?, local)
            }
        })
    }

    async fn accept(&self) -> std::io::Result<Accepted> {
        match self {
            Self::Tcp(listener) => {
                let (stream, from) = listener.accept().await?;
                Ok(Accepted::Tcp(stream, from.ip()))
            }
            Self::Unix(listener, local) => {
                let (stream, _) = listener.accept().await?;
                // The folder keeps others away; this does where it doesn't.
                match stream.peer_cred()?.uid() == local.owner {
                    true => Ok(Accepted::Unix(stream)),
                    false => Err(std::io::ErrorKind::PermissionDenied.into()),
                }
            }
        }
    }
}

impl Accepted {
    fn turn_away(&self) {
        let _ = match self {
            Self::Tcp(stream, _) => stream.try_write(BUSY),
            Self::Unix(stream) => stream.try_write(BUSY),
        };
    }

    async fn serve(
        self,
        settings: &ServerSettings,
        service: Service,
        end: watch::Receiver<Option<End>>,
    ) {
        match self {
            Self::Tcp(stream, from) => {
                let _ = stream.set_nodelay(true);
                connection(stream, Some(from), settings, service, end).await;
            }
            Self::Unix(stream) => connection(stream, None, settings, service, end).await,
        }
    }
}

/// Takes connections until the end. The listener closes with it.
async fn accept(
    listener: Accept,
    settings: &ServerSettings,
    service: Service,
    mut end: watch::Receiver<Option<End>>,
) -> JoinSet<()> {
    let permits = Arc::new(Semaphore::new(settings.connections_max.max(1)));
    let mut connections = JoinSet::new();
    let told = end.clone();
    let mut ended = std::pin::pin!(end.wait_for(Option::is_some));
    loop {
        let mut accepted = std::pin::pin!(listener.accept());
        let stream = std::future::poll_fn(|context| {
            if ended.as_mut().poll(context).is_ready() {
                return std::task::Poll::Ready(None);
            }
            accepted.as_mut().poll(context).map(Some)
        });
        let stream = match stream.await {
            None => return connections,
            Some(Ok(stream)) => stream,
            // A connection that is gone already, or no file descriptors: the next may do better, a little later.
            Some(Err(_)) => {
                tokio::time::sleep(Duration::from_millis(10)).await;
                continue;
            }
        };
        while connections.try_join_next().is_some() {}
        let Ok(permit) = permits.clone().try_acquire_owned() else {
            stream.turn_away();
            continue;
        };
        let (settings, service, told) = (settings.clone(), service.clone(), told.clone());
        connections.spawn(async move {
            stream.serve(&settings, service, told).await;
            drop(permit);
        });
    }
}

/// Serves one connection until it ends, or the answer that it is at if the server does.
async fn connection<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    stream: S,
    from: Option<IpAddr>,
    settings: &ServerSettings,
    service: Service,
    mut end: watch::Receiver<Option<End>>,
) {
    let wire = TokioIo::new(Wire::new(stream, settings.write_timeout));
    let following = Following::default();
    let left = Arc::clone(&following);
    let answers = service_fn(move |request| {
        let (service, left) = (service.clone(), Arc::clone(&left));
        async move { Ok::<_, Infallible>(api::answer(request, from, service, &left).await) }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(settings.head_timeout)
        .max_buf_size(HEAD_BYTES_MAX)
        .max_headers(HEADERS_MAX)
        .serve_connection(wire, answers)
        .with_upgrades();
    let told = end.clone();
    let mut served = std::pin::pin!(served);
    let mut ended = std::pin::pin!(end.wait_for(is_last));
    let mut is_told = false;
    // How a connection ends is its client's affair.
    let _ = std::future::poll_fn(|context| {
        if !is_told && ended.as_mut().poll(context).is_ready() {
            is_told = true;
            served.as_mut().graceful_shutdown();
        }
        served.as_mut().poll(context)
    })
    .await;
    follow::go_on(&following, told).await;
}

/// Waits for connections to end, not for long, and closes what is left.
async fn finish(
    mut connections: JoinSet<()>,
    time: Duration,
    mut end: watch::Receiver<Option<End>>,
) {
    let how = end.wait_for(is_last).await.map(|end| *end);
    if let Ok(Some(End::InOrder)) = how {
        let all = async { while connections.join_next().await.is_some() {} };
        let _ = timeout(time, all).await;
    }
    connections.shutdown().await;
}
