#![doc = include_str!("../README.md")]

pub use homestar_sdk_macros::tasks;

pub mod digest;
pub mod dns;
mod effect;
#[cfg(all(feature = "flow", not(target_family = "wasm")))]
pub mod flow;
pub mod https;
pub mod keys;
pub mod log;
pub mod random;
pub mod state;
#[cfg(all(feature = "testing", not(target_family = "wasm")))]
pub mod testing;

#[cfg(not(target_family = "wasm"))]
pub use effect::StandIn;

/// What calls the host. Types are those of the modules.
#[cfg(target_family = "wasm")]
mod bindings {
    wit_bindgen::generate!({
        path: "wit",
        world: "effects",
        with: {
            "homestar:crypto/digest@0.1.0/algorithm": crate::digest::Algorithm,
            "homestar:crypto/types@0.1.0/algorithm": crate::keys::Algorithm,
            "homestar:crypto/types@0.1.0/error": crate::keys::Error,
            "homestar:crypto/types@0.1.0/hash": crate::keys::Hash,
            "homestar:dns/types@0.1.0/answer": crate::dns::Answer,
            "homestar:dns/types@0.1.0/caa": crate::dns::Caa,
            "homestar:dns/types@0.1.0/data": crate::dns::Data,
            "homestar:dns/types@0.1.0/error": crate::dns::Error,
            "homestar:dns/types@0.1.0/mx": crate::dns::Mx,
            "homestar:dns/types@0.1.0/record-type": crate::dns::RecordType,
            "homestar:dns/types@0.1.0/srv": crate::dns::Srv,
            "homestar:https/types@0.1.0/error": crate::https::Error,
            "homestar:https/types@0.1.0/options": crate::https::Options,
            "homestar:https/types@0.1.0/request": crate::https::Request,
            "homestar:https/types@0.1.0/response": crate::https::Response,
            "homestar:random/types@0.1.0/error": crate::random::Error,
            "homestar:std/log@0.1.0/level": crate::log::Level,
            "homestar:std/types@0.1.0/state-error": crate::state::Error,
        },
        generate_all,
    });
}

/// What the macro writes refers to this.
#[doc(hidden)]
#[cfg(target_family = "wasm")]
pub mod private {
    pub use wit_bindgen;
}
