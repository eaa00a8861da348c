//! Modes in the words of chmod(1), taken apart; what a clause does is for those who have it, since programs differ.

/// What a clause does with its permissions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    /// `+`
    Add,
    /// `-`
    Remove,
    /// `=`
    Set,
}

/// The permissions of a clause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permissions {
    /// What this class may do in the mode as it is: 6 for the owner, 3 for the group, 0 for others, the place of its
    /// bits.
    Copy(u32),
    /// These.
    These {
        /// `r`, `w` and `x`, as the three bits of one class.
        each: u32,
        /// `X`: execution where that is allowed to anybody, and of directories.
        executable: bool,
        /// `s`
        set_id: bool,
        /// `t`
        sticky: bool,
    },
}

/// One operation of a mode in words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clause {
    /// Whose: the sum of 0100 for the owner, 010 for the group and 01 for others; 0 when nobody is named.
    pub who: u32,
    /// What is done.
    pub operator: Operator,
    /// With what.
    pub permissions: Permissions,
}

/// Takes apart clauses with commas between them, each with one operation or more; `None` when they are none.
#[must_use]
pub fn clauses(text: &[u8]) -> Option<Vec<Clause>> {
    let mut clauses = Vec::new();
    for clause in text.split(|&byte| byte == b',') {
        let at = clause.iter().position(|byte| !matches!(byte, b'u' | b'g' | b'o' | b'a'))?;
        let (who, mut rest) = clause.split_at(at);
        let who = who.iter().fold(0, |all, &who| all | unit(who));
        while let Some((operator, tail)) = rest.split_first() {
            let end = tail.iter().position(|byte| matches!(byte, b'+' | b'-' | b'='));
            let (text, next) = tail.split_at(end.unwrap_or(tail.len()));
            let operator = match operator {
                b'+' => Operator::Add,
                b'-' => Operator::Remove,
                b'=' => Operator::Set,
                _ => return None,
            };
            clauses.push(Clause { who, operator, permissions: permissions(text)? });
            rest = next;
        }
    }
    Some(clauses)
}

/// The lowest bit of each class that this letter names.
const fn unit(who: u8) -> u32 {
    match who {
        b'u' => 0o100,
        b'g' => 0o010,
        b'o' => 0o001,
        _ => 0o111,
    }
}

fn permissions(text: &[u8]) -> Option<Permissions> {
    if let [class @ (b'u' | b'g' | b'o')] = text {
        return Some(Permissions::Copy(unit(*class).trailing_zeros()));
    }
    let (mut each, mut executable, mut set_id, mut sticky) = (0, false, false, false);
    for letter in text {
        match letter {
            b'r' => each |= 4,
            b'w' => each |= 2,
            b'x' => each |= 1,
            b'X' => executable = true,
            b's' => set_id = true,
            b't' => sticky = true,
            _ => return None,
        }
    }
    Some(Permissions::These { each, executable, set_id, sticky })
}
