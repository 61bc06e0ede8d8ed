//! What can go wrong before a guest runs. How a guest ends is in `end.rs`.

use std::path::{Path, PathBuf};
use std::time::Duration;

/// Cause of an error, from whichever library noticed it.
pub type Source = Box<dyn std::error::Error + Send + Sync>;

/// An engine can't be set up.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// wasmtime refuses the configuration, for example because there isn't enough address space.
    #[error("the engine can't be set up on this machine")]
    Wasmtime {
        /// Its words.
        #[source]
        source: Source,
    },
    /// The folder for compiled code can't be used.
    #[error("cache folder {} can't be used: {reason}", path.display())]
    Cache {
        /// The folder.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
}

/// Bytes can't be loaded as a component.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file can't be read.
    #[error("can't read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// The file is larger than the engine takes.
    #[error("component has {bytes} bytes, more than the {bytes_max} that are allowed")]
    TooLarge {
        /// Its size.
        bytes: u64,
        /// The largest size allowed.
        bytes_max: u64,
    },
    /// The bytes aren't WebAssembly.
    #[error("not a WebAssembly component: it looks like {found}")]
    NotWasm {
        /// What they look like.
        found: &'static str,
    },
    /// The bytes are a core module without a component type.
    #[error("a core WebAssembly module, not a component")]
    CoreModule,
    /// The bytes break the rules of WebAssembly.
    #[error("not a valid component")]
    Invalid {
        /// Which rule.
        #[source]
        source: Source,
    },
    /// The types of its functions are larger than anything a person writes.
    #[error("the types of its functions have more than {nodes_max} parts")]
    TypesTooLarge {
        /// The most parts allowed.
        nodes_max: usize,
    },
    /// Compiling took longer than allowed.
    #[error("compiling took longer than {} seconds", time_max.as_secs_f32())]
    CompileTime {
        /// The longest time allowed.
        time_max: Duration,
    },
    /// Compiling took more memory than allowed, or failed in another way that ended its process.
    #[error("compiling needed more than {memory_bytes_max} bytes of memory, or failed: {reason}")]
    CompileEnded {
        /// The most memory allowed, in bytes.
        memory_bytes_max: u64,
        /// How the process ended.
        reason: String,
    },
    /// The compiler's process can't be started or spoken to.
    #[error("can't run the compiler {}", program.display())]
    Compiler {
        /// Its program.
        program: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// Nothing provides some of what the component imports.
    #[error("nothing provides {}", list(.missing))]
    Missing {
        /// What is missing.
        missing: Vec<Missing>,
    },
    /// Two effects in one folder provide the same interface.
    #[error("two effects provide `{import}`: {} and {}", paths[0].display(), paths[1].display())]
    TwoProviders {
        /// The interface.
        import: String,
        /// The files.
        paths: [PathBuf; 2],
    },
    /// An effect offers an interface of the right name whose types differ.
    #[error("{} offers `{import}`, but not as {} asks for it", path.display(), who(asker.as_deref()))]
    DoesNotFit {
        /// The interface.
        import: String,
        /// The effect that asks for it; none for the component itself.
        asker: Option<PathBuf>,
        /// The effect.
        path: PathBuf,
        /// What differs.
        #[source]
        source: Source,
    },
    /// The parts are others than those of a trace.
    #[error("the components are not those that the trace is of")]
    OtherParts,
    /// Effects ask for each other.
    #[error("effects ask for each other in a circle: {}", files(.paths))]
    Circle {
        /// The effects among which the circle is.
        paths: Vec<PathBuf>,
    },
    /// The parts can't be joined.
    #[error("the component can't be joined with its effects")]
    Compose {
        /// Why not.
        #[source]
        source: Source,
    },
    /// wasmtime refuses to link the component.
    #[error("the component can't be linked")]
    Link {
        /// Its words.
        #[source]
        source: Source,
    },
}

/// An import that nothing provides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// Name of the import, such as `acme:weather/forecast@0.1.0`.
    pub import: String,
    /// Functions that the component wants of it; empty when the import is a function itself.
    pub functions: Vec<String>,
    /// The effect that asks for it; none if it is the guest.
    pub asker: Option<PathBuf>,
    /// Whether the effect that asks for it offers it too, and would stand in front of the one that is missing.
    pub is_in_front: bool,
    /// An effect that offers another version of it, and which.
    pub offered: Option<(PathBuf, String)>,
}

fn who(asker: Option<&Path>) -> String {
    asker.map_or_else(
        || "the component".to_owned(),
        |path| path.display().to_string(),
    )
}

fn files(paths: &[PathBuf]) -> String {
    paths
        .iter()
        .map(|path| path.display().to_string())
        .collect::<Vec<_>>()
        .join(", ")
}

/// Most functions named in one message.
const FUNCTIONS_MAX: usize = 5;

fn list(missing: &[Missing]) -> String {
    let one = |missing: &Missing| {
        let Missing {
            import,
            functions,
            asker,
            ..
        } = missing;
        let names = functions
            .iter()
            .take(FUNCTIONS_MAX)
            .map(|name| format!("`{name}`"))
            .collect::<Vec<_>>()
            .join(", ");
        let what = match functions.len() {
            0 => format!("the import `{import}`"),
            1 => format!("the import `{import}` with its function {names}"),
            count if count <= FUNCTIONS_MAX => {
                format!("the import `{import}` with its functions {names}")
            }
            count => format!(
                "the import `{import}` with its functions {names} and {} more",
                count - FUNCTIONS_MAX
            ),
        };
        match asker {
            Some(path) => format!("{what}, for {}", path.display()),
            None => what,
        }
    };
    missing.iter().map(one).collect::<Vec<_>>().join("; ")
}
