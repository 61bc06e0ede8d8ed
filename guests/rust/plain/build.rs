//! Tells `wasm-component-ld` to stop at the core module.

fn main() {
    println!("cargo::rustc-link-arg-cdylib=--skip-wit-component");
    println!("cargo::rerun-if-changed=build.rs");
}
