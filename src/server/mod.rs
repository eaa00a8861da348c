//! The server: its configuration and the order of things in `smsyncd`.

pub mod config;
