//! What a component is.

use insta::assert_snapshot;

use crate::environment::Environment;

#[test]
fn what_a_component_imports_and_exports() {
    let it = Environment::with(&["add", "needs", "cli", "plain", "image"]);
    assert_snapshot!(it.run(&["inspect", "add.wasm"]), @"");
    assert_snapshot!(it.run(&["inspect", "needs.wasm"]), @"");
    assert_snapshot!(it.run(&["inspect", "plain.wasm"]), @"");
    assert_snapshot!(it.run(&["inspect", "image.wasm"]), @"");
    let cli = it.run(&["inspect", "cli.wasm"]).to_string();
    assert!(
        cli.contains("kind       command\n") && cli.contains("pure       yes\n"),
        "{cli}"
    );
}

#[test]
fn its_type_as_wit() {
    let it = Environment::with(&["needs"]);
    assert_snapshot!(it.run(&["inspect", "needs.wasm", "--wit"]), @"");
}

#[test]
fn facts_for_programs() {
    let it = Environment::with(&["needs"]);
    let facts = it.run(&["inspect", "needs.wasm", "--json"]).json();
    assert_eq!(facts["pure"], false);
    assert_eq!(
        facts["needs"],
        serde_json::json!(["acme:weather/forecast@0.1.0"])
    );
    assert_eq!(facts["exports"][0]["name"], "advice");
    assert_eq!(facts["bytes"], it.read("needs.wasm").len());
}

#[test]
fn what_is_read_from_its_bytes_is_what_runs() {
    let it = Environment::with(&["zoo", "text", "hello", "asynchronous"]);
    for name in ["zoo.wasm", "text.wasm", "hello.wasm", "asynchronous.wasm"] {
        let facts = it.run(&["inspect", name, "--json"]).json();
        let listed = it.run(&["run", name, "--json"]).json();
        let names = |list: &serde_json::Value| -> Vec<String> {
            let functions = list.as_array().unwrap().iter();
            functions
                .map(|function| function["name"].as_str().unwrap().to_owned())
                .collect()
        };
        assert_eq!(names(&facts["exports"]), names(&listed["ok"]), "{name}");
    }
}

#[test]
fn shells_complete_it() {
    let it = Environment::new();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let said = it.run(&["completions", shell]);
        assert!(
            said.code == Some(0) && said.stdout().contains("inspect"),
            "{shell}"
        );
    }
    let version = concat!("homestar ", env!("CARGO_PKG_VERSION"), "\n");
    assert_eq!(it.run(&["--version"]).stdout(), version);
}
