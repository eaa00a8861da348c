//! mtree(5) specifications: entries, the canonical form on the wire, and every dialect the client reads.

pub mod dialect;
mod entry;
mod keyword;
mod known;
mod line;
mod marks;
mod order;
mod renewed;
mod sealed;
mod writer;
mod xattrs;

pub use entry::{Device, Entry, InodeId, Kind, Time};
pub use keyword::{Keyword, Keywords};
pub use known::{Digested, Known, in_order};
pub use line::LineError;
pub use marks::Marks;
pub use order::OrderError;
pub use renewed::Renewal;
pub use sealed::{Index, Spec, SpecError, SpecFault};
pub use writer::{SpecWriter, WriteError};
pub use xattrs::Xattrs;
