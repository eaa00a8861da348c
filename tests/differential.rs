//! Hundreds of random trees, each pushed by us and copied by rsync, edited and pushed again: source and both copies are the
//! same in contents, holes, modes, owners, times to the nanosecond, groups of hard links, attributes and ACLs.

use crate::common::dice::Dice;
use crate::common::facts::{Facts, assert_same, facts};
use crate::common::trees::Trees;
use crate::common::{assert_exit, end_object, forest, tool};
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

/// Trees in each of the tests below, which run beside each other.
const TREES: u64 = 75;
/// Pushes of each tree, with edits before all but the first.
const PUSHES: usize = 3;

/// A tree as far as rsync 3.5.0 copies it: it forgets the rights of the owning group where they are those of the mask.
fn known_to_rsync(root: &Path) -> BTreeMap<PathBuf, Facts> {
    let mut all = facts(root);
    let acls = all.values_mut().flat_map(|facts| facts.xattrs.iter_mut());
    for (_, acl) in acls.filter(|(name, _)| name.starts_with(b"system.posix_acl_")) {
        // Entries of eight bytes after a version of four: tag, permissions, id.
        let at = |tag: u8, acl: &[u8]| (4..acl.len()).step_by(8).find(|at| acl[*at] == tag);
        if let (Some(group), Some(mask)) = (at(4, acl), at(16, acl))
            && acl[group + 2] == acl[mask + 2]
        {
            acl[group + 2] = 0;
        }
    }
    all
}

/// Makes `dst` what rsync makes of it, or says why it does not.
fn rsync(src: &Path, dst: &Path) -> Result<BTreeMap<PathBuf, Facts>, String> {
    let (from, to) = (format!("{}/", src.display()), format!("{}/", dst.display()));
    let options = ["-aHAXS", "--numeric-ids", "--delete", "--modify-window=-1", &from, &to].map(OsStr::new);
    let output = tool("rsync", "rsync", &options);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    if output.status.success() { Ok(known_to_rsync(dst)) } else { Err(said) }
}

/// Pushes this many random trees and their edits.
fn compare(test: u64) {
    let seed = Dice::seed(0x5eed_cafe);
    println!("SMSYNC_SEED={seed}");
    let mut redone = 0;
    for number in 0..TREES {
        let mut dice = Dice::new(seed ^ (test * TREES + number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let trees = Trees::new(|_| {});
        let (src, dst, copy) = (trees.site.src(), trees.site.dst(), trees.site.path("rsync"));
        fs::create_dir(&copy).unwrap();
        for push in 0..PUSHES {
            let what = format!("SMSYNC_SEED={seed} test {test} tree {number} push {push}");
            if push == 0 {
                let paths = 5 + dice.roll(30);
                forest::grow(&src, &mut dice, paths);
            } else {
                (0..1 + dice.roll(12)).for_each(|_| forest::edit(&src, &mut dice));
            }
            let run = trees.push(&["--delete", "--force-delete"]);
            assert_exit(&run, 0);
            assert_same(&src, &dst, &what);
            // Names that are one file at the receiver and several at the sender rsync leaves as they are, and it asks
            // what was a directory for a default ACL. A copy into nothing has neither.
            let ours = Ok(known_to_rsync(&dst));
            if rsync(&src, &copy) != ours {
                redone += 1;
                fs::remove_dir_all(&copy).unwrap();
                fs::create_dir(&copy).unwrap();
                if rsync(&src, &copy) != ours {
                    assert_same(&copy, &dst, &format!("{what}: rsync made something else"));
                }
            }
            let again = end_object(&trees.push(&["--delete", "--force-delete"]));
            let done = ["files", "made", "linked", "changed", "removed", "problems"];
            assert!(done.iter().all(|sum| again[*sum] == 0), "{what}: a second push had work: {again:?}");
        }
    }
    println!("{redone} of {} copies of rsync's had to be made anew", TREES * PUSHES as u64);
    assert!(redone < TREES, "rsync is hardly an oracle: {redone}");
}

#[test]
fn trees_of_the_first_quarter() {
    compare(0);
}

#[test]
fn trees_of_the_second_quarter() {
    compare(1);
}

#[test]
fn trees_of_the_third_quarter() {
    compare(2);
}

#[test]
fn trees_of_the_last_quarter() {
    compare(3);
}
