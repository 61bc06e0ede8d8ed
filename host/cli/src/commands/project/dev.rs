//! `homestar dev`

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser};

use super::{Project, build, sources};
use crate::commands::run;
use crate::error::CommandError;
use crate::print;

/// Build a project and run it, again whenever one of its files changes, until Ctrl-C
///
/// CALL and OPTIONS are those of `homestar run`. It runs again too when an effect changes that the component is wired to.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  homestar dev 'top-words(\"to be or not to be\", 2)'
  homestar dev --project words 'top-words(\"to be\", 1)' --stats
  homestar dev 'front-page()' --allow https=news.example.com")]
pub(crate) struct Options {
    /// The project's folder, or one within it
    #[arg(long, value_name = "FOLDER", default_value = ".")]
    project: PathBuf,

    /// What `homestar run` takes behind the component
    #[arg(
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "CALL, OPTIONS"
    )]
    run: Vec<OsString>,
}

/// Options of `run`, by themselves.
#[derive(Debug, Parser)]
#[command(name = "homestar dev", no_binary_name = true)]
struct Run {
    #[command(flatten)]
    options: run::Options,
}

pub(crate) fn main(options: &Options) -> ExitCode {
    let project = match Project::find(&options.project) {
        Ok(project) => project,
        Err(error) => return print::error(&error, false),
    };
    let component = project.component().into_os_string();
    let words = [component].into_iter().chain(options.run.iter().cloned());
    match Run::try_parse_from(words) {
        Ok(run) => run::again(&run.options, &project),
        Err(error) => print::usage(&error),
    }
}

impl run::Source for Project {
    fn files(&self) -> Vec<PathBuf> {
        // A folder that can't be read is told by the build.
        let files = sources::files(&self.folder).ok().flatten();
        let files = files.map(|files| files.into_iter().filter(|file| !build::is_written(file)));
        let short = |file: PathBuf| file.strip_prefix(".").map_or(file.clone(), Path::to_owned);
        files.into_iter().flatten().map(short).collect()
    }

    fn build(&self) -> Result<(), CommandError> {
        build::build(self).map(|_| ())
    }
}
