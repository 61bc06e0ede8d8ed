//! Keys: made once, for one reader, under names and passphrases.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use insta::assert_snapshot;

use crate::environment::{Environment, Said, has};

const PATH: &str = ".config/homestar/key.pem";

#[test]
fn who_one_is() {
    let it = Environment::new().with_key();
    assert_snapshot!(it.run(&["key", "show"]), @r#"
    name       default
    type       ed25519
    did        did:key:z6MkehRgf7yJbgaGfYsdoAsKdBPE3dj2CYhowQdcjqSJgvVd
    multibase  z6MkehRgf7yJbgaGfYsdoAsKdBPE3dj2CYhowQdcjqSJgvVd
    path       $HOME/.config/homestar/key.pem
    -----BEGIN PUBLIC KEY-----
    MCowBQYDK2VwAyEAA6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg=
    -----END PUBLIC KEY-----
    --- exit code 0
    "#);
    assert_snapshot!(it.run(&["key", "show", "--json"]), @r#"
    {"did":"did:key:z6MkehRgf7yJbgaGfYsdoAsKdBPE3dj2CYhowQdcjqSJgvVd","multibase":"z6MkehRgf7yJbgaGfYsdoAsKdBPE3dj2CYhowQdcjqSJgvVd","name":"default","path":"$HOME/.config/homestar/key.pem","pem":"-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAA6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg=\n-----END PUBLIC KEY-----\n","protected":false,"type":"ed25519"}
    --- exit code 0
    "#);
    assert_snapshot!(it.run(&["key", "path"]), @r#"
    $HOME/.config/homestar/key.pem
    --- exit code 0
    "#);
}

#[test]
fn the_path_follows_the_environment() {
    let it = Environment::new();
    let path = |variable, value| {
        let mut command = it.command(&["key", "path"]);
        it.said(command.env(variable, value)).to_string()
    };
    assert_snapshot!(path("HOMESTAR_HOME", "/a"), @r#"
    /a/key.pem
    --- exit code 0
    "#);
    assert_snapshot!(path("XDG_CONFIG_HOME", "/b"), @r#"
    /b/homestar/key.pem
    --- exit code 0
    "#);
    assert_snapshot!(path("XDG_CONFIG_HOME", "relative"), @r#"
    $HOME/.config/homestar/key.pem
    --- exit code 0
    "#);
}

#[test]
fn a_key_is_made_for_its_user_alone() {
    let it = Environment::new();
    let first = it.run(&["key", "show"]);
    assert_eq!(first.code, Some(0), "{first}");
    let mode = |name| fs::metadata(it.path(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(PATH), mode(".config/homestar")), (0o600, 0o700));
    assert_eq!(first.stdout, it.run(&["key", "show"]).stdout);
    let files = fs::read_dir(it.path(".config/homestar")).unwrap();
    assert_eq!(files.count(), 1);
}

#[test]
fn without_need_there_is_no_key() {
    let it = Environment::with(&["add"]);
    it.run(&["run", "add.wasm", "add(1, 2)"]);
    assert!(!it.path(".config").exists());
}

#[test]
fn processes_that_make_it_at_once_agree() {
    let it = Environment::new();
    let start = |_| {
        let mut command = it.command(&["key", "show"]);
        command.stdout(Stdio::piped()).spawn().unwrap()
    };
    let children: Vec<_> = (0..8).map(start).collect();
    let said = |child: std::process::Child| it.of(child.wait_with_output().unwrap()).to_string();
    let mut said: Vec<_> = children.into_iter().map(said).collect();
    said.dedup();
    assert_eq!(said.len(), 1, "{said:?}");
}

#[test]
fn a_key_that_others_may_read_is_refused() {
    let it = Environment::with(&["add"]).with_key();
    fs::set_permissions(it.path(PATH), fs::Permissions::from_mode(0o644)).unwrap();
    assert_snapshot!(it.run(&["key", "show"]), @r#"
    --- stderr
    error: others than you may read or change the key $HOME/.config/homestar/key.pem
    hint: `chmod 600 $HOME/.config/homestar/key.pem` closes it
    --- exit code 4
    "#);
    let run = ["run", "add.wasm", "add(1, 2)", "--receipt", "r"];
    assert_eq!(it.run(&run).code, Some(4));
    assert!(!it.path("r").exists());
}

#[test]
fn a_damaged_key_is_said() {
    let it = Environment::new().with_key();
    fs::write(it.path(PATH), "-----BEGIN").unwrap();
    assert_snapshot!(it.run(&["key", "show"]), @r#"
    --- stderr
    error: can't read the key $HOME/.config/homestar/key.pem
      because: not an Ed25519, P-256 or secp256k1 key in PKCS#8 PEM
    hint: move it away and a new one is made; receipts signed with it stay good
    --- exit code 4
    "#);
}

/// The key of the environment under another name.
const WORK: &str = ".config/homestar/keys/work.pem";

fn mode(it: &Environment, name: &str) -> u32 {
    fs::metadata(it.path(name)).unwrap().permissions().mode() & 0o777
}

fn ok(it: &Environment, arguments: &[&str]) -> String {
    let said = it.run(arguments);
    assert_eq!(said.code, Some(0), "{said}");
    said.stdout().to_owned()
}

fn did(it: &Environment, name: &str) -> String {
    ok(it, &["key", "export", name, "--form", "did"])
}

/// What openssl says, given a passphrase in the environment.
fn openssl(it: &Environment, arguments: &[&str], passphrase: &str) -> Said {
    let mut command = Command::new("openssl");
    command.args(arguments).env("PASSPHRASE", passphrase);
    command.current_dir(it.path("")).stdin(Stdio::null());
    it.said(&mut command)
}

/// Runs a command where there is no terminal to ask on.
fn without_a_terminal(it: &Environment, arguments: &[&str]) -> Said {
    let mut all = vec!["-w", env!("CARGO_BIN_EXE_homestar")];
    all.extend_from_slice(arguments);
    it.said(&mut it.in_environment("setsid", &all))
}

#[test]
fn keys_of_each_type_have_names() {
    let it = Environment::new();
    for (kind, begins) in [
        ("ed25519", "did:key:z6Mk"),
        ("p256", "did:key:zDn"),
        ("secp256k1", "did:key:zQ3s"),
    ] {
        let said = it.run(&["key", "new", kind, "--type", kind, "--json"]);
        let facts = &said.json()["ok"];
        assert_eq!(facts["name"], kind);
        assert!(facts["did"].as_str().unwrap().starts_with(begins), "{said}");
        let file = format!(".config/homestar/keys/{kind}.pem");
        assert_eq!(mode(&it, &file), 0o600);
        let shown = it.run(&["key", "show", kind, "--json"]).json();
        assert_eq!(shown["did"], facts["did"]);
        assert_eq!(shown["type"], kind);
        assert_eq!(shown["protected"], false);
        let multibase = format!("did:key:{}", shown["multibase"].as_str().unwrap());
        assert_eq!(shown["did"], multibase);
        let pem = ok(&it, &["key", "export", kind]);
        assert_eq!(shown["pem"], pem);
        assert!(pem.starts_with("-----BEGIN PUBLIC KEY-----\n"), "{pem}");
    }
    assert_eq!(mode(&it, ".config/homestar/keys"), 0o700);
    // Nobody needed the one that is made by itself.
    let all = it.run(&["key", "list", "--json"]).json();
    let names = all["ok"].as_array().unwrap().iter();
    let names: Vec<_> = names.map(|key| key["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["ed25519", "p256", "secp256k1"]);
    let lines = ok(&it, &["key", "list"]);
    assert_eq!(lines.lines().count(), 3);
    assert!(
        lines.starts_with("ed25519    ed25519    did:key:z6Mk"),
        "{lines}"
    );
}

#[test]
fn no_key_takes_the_place_of_another() {
    let it = Environment::new().with_key();
    it.put("other.pem", ok(&it, &["key", "export", "--private"]));
    ok(&it, &["key", "new", "work"]);
    let before = it.read(WORK);
    let default = it.read(PATH);
    for arguments in [
        &["key", "new"][..],
        &["key", "new", "default", "--type", "p256"],
        &["key", "new", "work"],
        &["key", "import", "work", "other.pem"],
        &["key", "rename", "default", "work"],
        &["key", "rename", "work", "default"],
    ] {
        let said = it.run(arguments);
        assert_eq!(said.code, Some(4), "{said}");
        assert!(said.stderr.contains("already\nhint: "), "{said}");
    }
    assert_eq!((before, default), (it.read(WORK), it.read(PATH)));
    assert_snapshot!(it.run(&["key", "new"]), @r#"
    --- stderr
    error: there is a key default already
    hint: `homestar key rename default NEW` gives it another name
    --- exit code 4
    "#);
}

#[test]
fn another_key_signs_by_name_or_from_now_on() {
    let it = Environment::with(&["add"]).with_key();
    ok(&it, &["key", "new", "work"]);
    let (default, work) = (did(&it, "default"), did(&it, "work"));
    let issuer = |chosen: Option<&str>| {
        let mut command = it.command(&["run", "add.wasm", "add(1, 2)", "--receipt", "r"]);
        command.envs(chosen.map(|name| ("HOMESTAR_KEY", name)));
        let said = it.said(&mut command);
        assert_eq!(said.code, Some(0), "{said}");
        ok(&it, &["receipt", "show", "r"])
    };
    assert!(issuer(None).contains(default.trim()));
    assert!(issuer(Some("")).contains(default.trim()));
    assert!(issuer(Some("work")).contains(work.trim()));
    let shown = it.said(it.command(&["key", "show"]).env("HOMESTAR_KEY", "work"));
    assert!(shown.stdout().contains(work.trim()), "{shown}");
    let missing = it.said(it.command(&["key", "show"]).env("HOMESTAR_KEY", "x"));
    assert_snapshot!(missing, @r#"
    --- stderr
    error: there is no key x
    hint: `homestar key list` shows those there are, `homestar key new x` makes one
    --- exit code 4
    "#);
    let none = it.said(it.command(&["key", "show"]).env("HOMESTAR_KEY", "a/b"));
    assert_eq!(none.code, Some(2), "{none}");

    ok(&it, &["key", "rename", "default", "old"]);
    ok(&it, &["key", "rename", "work", "default"]);
    assert_eq!(
        (did(&it, "old"), did(&it, "default")),
        (default, work.clone())
    );
    assert!(issuer(None).contains(work.trim()));
    assert!(!it.path(WORK).exists());
}

#[test]
fn a_private_key_is_printed_only_when_asked_for() {
    let it = Environment::new().with_key();
    let private = "PRIVATE KEY";
    for arguments in [
        &["key", "show"][..],
        &["key", "show", "--json"],
        &["key", "list", "--json"],
        &["key", "export"],
        &["key", "export", "--form", "did"],
        &["key", "export", "--form", "multibase", "--json"],
    ] {
        assert!(!it.run(arguments).stdout().contains(private));
    }
    let pem = ok(&it, &["key", "export", "--private"]);
    assert_eq!(pem.as_bytes(), it.read(PATH));
    ok(&it, &["key", "export", "--private", "-o", "copy.pem"]);
    assert_eq!(
        (pem.as_bytes(), mode(&it, "copy.pem")),
        (&it.read("copy.pem")[..], 0o600)
    );
    assert_snapshot!(it.run(&["key", "export", "--private", "-o", "copy.pem"]), @r#"
    --- stderr
    error: can't write copy.pem
      because: File exists (os error 17)
    hint: a private key is written to a new file only
    --- exit code 4
    "#);
    ok(&it, &["key", "import", "copy", "copy.pem"]);
    assert_eq!(did(&it, "copy"), did(&it, "default"));
    let said = it.run(&["key", "export", "--private", "--form", "did"]);
    assert_eq!(said.code, Some(2), "{said}");
}

#[test]
fn a_passphrase_protects_a_key_wherever_it_comes_from() {
    let it = Environment::with(&["add"]);
    it.put("passphrase", "open sesame\n");
    it.put("wrong", "open barley\n");
    it.put("next", "as you like it");
    ok(&it, &["key", "new", "--passphrase-file", "passphrase"]);
    let file = String::from_utf8(it.read(PATH)).unwrap();
    assert!(
        file.starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----\n"),
        "{file}"
    );
    assert!(file.contains("-----BEGIN PUBLIC KEY-----\n"), "{file}");
    assert_eq!(mode(&it, PATH), 0o600);
    // Who it is can be told without.
    let shown = it.run(&["key", "show", "--json"]).json();
    assert_eq!(shown["protected"], true);
    assert_eq!(shown["did"], did(&it, "default").trim());

    let signs = |passphrase: &str| {
        let mut command = it.command(&["run", "add.wasm", "add(1, 2)", "--receipt", "r"]);
        it.said(command.env("HOMESTAR_PASSPHRASE", passphrase))
    };
    assert_eq!(signs("open sesame").code, Some(0));
    assert_snapshot!(signs("open barley"), @r#"
    --- stderr
    error: can't open the key default
      because: the passphrase isn't that of the key
    --- exit code 4
    "#);
    let own = shown["did"].as_str().unwrap();
    let delegate = |file| it.run(&["ucan", "delegate", own, "/a", "--passphrase-file", file]);
    assert_eq!(delegate("passphrase").code, Some(0));
    assert_eq!(delegate("wrong").code, Some(4));
    if has("setsid") {
        assert_snapshot!(without_a_terminal(&it, &["run", "add.wasm", "add(1, 2)", "--receipt", "r"]), @r#"
        --- stderr
        error: there is no terminal to ask for the passphrase of the key default
          because: No such device or address (os error 6)
        hint: `--passphrase-file FILE`, or HOMESTAR_PASSPHRASE in the environment, has it
        --- exit code 4
        "#);
        // Without a receipt nobody asks for it.
        let said = without_a_terminal(&it, &["run", "add.wasm", "add(1, 2)"]);
        assert_eq!(said.code, Some(0), "{said}");
    }

    let protect = |arguments: &[&str]| {
        let all = [&["key", "protect", "--old-passphrase-file"], arguments].concat();
        it.run(&all)
    };
    let before = it.read(PATH);
    assert_eq!(
        protect(&["wrong", "--passphrase-file", "next"]).code,
        Some(4)
    );
    assert_eq!(before, it.read(PATH));
    assert_eq!(
        protect(&["passphrase", "--passphrase-file", "next"]).code,
        Some(0)
    );
    assert_eq!(mode(&it, PATH), 0o600);
    assert_eq!(signs("open sesame").code, Some(4));
    assert_eq!(signs("as you like it").code, Some(0));
    assert_eq!(protect(&["next", "--off"]).code, Some(0));
    assert_eq!(
        it.run(&["key", "show", "--json"]).json()["protected"],
        false
    );
    assert_eq!(shown["did"], did(&it, "default").trim());
    let files = fs::read_dir(it.path(".config/homestar")).unwrap();
    assert_eq!(files.count(), 1);
}

#[test]
fn passphrases_that_are_none_are_refused() {
    let it = Environment::new();
    it.put("empty", "\n");
    it.put("two", "a\nb\n");
    it.put("long", "x".repeat(1025));
    it.put("bytes", [0xff, 0xfe]);
    for (file, words) in [
        ("empty", "an empty passphrase protects nothing"),
        ("two", "more than one line"),
        ("long", "at most 1024 bytes"),
        ("bytes", "not UTF-8"),
        ("nothing", "can't read nothing"),
    ] {
        let said = it.run(&["key", "new", "--passphrase-file", file]);
        assert_eq!(said.code, Some(4), "{said}");
        assert!(said.stderr.contains(words), "{said}");
    }
    assert!(!it.path(PATH).exists());
}

#[test]
fn openssl_reads_what_is_written_and_writes_what_is_read() {
    if !has("openssl") {
        return;
    }
    let it = Environment::new();
    it.put("passphrase", "open sesame");
    let good = |said: Said| {
        assert_eq!(said.code, Some(0), "{said}");
        said.stdout().to_owned()
    };
    for kind in ["ed25519", "p256", "secp256k1"] {
        ok(&it, &["key", "new", kind, "--type", kind]);
        let locked = format!("{kind}-locked");
        let arguments = ["key", "new", &locked, "--type", kind];
        ok(
            &it,
            &[&arguments[..], &["--passphrase-file", "passphrase"]].concat(),
        );

        // Its private keys, and its public ones. With the public key behind it, as the file is kept.
        for name in [kind, &locked] {
            let file = format!(".config/homestar/keys/{name}.pem");
            let arguments = ["pkey", "-in", &file, "-passin", "env:PASSPHRASE", "-pubout"];
            let public = good(openssl(&it, &arguments, "open sesame"));
            assert_eq!(public, ok(&it, &["key", "export", name]));
            let said = openssl(&it, &arguments, "open barley");
            assert_eq!(said.code == Some(0), name == kind, "{said}");
            it.put("public.pem", public);
            let arguments = ["pkey", "-pubin", "-in", "public.pem", "-noout"];
            good(openssl(&it, &arguments, ""));
        }
        let private = ok(&it, &["key", "export", &locked, "--private"]);
        assert_eq!(private.matches("BEGIN").count(), 1);

        // What it makes of a key: plain, and locked in the two ways that it knows.
        let file = format!(".config/homestar/keys/{kind}.pem");
        for (at, ways) in [
            &[][..],
            &["-topk8", "-scrypt", "-passout", "env:PASSPHRASE"],
            &["-topk8", "-v2", "aes256", "-passout", "env:PASSPHRASE"],
            &[
                "-topk8",
                "-v2",
                "aes128",
                "-v2prf",
                "hmacWithSHA512",
                "-passout",
                "env:PASSPHRASE",
            ],
        ]
        .iter()
        .enumerate()
        {
            let verb = if at == 0 { "pkey" } else { "pkcs8" };
            let arguments = [&[verb, "-in", &file, "-out", "their.pem"], *ways].concat();
            good(openssl(&it, &arguments, "open sesame"));
            let name = format!("{kind}-{at}");
            let arguments = ["key", "import", &name, "their.pem"];
            let passphrase = ["--passphrase-file", "passphrase"];
            ok(&it, &[&arguments[..], &passphrase].concat());
            assert_eq!(did(&it, &name), did(&it, kind));
            let shown = it.run(&["key", "show", &name, "--json"]).json();
            assert_eq!(shown["protected"], true);
        }
        // Whoever opens it keeps it locked.
        let arguments = ["key", "import", &format!("{kind}-again"), "their.pem"];
        let mut command = it.command(&arguments);
        let said = it.said(command.env("HOMESTAR_PASSPHRASE", "open sesame"));
        assert_eq!(said.code, Some(0), "{said}");
        let shown = it
            .run(&["key", "show", &format!("{kind}-again"), "--json"])
            .json();
        assert_eq!(shown["protected"], true);
        // Triple DES isn't read.
        let arguments = [
            "pkcs8",
            "-topk8",
            "-v2",
            "des3",
            "-passout",
            "env:PASSPHRASE",
        ];
        let files = ["-in", &file, "-out", "their.pem"];
        good(openssl(
            &it,
            &[&arguments[..], &files].concat(),
            "open sesame",
        ));
        let arguments = [
            "key",
            "import",
            "x",
            "their.pem",
            "--passphrase-file",
            "passphrase",
        ];
        let said = it.run(&arguments);
        assert!(said.stderr.contains("PBES2 with AES is"), "{said}");
    }
    // Another kind of key, which the passphrase opens.
    let arguments = [
        "genpkey",
        "-algorithm",
        "x25519",
        "-aes256",
        "-pass",
        "env:PASSPHRASE",
    ];
    let files = ["-out", "their.pem"];
    good(openssl(
        &it,
        &[&arguments[..], &files].concat(),
        "open sesame",
    ));
    let arguments = [
        "key",
        "import",
        "x",
        "their.pem",
        "--passphrase-file",
        "passphrase",
    ];
    let said = it.run(&arguments);
    assert!(said.stderr.contains("because: it is no Ed25519"), "{said}");
    // The older form.
    for curve in ["prime256v1", "secp256k1"] {
        let arguments = ["ecparam", "-genkey", "-name", curve, "-out", "their.pem"];
        good(openssl(&it, &arguments, ""));
        let name = format!("their-{curve}");
        ok(&it, &["key", "import", &name, "their.pem"]);
        let arguments = ["pkey", "-in", "their.pem", "-pubout"];
        let public = good(openssl(&it, &arguments, ""));
        assert_eq!(public, ok(&it, &["key", "export", &name]));
    }
}

#[test]
fn what_is_no_private_key_is_not_imported() {
    let it = Environment::new().with_key();
    it.put("public", ok(&it, &["key", "export"]));
    assert_snapshot!(it.run(&["key", "import", "x", "public"]), @r#"
    --- stderr
    error: public holds no private key
      because: not an Ed25519, P-256 or secp256k1 key in PKCS#8 PEM
    hint: it is a public key
    --- exit code 4
    "#);
    let said = it.run_with(&["key", "import", "x", "-"], b"-----BEGIN");
    assert!(said.stderr.contains("openssl pkcs8 -topk8"), "{said}");
    for name in ["../x", ".x", "a b", "crypto="] {
        let said = it.run(&["key", "import", name, "public"]);
        assert_eq!(said.code, Some(2), "{said}");
    }
    assert!(!it.path(".config/homestar/keys").exists());
}

#[test]
fn guests_have_keys_of_their_own() {
    let it = Environment::new().with_key();
    let said = it.run(&["key", "new", "crypto=weather", "--type", "p256"]);
    assert_eq!(said.code, Some(0), "{said}");
    it.put("copy.pem", ok(&it, &["key", "export", "--private"]));
    ok(&it, &["key", "import", "crypto=signer", "copy.pem"]);
    assert_eq!(did(&it, "crypto=signer"), did(&it, "default"));
    assert_eq!(mode(&it, ".config/homestar/keys/weather.key"), 0o600);
    let all = it.run(&["key", "list", "--json"]).json();
    let names = all["ok"].as_array().unwrap().iter();
    let names: Vec<_> = names.map(|key| key["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["default", "crypto=signer", "crypto=weather"]);
    let shown = it.run(&["key", "show", "crypto=weather", "--json"]).json();
    assert!(
        shown["did"].as_str().unwrap().starts_with("did:key:zDn"),
        "{shown}"
    );

    // They sign nothing of the user's, and what they are stays where they are.
    let own = did(&it, "default");
    for (arguments, code) in [
        (
            &[
                "ucan",
                "delegate",
                own.trim(),
                "/a",
                "--key",
                "crypto=weather",
            ][..],
            2,
        ),
        (&["key", "export", "crypto=weather", "--private"], 4),
        (&["key", "new", "crypto=weather"], 4),
        (&["key", "import", "crypto=signer", "copy.pem"], 4),
        (&["key", "protect", "crypto=weather"], 2),
        (&["key", "rename", "crypto=weather", "x"], 2),
        (&["key", "show", "crypto=default"], 4),
    ] {
        let said = it.run(arguments);
        assert_eq!(said.code, Some(code), "{arguments:?}: {said}");
    }
    it.put("passphrase", "x");
    let arguments = ["key", "new", "crypto=x", "--passphrase-file", "passphrase"];
    assert_eq!(it.run(&arguments).code, Some(2));
    ok(
        &it,
        &["key", "new", "locked", "--passphrase-file", "passphrase"],
    );
    ok(
        &it,
        &["key", "export", "locked", "--private", "-o", "locked.pem"],
    );
    let arguments = [
        "key",
        "import",
        "crypto=x",
        "locked.pem",
        "--passphrase-file",
        "passphrase",
    ];
    assert_eq!(it.run(&arguments).code, Some(2));
    assert!(!it.path(".config/homestar/keys/x.key").exists());
}

#[test]
fn one_bad_file_hides_no_other_key() {
    let it = Environment::new().with_key();
    ok(&it, &["key", "new", "work"]);
    fs::set_permissions(it.path(WORK), fs::Permissions::from_mode(0o644)).unwrap();
    it.put(".config/homestar/keys/notes.txt", "none");
    it.put(".config/homestar/keys/.hidden.pem", "none");
    let said = it.run(&["key", "list", "--json"]);
    assert_eq!(said.json()["ok"].as_array().unwrap().len(), 1, "{said}");
    assert!(
        said.stderr.contains("warning: others than you may read"),
        "{said}"
    );
}
