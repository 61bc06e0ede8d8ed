//! Gateways and peers over real connections on loopback: ours with ours, ours with nasty ones, ours with strangers'.

mod api;
mod downloads;
mod helia;
mod kept;
mod kubo;
mod nasty;
mod ours;
mod peers;
mod reach;
mod strangers;
mod tls;
mod wire;
mod words;
