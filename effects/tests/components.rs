//! The effects' own tests. They run natively, in the workspace of the effects.

use std::path::Path;
use std::process::Stdio;

use nested::Nested;

#[path = "../nested.rs"]
#[expect(dead_code, reason = "the rest is for build scripts")]
mod nested;

#[test]
fn the_tests_of_the_effects_pass() {
    let components = Nested {
        sources: Path::new(env!("CARGO_MANIFEST_DIR")).join("components"),
        built: env!("HOMESTAR_EFFECTS").into(),
    };
    let mut test = components.cargo("test");
    let tested = test.arg("--quiet").stdout(Stdio::piped()).output();
    let tested = tested.expect("cargo runs, as it started this");
    let said = [tested.stdout, tested.stderr].concat();
    assert!(
        tested.status.success(),
        "{}",
        String::from_utf8_lossy(&said)
    );
}
