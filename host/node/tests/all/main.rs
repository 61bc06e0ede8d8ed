//! Files, folders and CAR files, in and out of every kind of store.

mod dags;
mod files;
mod folders;
mod make;
