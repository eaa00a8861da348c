//! An ordered list of rules, of which the first that decides about a path counts, and the files of rules in directories.

use crate::path::RelPath;
use crate::path::rule::{Item, Rule, RuleError, Said, Side, Traits, rule, texts};
use std::borrow::Cow;
use std::sync::Arc;

/// The rules of a round, in their order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Filter {
    items: Vec<Item>,
}

impl Filter {
    /// These rules.
    #[must_use]
    pub fn new(items: Vec<Item>) -> Filter {
        Filter { items }
    }

    /// What it consists of.
    #[must_use]
    pub fn items(&self) -> &[Item] {
        &self.items
    }

    /// The files of rules that any directory may have: which of the items they are, their traits and their names.
    pub fn files(&self) -> impl Iterator<Item = (usize, Traits, &[u8])> {
        self.items.iter().enumerate().filter_map(|(at, item)| match item {
            Item::File(traits, name) => Some((at, *traits, &**name)),
            Item::Rule(_) => None,
        })
    }
}

/// What one file of rules says, in the directory where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Local {
    /// The directory.
    pub directory: RelPath<'static>,
    /// Which item of the [`Filter`] names the file.
    pub file: usize,
    /// Whether the rules of the same files above are void from here on.
    pub clears: bool,
    /// Its rules.
    pub rules: Vec<Arc<Rule>>,
}

impl Local {
    /// Reads such a file, of these traits; `None` when it says nothing.
    ///
    /// # Errors
    /// A line of it is no rule.
    pub fn read(
        directory: &RelPath<'_>,
        file: usize,
        traits: Traits,
        text: &[u8],
    ) -> Result<Option<Local>, RuleError> {
        let mut clears = false;
        let mut rules = Vec::new();
        for (_, text) in texts(text, traits) {
            for said in rule(text, traits.without(Traits::FILE))? {
                match said {
                    Said::Item(Item::Rule(rule)) => rules.push(rule),
                    Said::Clear => {
                        rules.clear();
                        clears = true;
                    }
                    Said::Item(Item::File(..)) | Said::Merge(..) => {
                        return Err(RuleError("a file of rules in a directory names no other"));
                    }
                }
            }
        }
        let directory = directory.clone().into_owned();
        Ok((clears || !rules.is_empty()).then_some(Local { directory, file, clears, rules }))
    }

    /// Bytes of its patterns.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.rules.iter().map(|rule| rule.pattern().text().len()).sum()
    }
}

/// A rule that is in force.
#[derive(Debug, Clone)]
struct Active {
    rule: Arc<Rule>,
    /// How many bytes of a path lead to where it was found.
    base: usize,
    /// What tells most paths apart without a look at the pattern: [`Pattern::gate`](crate::path::Pattern).
    gate: (Option<u8>, Option<u8>, bool),
}

impl Active {
    fn new(rule: &Arc<Rule>, base: usize) -> Active {
        let negated = rule.traits().has(Traits::NEGATED);
        let gate = if negated { (None, None, false) } else { rule.pattern().gate() };
        Active { rule: rule.clone(), base, gate }
    }

    /// Whether it decides about this path, of which this is the last name.
    fn decides(&self, path: &[u8], name: &[u8], is_dir: bool) -> bool {
        let (first, last, directory) = self.gate;
        let passes = (is_dir || !directory)
            && (last.is_none() || last == name.last().copied())
            && (first.is_none() || first == name.first().copied());
        passes && self.rule.decides(path, self.base, name, is_dir)
    }
}

/// The rules that one side applies in one directory.
#[derive(Debug, Clone)]
struct InForce {
    /// Those of each file of rules, innermost first, in the order of the items.
    files: Vec<Arc<[Active]>>,
    /// All of them, in the order in which they are asked.
    all: Arc<[Active]>,
}

impl InForce {
    fn assemble(filter: &Filter, side: Side, files: Vec<Arc<[Active]>>) -> InForce {
        let mut all = Vec::new();
        let mut next = files.iter();
        for item in &filter.items {
            match item {
                Item::Rule(rule) if rule.is_for(side) => all.push(Active::new(rule, 0)),
                Item::Rule(_) => {}
                Item::File(..) => all.extend(next.next().into_iter().flat_map(|rules| rules.iter().cloned())),
            }
        }
        InForce { files, all: all.into() }
    }
}

