//! Bytes and messages between client and server.

mod change;
mod channel;
mod codec;
mod error;
mod inbox;
pub mod message;
pub mod noise;
mod pace;
mod packed;
mod record;
mod refusal;
mod round;
pub mod scope;

pub use channel::{Channel, Listener, Patience, Speaker};
pub use error::WireError;
pub use message::Message;
pub use packed::{Packer, Unpacker};
pub use record::{Batch, Record, Whole};
pub use round::Flags;
