//! The terms of a round: what a client asks for, in types that the command line and the wire share.

mod taking;

pub use taking::Taking;
