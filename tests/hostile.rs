//! Both programs against peers that know the secret and mean harm: nothing outside of the tree is touched, nothing in it
//! changes, and the reason is said.

#[path = "hostile/edits.rs"]
mod edits;
#[path = "hostile/files.rs"]
mod files;
#[path = "hostile/greeting.rs"]
mod greeting;
#[path = "hostile/names.rs"]
mod names;
#[path = "hostile/opening.rs"]
mod opening;
#[path = "hostile/peer.rs"]
mod peer;
#[path = "hostile/policy.rs"]
mod policy;
#[path = "hostile/pulls.rs"]
mod pulls;
#[path = "hostile/pushes.rs"]
mod pushes;
#[path = "hostile/records.rs"]
mod records;
#[path = "hostile/silence.rs"]
mod silence;
#[path = "hostile/specs.rs"]
mod specs;
#[path = "hostile/tardy.rs"]
mod tardy;
#[path = "hostile/target.rs"]
mod target;
#[path = "hostile/wants.rs"]
mod wants;
