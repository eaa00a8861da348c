//! What a round asks for that a module may refuse, under the names that rsync has for it.

use crate::path::Pattern;

/// One thing that may be refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capability(u32);

impl Capability {
    /// That what the sender does not have is removed, from either side.
    pub const DELETE: Capability = Capability(1);
    /// That much is removed without a question.
    pub const FORCE_DELETE: Capability = Capability(1 << 1);
    /// That the sender's files are removed when they have arrived.
    pub const REMOVE_SOURCE: Capability = Capability(1 << 2);
    /// That contents are compared.
    pub const CHECKSUM: Capability = Capability(1 << 3);
    /// That contents are compressed.
    pub const COMPRESS: Capability = Capability(1 << 4);
    /// That only the difference of a file is sent.
    pub const DELTA: Capability = Capability(1 << 5);
    /// That users are set.
    pub const OWNER: Capability = Capability(1 << 6);
    /// That groups are set.
    pub const GROUP: Capability = Capability(1 << 7);
    /// That permissions are set.
    pub const PERMS: Capability = Capability(1 << 8);
    /// That files with a set-id bit or capabilities come.
    pub const SETUID: Capability = Capability(1 << 9);
    /// That extended attributes and access lists are carried.
    pub const XATTRS: Capability = Capability(1 << 10);
    /// That several names are one file.
    pub const HARD_LINKS: Capability = Capability(1 << 11);
    /// That symbolic links come.
    pub const LINKS: Capability = Capability(1 << 12);
    /// That devices come.
    pub const DEVICES: Capability = Capability(1 << 13);
    /// That named pipes come.
    pub const SPECIALS: Capability = Capability(1 << 14);
    /// That links are followed.
    pub const COPY_LINKS: Capability = Capability(1 << 15);
    /// That what is replaced is kept where the client says.
    pub const BACKUP: Capability = Capability(1 << 16);
    /// That files are taken from other trees of the module.
    pub const LINK_DEST: Capability = Capability(1 << 17);
    /// That owners or modes are changed on their way.
    pub const CHMOD: Capability = Capability(1 << 18);
    /// That nothing is done, and all that would be is told.
    pub const DRY_RUN: Capability = Capability(1 << 19);

    /// Each with its name and, where rsync has one, its letter.
    pub const NAMES: [(&'static str, &'static str, Capability); 20] = [
        ("delete", "", Capability::DELETE),
        ("force-delete", "", Capability::FORCE_DELETE),
        ("remove-source-files", "", Capability::REMOVE_SOURCE),
        ("checksum", "c", Capability::CHECKSUM),
        ("compress", "z", Capability::COMPRESS),
        ("delta", "", Capability::DELTA),
        ("owner", "o", Capability::OWNER),
        ("group", "g", Capability::GROUP),
        ("perms", "p", Capability::PERMS),
        ("setuid", "", Capability::SETUID),
        ("xattrs", "X", Capability::XATTRS),
        ("hard-links", "H", Capability::HARD_LINKS),
        ("links", "l", Capability::LINKS),
        ("devices", "D", Capability::DEVICES),
        ("specials", "", Capability::SPECIALS),
        ("copy-links", "L", Capability::COPY_LINKS),
        ("backup", "b", Capability::BACKUP),
        ("link-dest", "", Capability::LINK_DEST),
        ("chmod", "", Capability::CHMOD),
        ("dry-run", "n", Capability::DRY_RUN),
    ];
}

/// Several of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Capabilities(u32);

impl Capabilities {
    /// Reads names, letters and wildcards with blanks or commas between them; what stands behind a `!` is taken out
    /// again, and the last word that is about one decides. Who may not delete may not remove the source either.
    /// Nothing where a word without a wildcard is about none.
    #[must_use]
    pub fn parse(text: &str) -> Option<Capabilities> {
        let mut all = Capabilities::default();
        for word in text.split([',', ' ', '\t']).filter(|word| !word.is_empty()) {
            let (word, takes) = word.strip_prefix('!').map_or((word, true), |word| (word, false));
            let pattern = Pattern::new(word.as_bytes())?;
            let mut met = word.contains(['*', '?', '[']);
            for (name, letter, capability) in Capability::NAMES {
                if letter == word || pattern.matches(name.as_bytes(), false) {
                    met = true;
                    all.set(capability, takes);
                    if capability == Capability::DELETE {
                        all.set(Capability::REMOVE_SOURCE, takes);
                    }
                }
            }
            if !met {
                return None;
            }
        }
        Some(all)
    }

    fn set(&mut self, capability: Capability, on: bool) {
        self.0 = if on { self.0 | capability.0 } else { self.0 & !capability.0 };
    }

    /// Whether this is one of them.
    #[must_use]
    pub const fn has(self, capability: Capability) -> bool {
        self.0 & capability.0 != 0
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_none(self) -> bool {
        self.0 == 0
    }
}

impl std::fmt::Display for Capabilities {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let those = Capability::NAMES.iter().filter(|(.., capability)| self.has(*capability));
        let mut names: Vec<_> = those.map(|(name, ..)| *name).collect();
        if self.has(Capability::DELETE) && !self.has(Capability::REMOVE_SOURCE) {
            names.push("!remove-source-files");
        }
        f.write_str(&names.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rd_78_the_last_word_decides() {
        for (text, expected) in [
            ("", ""),
            ("delete", "delete, remove-source-files"),
            ("delete !remove-source-files", "delete, !remove-source-files"),
            ("c z", "checksum, compress"),
            ("*links", "hard-links, links, copy-links"),
            ("*links !l", "hard-links, copy-links"),
            ("devices, setuid", "setuid, devices"),
            ("d*t*", "delete, remove-source-files, delta"),
        ] {
            let parsed = Capabilities::parse(text).unwrap();
            assert_eq!(parsed.to_string(), expected, "{text}");
            assert_eq!(Capabilities::parse(&parsed.to_string()), Some(parsed), "{text}");
        }
        let all = Capabilities::parse("*").unwrap();
        assert!(Capability::NAMES.iter().all(|(.., capability)| all.has(*capability)));
        assert_eq!(Capabilities::parse("* !*"), Some(Capabilities::default()));
        for bad in ["bogus", "!bogus", "delete bogus", "!"] {
            assert_eq!(Capabilities::parse(bad), None, "{bad}");
        }
    }
}
