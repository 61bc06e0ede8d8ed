use serde::{Deserialize, Serialize};
use wasmtime::component::{ComponentType, Lift, Lower};
#[derive(Clone, Debug, Serialize, Deserialize, ComponentType, Lift, Lower)]
#[component(variant)]
pub(crate) enum Error {
    #[component(name = "denied")]
    Denied(String),
    #[component(name = "budget")]
    Budget(String),
}
pub(crate) fn now() -> u64 {
    super::unix_nanoseconds()
}
