//! smsync: replication of file trees described by mtree(5) specifications.
//!
//! The floors, lowest first; a module uses only floors below its own (`tests/architecture.rs` holds this):
//! `exit` `limits` · `sys` `vis` · `path` `digest` `secret` · `config` `report` `terms` · `spec` · `tree` `wire` · `plan` · `install` ·
//! `session` · `client` `server`.

pub mod client;
pub mod config;
pub mod digest;
pub mod exit;
pub mod install;
pub mod limits;
pub mod path;
pub mod plan;
pub mod report;
pub mod secret;
pub mod server;
pub mod session;
pub mod spec;
pub mod sys;
pub mod terms;
pub mod tree;
pub mod vis;
pub mod wire;
