//! URLs that were read already: a stored one is the same for thousands of calls.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use foldhash::fast::RandomState;

use super::target::{BadUrl, Target};

/// URLs kept at most; past it all are read anew.
const MOST: usize = 1024;

/// A URL as stored, and what it is relative to.
type Stored = (Arc<str>, Arc<str>);

/// What each stored URL reads as.
#[derive(Debug, Default)]
pub struct Targets(Mutex<HashMap<Stored, Arc<Target>, RandomState>>);

impl Targets {
    /// What `url` reads as, relative to `base`.
    ///
    /// # Errors
    /// [`BadUrl`], each time anew.
    pub fn of(&self, url: &Arc<str>, base: &Arc<str>) -> Result<Arc<Target>, BadUrl> {
        let key = (url.clone(), base.clone());
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(target) = known.get(&key) {
            return Ok(target.clone());
        }
        let target = Arc::new(Target::parse(url, Some(base))?);
        if known.len() >= MOST {
            known.clear();
        }
        known.insert(key, target.clone());
        Ok(target)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_read_once_for_each_base_and_a_bad_one_never_kept() {
        let targets = Targets::default();
        let of = |url: &str, base: &str| targets.of(&url.into(), &base.into());
        let first = of("/voice", "https://a.example").unwrap();
        assert!(Arc::ptr_eq(&first, &of("/voice", "https://a.example").unwrap()));
        assert_eq!(of("/voice", "https://b.example").unwrap().url(), "https://b.example/voice");
        assert_eq!(of("ftp://a.example", ""), Err(BadUrl::Scheme));
        assert_eq!(targets.0.lock().unwrap().len(), 2);
    }

    #[test]
    fn no_more_than_so_many_are_kept() {
        let targets = Targets::default();
        for number in 0..3 * MOST {
            targets.of(&format!("http://a.example/{number}").into(), &"".into()).unwrap();
            assert!(targets.0.lock().unwrap().len() <= MOST);
        }
    }
}
