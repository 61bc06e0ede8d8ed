//! Files, folders, CAR files and tokens, in and out of every kind of store.

mod dags;
mod files;
mod folders;
mod make;
mod market;
mod tokens;
