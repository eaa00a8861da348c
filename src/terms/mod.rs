//! The terms of a round: what a client asks for, in types that the command line and the wire share.

mod capability;
mod chmod;
mod comparison;
mod guise;
mod keeping;
mod mode;
mod owners;
mod policy;
mod taking;

pub use capability::{Capabilities, Capability};
pub use chmod::Chmod;
pub use comparison::{Comparison, Quick};
pub use guise::Guise;
pub use keeping::{Backup, FEW, Keeping, Limit};
pub use mode::{Clause, Operator, Permissions, clauses};
pub use owners::{OwnerMap, To};
pub use policy::{MUNGED_DIR, Policy};
pub use taking::Taking;
