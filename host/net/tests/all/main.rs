//! Gateways over real connections on loopback: ours with ours, ours with nasty ones, ours with strangers'.

mod downloads;
mod kept;
mod nasty;
mod ours;
mod strangers;
mod tls;
mod wire;
