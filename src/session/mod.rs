//! The only place where wire meets tree: greeting, rounds, sending and receiving.
//!
//! Who started the connection and who has the files are two questions: `send` and `receive` do not know which side of
//! the socket they are on.

mod admit;
mod arrivals;
mod baseline;
mod bases;
mod basis;
mod blocks;
mod delivery;
mod digesting;
mod edits;
mod error;
mod greet;
mod guard;
mod guise;
mod hands;
mod intake;
mod memory;
mod moves;
mod moving;
mod offered;
mod ranges;
mod receive;
mod room;
mod send;
mod spare;
mod survey;
mod tell;
mod text;
mod turns;
mod worker;

pub use admit::{refuse, words};
pub use baseline::Baselines;
pub use error::Error;
pub use greet::{Hello, VERSION, greet_broken, greet_client, greet_server};
pub use memory::Memory;
pub use receive::{Receiver, receive};
pub use room::Room;
pub use send::{Offer, deliver};
pub use tell::{Said, offer};
