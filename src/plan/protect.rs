//! Backups that earlier rounds kept are no extras: they stay, and so does what they are in.

use crate::path::RelPath;
use crate::plan::{Action, Because, Plan};
use crate::spec::{Index, Kind, Marks, Spec};
use crate::terms::Backup;

impl Plan {
    /// Leaves alone what is in the directory of backups; or, where they stand beside what they are of, everything extra
    /// of which the name ends like theirs, and what will hold the backup of something extra if that is to be removed.
    /// Gives back the names that cannot be what is wanted, for what is there.
    pub fn protect(&mut self, want: &Spec, have: &Spec, backup: &Backup, delete: bool) -> Marks {
        let apart = !backup.dir().is_root();
        let in_dir = |path: &RelPath<'_>| apart && path.is_within(backup.dir());
        let is_backup =
            |path: &RelPath<'_>| path.split_last().is_some_and(|(_, name)| name.ends_with(backup.suffix()));
        let is_dir = |at: Index| have.entry(at).kind == Kind::Dir;
        self.steps.retain(|step| !in_dir(&want.path(step.want)));
        let mut top: Option<RelPath<'_>> = None;
        let mut kept: Vec<RelPath<'_>> = Vec::new();
        let mut spared = Marks::default();
        for extra in &self.extras {
            let path = have.path(*extra);
            let below = top.as_ref().is_some_and(|top| path.is_within(top));
            if below || in_dir(&path) || !apart && is_backup(&path) {
                if !below {
                    top = Some(path.clone());
                }
                spared.insert(*extra);
                kept.push(path);
            } else if !apart && delete && !is_dir(*extra) {
                kept.push(path);
            }
        }
        if apart && have.find(backup.dir()).is_some() {
            kept.push(backup.dir().borrowed());
            kept.sort_unstable();
        }
        // What is below a path comes right after it.
        let holds = |path: &RelPath<'_>| {
            let next = kept.get(kept.partition_point(|kept| kept < path));
            next.is_some_and(|next| next.is_within(path))
        };
        let stays = |extra: Index| spared.contains(extra) || is_dir(extra) && holds(&have.path(extra));
        self.extras.retain(|extra| !stays(*extra));
        let mut blocked = Marks::default();
        for step in &mut self.steps {
            let path = want.path(step.want);
            if want.entry(step.want).kind != Kind::Dir && step.have.is_some_and(is_dir) && holds(&path) {
                step.action = Action::Blocked(Because::NotEmpty);
                blocked.insert(step.want);
            }
        }
        blocked
    }
}
