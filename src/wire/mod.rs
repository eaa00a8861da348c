//! Bytes and messages between client and server.

pub mod noise;
pub mod secret;
