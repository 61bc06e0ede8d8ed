use ring::rand::SecureRandom as _;
use serde::{Deserialize, Serialize};
use wasmtime::component::{ComponentType, Lift, Lower};
#[derive(Clone, Debug, Serialize, Deserialize, ComponentType, Lift, Lower)]
#[component(variant)]
pub(crate) enum Error {
    #[component(name = "denied")]
    Denied(String),
    #[component(name = "budget")]
    Budget(String),
    #[component(name = "too-many")]
    TooMany(u32),
}
pub(crate) fn bytes(n: u32) -> Result<Vec<u8>, Error> {
    if n > 65536 {
        return Err(Error::TooMany(65536));
    }
    let mut v = vec![0; n as usize];
    fill(&mut v);
    Ok(v)
}
pub(crate) fn fill(b: &mut [u8]) {
    let _ = ring::rand::SystemRandom::new().fill(b);
}
