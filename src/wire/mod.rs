//! Bytes and messages between client and server.

mod channel;
mod codec;
mod error;
pub mod message;
pub mod noise;
mod record;

pub use channel::{Channel, Listener, Speaker};
pub use error::WireError;
pub use message::{Flags, Message};
pub use record::{Batch, Record};
