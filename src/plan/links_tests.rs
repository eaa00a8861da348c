//! Files of several names: what becomes of each of them.

use crate::plan::tests::{T1, file, in_words, plan, spec, users, usual};
use crate::plan::{Owners, Rules, compare};
use crate::spec::Marks;
use crate::terms::{Comparison, Quick};

#[test]
fn hard_links() {
    let linked = |inode: u32| format!("size=1 {T1} inode={inode} resdevice=native,8,1");
    let counted =
        |inode: u32, count: u32| format!("nlink={count} size=1 {T1} inode={inode} resdevice=native,9,9");
    let single = format!("size=1 {T1}");
    let ab = file("a", &linked(1)) + &file("b", &linked(1));
    assert_eq!(plan(&ab, "", &[], false), ["a Fetch", "b Link a"]);
    // Already one file, whatever its number here.
    let same = file("a", &counted(77, 2)) + &file("b", &counted(77, 2));
    assert!(plan(&ab, &same, &[], false).is_empty());
    // Equal files that are not one.
    let apart = file("a", &single) + &file("b", &single);
    assert_eq!(plan(&ab, &apart, &[], false), ["b Link a hard links"]);
    // One file that must become two, without a transfer.
    assert_eq!(plan(&apart, &same, &[], false), ["b Detach hard links"]);
    // Two groups where one was.
    let want =
        file("a", &linked(1)) + &file("b", &linked(1)) + &file("c", &linked(2)) + &file("d", &linked(2));
    let have: String = ["a", "b", "c", "d"].iter().map(|path| file(path, &counted(7, 4))).collect();
    assert_eq!(plan(&want, &have, &[], false), ["c Detach hard links", "d Link c hard links"]);
    // A name outside of the tree: other metadata must not reach it.
    let want = file("a", &format!("mode=0600 {single}"));
    let have = file("a", &format!("mode=0644 {}", counted(7, 2)));
    assert_eq!(plan(&want, &have, &[], false), ["a Detach permissions"]);
    // All names are here: metadata are set in place.
    let mode = |mode: &str, rest: &str| format!("mode={mode} {rest}");
    let want = file("a", &mode("0600", &linked(1))) + &file("b", &mode("0600", &linked(1)));
    let have = file("a", &mode("0644", &counted(7, 2))) + &file("b", &mode("0644", &counted(7, 2)));
    assert_eq!(plan(&want, &have, &[], false), ["a Meta permissions"]);
    // One of the names is to be another file: until it is, it must not get the other's metadata. The last one stays.
    let want = file("a", &mode("0600", &single))
        + &file("b", &format!("mode=0644 size=2 {T1}"))
        + &file("c", &mode("0644", &single));
    let have: String = ["a", "b", "c"].iter().map(|path| file(path, &mode("0644", &counted(7, 3)))).collect();
    assert_eq!(plan(&want, &have, &[], false), ["a Detach permissions", "b Fetch size"]);
    // So must a name that is extra.
    assert_eq!(
        plan(&want[..want.find("./b").unwrap()], &have, &[], true),
        ["a Detach permissions", "b extra", "c extra"]
    );
}

#[test]
fn what_is_found_to_be_the_same_stays_where_all_its_names_do() {
    let owners = Owners::any(users, users);
    let by = |quick, want: &str, have: &str| {
        let (want, have) = (spec(want), spec(have));
        let usual = usual(&owners, false);
        let rules = Rules { comparison: Comparison { quick, ..usual.comparison }, ..usual };
        let mut plan = compare(&want, &have, &[], &rules);
        let same: Marks = plan.wanted().collect();
        plan.keep_contents(&want, &have, &same, &rules);
        in_words(&plan, &want, &have)
    };
    let kept = |want: &str, have: &str| by(Quick::SizeAndTime, want, have);
    let linked = |path: &str, time: &str, names: u64| {
        let rest = format!("size=1 time={time}.000000000 inode=7 resdevice=native,8,1");
        file(path, &format!("nlink={names} {rest}"))
    };
    let both = |time: &str, names| linked("a", time, names) + &linked("b", time, names);
    assert_eq!(kept(&both("2", 2), &both("1", 2)), ["a Meta modification time"]);
    // A name somewhere else is not to get the time as well.
    let shared = kept(&both("2", 2), &both("1", 3));
    assert_eq!(shared[0], "a Detach modification time");
    assert!(shared[1].starts_with("b Link a"), "{shared:?}");
    // A name that is not there yet is linked to what stays.
    let third = both("2", 3) + &linked("c", "2", 3);
    assert_eq!(kept(&third, &both("1", 2)), ["a Meta modification time", "c Link a"]);
    // Nor is one that is to be left alone.
    let left = linked("a", "2", 2) + &linked("b", "2", 2).replace("native,8,1", "native,8,1 nochange");
    assert_eq!(kept(&left, &both("1", 2)), ["a Detach modification time"]);
    // Nor one that is to be another file, which is no name of this one even if it is the same.
    let single = |path, time: &str| file(path, &format!("size=1 time={time}.000000000"));
    let apart = |time| single("a", time) + &single("b", time);
    assert_eq!(
        kept(&apart("2"), &both("1", 2)),
        ["a Detach modification time", "b Detach modification time"]
    );
    assert_eq!(by(Quick::Never, &apart("1"), &both("1", 2)), ["b Detach hard links"]);
    assert_eq!(by(Quick::Never, &both("1", 2), &both("1", 2)), [""; 0]);
}
