//! digest (interface only, until the real file is merged)
use std::borrow::Cow;
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs)]
pub enum Algorithm {
    Cksum,
    Md5,
    Rmd160,
    Sha1,
    Sha256,
    Sha384,
    Sha512,
    Blake3,
}
#[allow(missing_docs)]
impl Algorithm {
    pub const ALL: [Algorithm; 8] = [
        Algorithm::Cksum,
        Algorithm::Md5,
        Algorithm::Rmd160,
        Algorithm::Sha1,
        Algorithm::Sha256,
        Algorithm::Sha384,
        Algorithm::Sha512,
        Algorithm::Blake3,
    ];
    pub fn from_keyword(k: &[u8]) -> Option<Self> {
        match k {
            b"sha256digest" => Some(Algorithm::Sha256),
            _ => None,
        }
    }
}
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[allow(missing_docs)]
pub struct Algorithms(u8);
#[allow(missing_docs)]
impl Algorithms {
    pub fn insert(&mut self, a: Algorithm) {
        self.0 |= 1 << a as u8
    }
    pub fn contains(self, a: Algorithm) -> bool {
        self.0 & 1 << a as u8 != 0
    }
    pub fn iter(self) -> impl Iterator<Item = Algorithm> {
        Algorithm::ALL.into_iter().filter(move |a| self.contains(*a))
    }
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }
}
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[allow(missing_docs)]
pub struct Digests<'a>(Vec<(Algorithm, Cow<'a, [u8]>)>);
#[allow(missing_docs)]
impl<'a> Digests<'a> {
    pub fn get(&self, a: Algorithm) -> Option<&[u8]> {
        self.0.iter().find(|x| x.0 == a).map(|x| &*x.1)
    }
    pub fn set(&mut self, a: Algorithm, v: impl Into<Cow<'a, [u8]>>) -> Result<(), ()> {
        self.0.push((a, v.into()));
        Ok(())
    }
    pub fn algorithms(&self) -> Algorithms {
        let mut s = Algorithms(0);
        for x in &self.0 {
            s.insert(x.0)
        }
        s
    }
    pub fn agrees(&self, o: &Digests<'_>) -> Option<bool> {
        let mut r = None;
        for (a, v) in &self.0 {
            if let Some(w) = o.get(*a) {
                r = Some(r.unwrap_or(true) && w == &**v)
            }
        }
        r
    }
}
