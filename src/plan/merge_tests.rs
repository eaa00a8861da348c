//! What is passed over, and what is not.

use super::*;
use crate::plan::tests::spec;

/// Each byte of two texts that are alike is looked at once, also where no line may be passed over: otherwise this would
/// take hours.
#[test]
fn what_is_alike_is_found_once() {
    let paths = |of: &dyn Fn(u32) -> String| {
        let lines: String = (0..200_000).map(|at| format!("./f{at:06} type=file {}\n", of(at))).collect();
        let (want, have) = (spec(&lines), spec(&lines));
        Merge::new([&want, &have])
            .map(|met| (met.path.as_bytes().to_vec(), met.entries.map(|one| one.is_some())))
            .collect::<Vec<_>>()
    };
    let file = |more: &str| format!("size=1 time=1.000000000{more}");
    let inode = |at: u32| format!(" inode={at} resdevice=native,1,2");
    assert!(paths(&|_| file("")).is_empty());
    let all = paths(&|at| file(&inode(at)));
    assert!(all.len() == 200_000 && all.iter().all(|(_, both)| *both == [true, true]));
    let some = paths(&|at| if at % 3 == 0 { file(&inode(at)) } else { file("") });
    let third = (0..200_000).step_by(3).map(|at| (format!("f{at:06}").into_bytes(), [true, true]));
    assert_eq!(some, third.collect::<Vec<_>>());
}

/// What is passed over in each of two is the same, whatever stands around it.
#[test]
fn what_differs_is_met_among_what_is_alike() {
    let line = |at: u32, size: u32| format!("./f{at:04} type=file size={size} time=1.000000000\n");
    let text = |skipped: u32, other: u32| -> String {
        (0..1000).filter(|at| at % 97 != skipped).map(|at| line(at, u32::from(at % 89 == other))).collect()
    };
    for (skipped, other) in [(0, 0), (96, 88), (50, 13), (1, 2)] {
        let (want, have) = (spec(&text(skipped, 100)), spec(&text(97, other)));
        let met = |met: Met<'_, 2>| (met.path.as_bytes().to_vec(), met.entries.map(|one| one.is_some()));
        let found: Vec<_> = Merge::new([&want, &have]).map(met).collect();
        // The one behind what is missing was looked at already.
        let behind = |at: u32| at.checked_sub(1).is_some_and(|before| before % 97 == skipped);
        let expected = (0..1000).filter(|at| at % 97 == skipped || at % 89 == other || behind(*at));
        let expected = expected.map(|at| (format!("f{at:04}").into_bytes(), [at % 97 != skipped, true]));
        assert_eq!(found, expected.collect::<Vec<_>>());
    }
}
