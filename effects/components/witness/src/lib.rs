//! Stands between a guest and the effects that come with Homestar, passes every call on, and says in the log what was
//! asked and what was answered. `homestar replay FILE.car --fixture` puts it there.
//!
//! A line is `homestar-call ` and a map of DAG-JSON: `call`, the function; `args`; `answer`. Values are written as
//! everywhere (`docs/values.md`). A handle is a number, and the first argument of its functions.

use std::cell::Cell;

use bindings::homestar::std::log::{Level, log};
use told::Told;

mod crypto;
mod dns;
mod https;
mod random;
mod state;
mod told;

mod bindings {
    wit_bindgen::generate!({
        path: "../../../wit",
        inline: "
            package homestar:witness@0.1.0;

            world witness {
                import homestar:std/log@0.1.0;

                import homestar:crypto/digest@0.1.0;
                import homestar:crypto/keys@0.1.0;
                import homestar:dns/client@0.1.0;
                import homestar:https/client@0.1.0;
                import homestar:random/random@0.1.0;
                import homestar:std/state@0.1.0;

                export homestar:crypto/digest@0.1.0;
                export homestar:crypto/keys@0.1.0;
                export homestar:dns/client@0.1.0;
                export homestar:https/client@0.1.0;
                export homestar:random/random@0.1.0;
                export homestar:std/state@0.1.0;
            }
        ",
        world: "homestar:witness/witness",
        generate_all,
    });

    #[cfg(target_family = "wasm")]
    export!(Witness with_types_in self);

    #[cfg(target_family = "wasm")]
    use super::Witness;
}

struct Witness;

/// Says what was asked and answered.
fn tell(call: &str, args: &[&dyn Told], answer: &dyn Told) {
    let mut line = String::from("homestar-call {\"answer\":");
    answer.tell(&mut line);
    line += ",\"args\":[";
    for (number, arg) in args.iter().enumerate() {
        if number > 0 {
            line.push(',');
        }
        arg.tell(&mut line);
    }
    line += "],\"call\":";
    call.tell(&mut line);
    line.push('}');
    log(Level::Trace, &line);
}

/// The number of a new handle.
fn number() -> u32 {
    thread_local! {
        static NEXT: Cell<u32> = const { Cell::new(0) };
    }
    NEXT.replace(NEXT.get() + 1)
}
