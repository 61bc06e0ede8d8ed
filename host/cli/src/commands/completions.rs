//! `homestar completions`

use clap::Args;
use clap_complete::Shell;

use crate::error::CommandError;
use crate::print;

/// Print what makes a shell complete homestar's commands
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  homestar completions bash > ~/.local/share/bash-completion/completions/homestar
  homestar completions zsh > ~/.zfunc/_homestar
  homestar completions fish > ~/.config/fish/completions/homestar.fish")]
pub(crate) struct Options {
    /// The shell
    shell: Shell,
}

pub(crate) fn main(options: &Options, mut command: clap::Command) -> Result<(), CommandError> {
    let mut script = Vec::new();
    clap_complete::generate(options.shell, &mut command, "homestar", &mut script);
    print::out(&script)
}
