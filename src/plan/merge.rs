//! The one merge: several sorted specifications walked together, a path at a time.

use crate::path::RelPath;
use crate::spec::{Entry, Index, Spec};

/// One path with what each specification says of it.
#[derive(Debug)]
pub struct Met<'s, const N: usize> {
    /// The path.
    pub path: RelPath<'s>,
    /// What each says, in the order in which they were given.
    pub entries: [Option<(Index, Entry<'s>)>; N],
}

/// Walks `N` specifications together, in tree order. What all of them say in the same words is passed over: in most
/// rounds that is nearly everything, and need not be parsed.
#[derive(Debug)]
pub struct Merge<'s, const N: usize> {
    specs: [&'s Spec; N],
    next: [u32; N],
    heads: [Option<(Index, Entry<'s>)>; N],
    /// How many of the next lines are known to be the same in all.
    alike: u32,
    /// Whether what all say in the same words is passed over.
    passes: bool,
}

impl<'s, const N: usize> Merge<'s, N> {
    /// From the first path on.
    #[must_use]
    pub fn new(specs: [&'s Spec; N]) -> Merge<'s, N> {
        Merge { specs, next: [0; N], heads: std::array::from_fn(|_| None), alike: 0, passes: true }
    }

    /// Without passing over anything.
    #[must_use]
    pub fn complete(self) -> Merge<'s, N> {
        Merge { passes: false, ..self }
    }

    /// Passes over what comes next in each specification, as long as all say the same.
    fn skip(&mut self) {
        let [first, others @ ..] = self.specs.as_slice() else { return };
        if self.heads.iter().any(Option::is_some) {
            return;
        }
        let indices: [Option<Index>; N] =
            std::array::from_fn(|at| self.specs.get(at)?.index(*self.next.get(at)?));
        let [Some(index), rest @ ..] = indices.as_slice() else { return };
        if self.alike == 0 {
            let repeats =
                |(spec, at): (&&Spec, &Option<Index>)| at.map_or(0, |at| first.repeats(*index, spec, at));
            self.alike = others.iter().zip(rest).map(repeats).min().unwrap_or_default();
        }
        let passed = first.alone(*index, self.alike);
        self.next.iter_mut().for_each(|next| *next += passed);
        // What is not passed over is taken from all at once.
        self.alike = (self.alike - passed).saturating_sub(1);
    }

    /// Puts the next entry of each specification whose last one was taken at its head.
    fn refill(&mut self) {
        if self.passes {
            self.skip();
        }
        for ((spec, next), head) in self.specs.iter().zip(&mut self.next).zip(&mut self.heads) {
            if head.is_none()
                && let Some(index) = spec.index(*next)
            {
                *next += 1;
                *head = Some((index, spec.entry(index)));
            }
        }
    }
}

impl<'s, const N: usize> Iterator for Merge<'s, N> {
    type Item = Met<'s, N>;

    fn next(&mut self) -> Option<Met<'s, N>> {
        self.refill();
        let path = self.heads.iter().flatten().map(|(_, entry)| &entry.path).min()?.clone();
        let entries = std::array::from_fn(|at| {
            let head = self.heads.get_mut(at)?;
            if head.as_ref().is_some_and(|(_, entry)| entry.path == path) { head.take() } else { None }
        });
        Some(Met { path, entries })
    }
}

#[cfg(test)]
#[path = "merge_tests.rs"]
mod tests;
