//! The notebook of `examples/notebook`, in a real kernel: what a cell gives shows itself.

use std::fs;

use serde_json::Value;

use crate::projects::{Projects, has, python_with, root};

/// Runs all cells of a notebook, as Jupyter does.
const RUNS: &str = "
import nbclient, nbformat
notebook = nbformat.read('portraits.ipynb', 4)
nbformat.validate(notebook)
nbclient.NotebookClient(notebook, kernel_name='python3', timeout=None).execute()
nbformat.write(notebook, 'run.ipynb')
";

/// A text as a file of a notebook has it: whole, or by its lines.
fn text(value: &Value) -> String {
    match value.as_array() {
        Some(lines) => lines.iter().map(text).collect(),
        None => value.as_str().expect("a text").to_owned(),
    }
}

#[test]
fn a_notebook_shows_what_tasks_give() {
    if !has(&["python3"]) {
        return;
    }
    let it = Projects::new();
    for (name, path) in homestar_guests::RUST {
        if ["image", "lines"].contains(name) {
            it.0.put(&format!("words/{name}.wasm"), fs::read(path).unwrap());
        }
    }
    let examples = root().join("examples");
    for (file, from) in [
        ("portraits.ipynb", "notebook/portraits.ipynb"),
        ("cat.png", "image/cat.png"),
        ("access.log", "log/access.log"),
    ] {
        let content = fs::read(examples.join(from)).unwrap();
        it.0.put(&format!("words/{file}"), content);
    }
    let packages = ["ipykernel==7.4.0", "nbclient==0.11.0"];
    let python = python_with(&it, "jupyter", &packages);
    let mut command = it.command(python.to_str().unwrap(), &["-c", RUNS]);
    command
        .current_dir(it.0.path("words"))
        .env("HOMESTAR", env!("CARGO_BIN_EXE_homestar"))
        .env("IPYTHONDIR", it.0.path("ipython"))
        .env("JUPYTER_RUNTIME_DIR", it.0.path("jupyter"))
        .env(
            "PYTHONPATH",
            root().join("sdk/python").canonicalize().unwrap(),
        );
    let said = it.0.said(&mut command);
    assert_eq!(said.code, Some(0), "{said}");

    let run: Value = serde_json::from_slice(&it.0.read("words/run.ipynb")).unwrap();
    let cell = |id: &str| {
        let mut cells = run["cells"].as_array().unwrap().iter();
        let cell = cells.find(|cell| cell["id"] == id).expect(id);
        cell["outputs"][0].clone()
    };
    let signature = text(&cell("component")["text"]);
    assert!(signature.contains("crop("), "{signature}");
    let flow = text(&cell("flow")["data"]["text/plain"]);
    assert_eq!(flow, "<Workflow portraits: 4 tasks>");
    let shown = &cell("shown")["data"];
    let picture = text(&shown["image/png"]);
    // What the file begins with, and its width and height, in base64.
    let begin = "iVBORw0KGgoAAAANSUhEUgAAAHgAAAB4";
    assert!(picture.starts_with(begin), "{picture:.60}");
    let brief = text(&shown["text/plain"]);
    assert!(brief.starts_with("b'\\x89PNG"), "{brief}");
    let link = text(&cell("found")["data"]["text/plain"]);
    let cid = "bafkreiets6obrgz2ohaovuwyrgzz6i4ef7zcjgxs2uupx7qk4wy4g2i7n4";
    assert_eq!(link, format!("Link('{cid}')"));
    let read = text(&cell("read")["text"]);
    assert_eq!(read.matches(" error GET ").count(), 5, "{read}");
}