/// The way down a tree, and the rules in force on it. Paths come in tree order.
#[derive(Debug)]
pub struct Descent<'f> {
    filter: &'f Filter,
    side: Side,
    /// In tree order.
    locals: Cow<'f, [Local]>,
    way: Vec<(RelPath<'static>, InForce)>,
}

impl<'f> Descent<'f> {
    /// From the root. `locals`, in tree order, are what the files of rules say that are known.
    #[must_use]
    pub fn new(filter: &'f Filter, side: Side, locals: &'f [Local]) -> Descent<'f> {
        Descent { filter, side, locals: locals.into(), way: Vec::new() }
    }

    /// What a file of rules says that was found on the way, in a directory of which no path was asked for yet.
    pub fn found(&mut self, local: Local) {
        self.locals.to_mut().push(local);
    }

    /// What the files of rules said that are known by now.
    #[must_use]
    pub fn into_locals(self) -> Vec<Local> {
        self.locals.into_owned()
    }

    /// Whether the path is hidden, or protected. The root never is. `doomed`: whether the directory that holds it is to
    /// be removed.
    pub fn excludes(&mut self, path: &RelPath<'_>, is_dir: bool, doomed: bool) -> bool {
        if self.filter.items.is_empty() {
            return false;
        }
        let Some((parent, name)) = path.split_last() else { return false };
        let rules = self.in_force(&parent);
        let deciding = rules.iter().find(|active| {
            active.decides(path.as_bytes(), name, is_dir)
                && !(doomed && active.rule.traits().has(Traits::PERISHABLE))
        });
        deciding.is_some_and(|active| !active.rule.traits().has(Traits::INCLUDE))
    }

    /// The rules in force in a directory.
    fn in_force(&mut self, directory: &RelPath<'_>) -> Arc<[Active]> {
        while self.way.last().is_some_and(|(above, _)| !directory.is_within(above)) {
            self.way.pop();
        }
        if self.way.is_empty() {
            let none: Arc<[Active]> = Arc::new([]);
            let top = InForce::assemble(self.filter, self.side, vec![none; self.filter.files().count()]);
            let top = self.enter(&top, &RelPath::ROOT);
            self.way.push((RelPath::ROOT, top));
        }
        loop {
            match self.way.last() {
                Some((above, in_force)) if above.as_bytes().len() < directory.as_bytes().len() => {
                    let next = directory.next_below(above);
                    let in_force = self.enter(in_force, &next);
                    self.way.push((next.into_owned(), in_force));
                }
                Some((_, in_force)) => return in_force.all.clone(),
                None => return Arc::new([]),
            }
        }
    }

    /// The rules in force in a directory below one where these are.
    fn enter(&self, above: &InForce, directory: &RelPath<'_>) -> InForce {
        let first = self.locals.partition_point(|local| local.directory < *directory);
        let here = self.locals.get(first..).unwrap_or_default();
        let here = here.iter().take_while(|local| local.directory == *directory);
        let base = if directory.is_root() { 0 } else { directory.as_bytes().len() + 1 };
        let mut changed = false;
        let mut files = above.files.clone();
        for ((item, traits, _), active) in self.filter.files().zip(&mut files) {
            let local = here.clone().find(|local| local.file == item);
            let void = traits.has(Traits::HERE_ONLY) || local.is_some_and(|local| local.clears);
            if local.is_none() && (!void || active.is_empty()) {
                continue;
            }
            let own = local.iter().flat_map(|local| &local.rules).filter(|rule| rule.is_for(self.side));
            let inherited = if void { &[][..] } else { &**active };
            *active = own.map(|rule| Active::new(rule, base)).chain(inherited.iter().cloned()).collect();
            changed = true;
        }
        if changed { InForce::assemble(self.filter, self.side, files) } else { above.clone() }
    }
}

#[cfg(test)]
#[path = "filter_tests.rs"]
mod tests;
