//! Builds the effects in `components/`, and writes down their bytes for the crate to include.

use std::path::Path;
use std::{env, fs};

mod nested;

/// Crates that effects share: no effects.
const LIBRARIES: &[&str] = &["redirects"];

/// The component that stands between others: no effect that anybody may choose.
const WITNESS: &str = "witness";

fn main() {
    let components = nested::Nested::new("components");
    components.watch();
    println!("cargo::rerun-if-changed=../wit");
    // The oracle shares it.
    println!("cargo::rerun-if-changed=../host/core/src/vrf/ecvrf.rs");

    println!(
        "cargo::rustc-env=HOMESTAR_EFFECTS={}",
        components.built.display()
    );
    let built = components.build("wasm32-unknown-unknown", &[]);
    let out = env::var_os("OUT_DIR").expect("cargo sets OUT_DIR for build scripts");
    let out = Path::new(&out);
    let mut list = String::from("&[\n");
    for name in components.folders() {
        if LIBRARIES.contains(&&*name) {
            continue;
        }
        // Copied, so that the bytes stay those of this build.
        let file = format!("{}.wasm", name.replace('-', "_"));
        fs::copy(built.join(&file), out.join(&file))
            .unwrap_or_else(|error| panic!("the effect {name} is not in {file}: {error}"));
        if name != WITNESS {
            list += &format!("Embedded {{ name: {name:?}, bytes: include_bytes!({file:?}) }},\n");
        }
    }
    fs::write(out.join("embedded.rs"), list + "]").expect("OUT_DIR can be written");
}
