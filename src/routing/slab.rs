//! A chunked array that generations share: a change copies one chunk and the spine.

use std::sync::Arc;

const CHUNK: usize = 1024;

/// Items by index, in shared chunks of 1,024.
#[derive(Clone, Debug)]
pub struct Slab<T> {
    chunks: Vec<Arc<Vec<T>>>,
}

impl<T> Default for Slab<T> {
    fn default() -> Self {
        Self { chunks: Vec::new() }
    }
}

impl<T: Clone> Slab<T> {
    /// The item at `index`.
    #[must_use]
    pub fn get(&self, index: u32) -> Option<&T> {
        let index = index as usize;
        self.chunks.get(index / CHUNK)?.get(index % CHUNK)
    }

    /// The item at `index`, its chunk copied when other generations hold it too.
    pub fn get_mut(&mut self, index: u32) -> Option<&mut T> {
        let index = index as usize;
        Arc::make_mut(self.chunks.get_mut(index / CHUNK)?).get_mut(index % CHUNK)
    }

    /// Appends and tells the index.
    pub fn push(&mut self, item: T) -> u32 {
        if self.chunks.last().is_none_or(|chunk| chunk.len() == CHUNK) {
            self.chunks.push(Arc::new(Vec::with_capacity(CHUNK)));
        }
        let chunk = self.chunks.len() - 1;
        let last = Arc::make_mut(&mut self.chunks[chunk]);
        last.push(item);
        u32::try_from(chunk * CHUNK + last.len() - 1).expect("fewer than 2^32 rows")
    }
}

#[cfg(test)]
mod tests {
    use super::Slab;

    #[test]
    fn a_copy_is_untouched_by_a_change() {
        let mut slab = Slab::default();
        let indices: Vec<u32> = (0..3000).map(|item| slab.push(item)).collect();
        let before = slab.clone();
        *slab.get_mut(indices[2047]).expect("there") = -1;
        assert_eq!((before.get(2047), slab.get(2047)), (Some(&2047), Some(&-1)));
        assert_eq!(slab.get(3000), None);
    }
}
