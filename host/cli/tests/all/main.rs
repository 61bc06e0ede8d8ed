//! The command from outside: the real program, in an environment that holds nothing but what a test puts there.

mod cache;
mod commands;
mod data;
mod docs;
mod effects;
mod environment;
mod errors;
mod examples;
mod examples_effects;
mod examples_log;
mod grants;
mod hostile;
mod inspect;
mod keys;
mod memory;
mod output;
mod receipts;
mod replay;
mod run;
mod settings;
mod terminal;
mod tidy;
mod ucan;
mod watch;
mod web;
mod workflows;
