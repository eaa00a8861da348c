//! Which differences count, and which paths are touched at all: the wishes of rsync(1) that the receiver follows.

/// When the contents of a file are taken to be another, unless digests decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Quick {
    /// Its size or its time differs.
    #[default]
    SizeAndTime,
    /// Its size differs.
    Size,
    /// Always: size and time prove nothing.
    Never,
}

/// Which differences count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Comparison {
    /// Nothing is made that is not there.
    pub existing: bool,
    /// Nothing is touched that is there, but directories.
    pub ignore_existing: bool,
    /// Files that are newer at the receiver are left alone.
    pub update: bool,
    /// When files are taken to differ.
    pub quick: Quick,
    /// Whole seconds by which times may differ and be equal; 0 compares nanoseconds.
    pub window: u32,
}

impl Comparison {
    /// All but the window as a number, the form on the wire.
    #[must_use]
    pub fn bits(&self) -> u8 {
        let quick = match self.quick {
            Quick::SizeAndTime => 0,
            Quick::Size => 8,
            Quick::Never => 16,
        };
        u8::from(self.existing) | u8::from(self.ignore_existing) << 1 | u8::from(self.update) << 2 | quick
    }

    /// What this number and window mean, if that is one thing.
    #[must_use]
    pub fn from_bits(bits: u8, window: u32) -> Option<Comparison> {
        let quick = match bits & !7 {
            0 => Quick::SizeAndTime,
            8 => Quick::Size,
            16 => Quick::Never,
            _ => return None,
        };
        let has = |bit| bits & bit != 0;
        Some(Comparison { existing: has(1), ignore_existing: has(2), update: has(4), quick, window })
    }
}
