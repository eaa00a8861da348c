//! The client: its configuration and the order of things in `smsync`.

pub mod config;
