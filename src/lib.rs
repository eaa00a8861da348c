//! smsync: replication of file trees described by mtree(5) specifications.
//!
//! The floors, lowest first; a module uses only floors below its own (`tests/architecture.rs` holds this):
//! `exit` `limits` · `sys` · `path` `vis` `digest` · `report` · `spec` · `tree` `wire` · `plan` · `install` ·
//! `session` · `client` `server`.

pub mod digest;
pub mod exit;
pub mod limits;
pub mod path;
pub mod report;
pub mod server;
pub mod spec;
pub mod sys;
pub mod tree;
pub mod vis;
pub mod wire;
