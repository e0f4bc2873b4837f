//! The engine's generator: the only randomness below the line, so that one seed is one world.

/// A ChaCha20 key stream (RFC 7539 2.3): unguessable where the seed is, and replayable.
#[derive(Clone)]
pub struct Generator {
    state: [u32; 16],
    block: [u32; 16],
    used: usize,
}

impl Generator {
    /// A stream of its own for every seed.
    #[must_use]
    pub fn new(seed: [u8; 32]) -> Self {
        let mut state = [0; 16];
        state[..4].copy_from_slice(&[0x6170_7865, 0x3320_646e, 0x7962_2d32, 0x6b20_6574]);
        for (word, bytes) in state[4..12].iter_mut().zip(seed.chunks_exact(4)) {
            *word = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
        }
        Self { state, block: [0; 16], used: 16 }
    }

    /// The next 32 bits.
    pub fn next_u32(&mut self) -> u32 {
        if self.used == 16 {
            self.refill();
        }
        self.used += 1;
        self.block[self.used - 1]
    }

    /// The next 64 bits.
    pub fn next_u64(&mut self) -> u64 {
        u64::from(self.next_u32()) << 32 | u64::from(self.next_u32())
    }

    /// The next 128 bits.
    pub fn next_u128(&mut self) -> u128 {
        u128::from(self.next_u64()) << 64 | u128::from(self.next_u64())
    }

    fn refill(&mut self) {
        let mut x = self.state;
        for _ in 0..10 {
            for [a, b, c, d] in [[0, 4, 8, 12], [1, 5, 9, 13], [2, 6, 10, 14], [3, 7, 11, 15]] {
                quarter_round(&mut x, a, b, c, d);
            }
            for [a, b, c, d] in [[0, 5, 10, 15], [1, 6, 11, 12], [2, 7, 8, 13], [3, 4, 9, 14]] {
                quarter_round(&mut x, a, b, c, d);
            }
        }
        for (out, (mixed, before)) in self.block.iter_mut().zip(x.iter().zip(self.state)) {
            *out = mixed.wrapping_add(before);
        }
        let (low, carry) = self.state[12].overflowing_add(1);
        self.state[12] = low;
        self.state[13] = self.state[13].wrapping_add(u32::from(carry));
        self.used = 0;
    }
}

impl std::fmt::Debug for Generator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Generator(…)")
    }
}

fn quarter_round(x: &mut [u32; 16], a: usize, b: usize, c: usize, d: usize) {
    x[a] = x[a].wrapping_add(x[b]);
    x[d] = (x[d] ^ x[a]).rotate_left(16);
    x[c] = x[c].wrapping_add(x[d]);
    x[b] = (x[b] ^ x[c]).rotate_left(12);
    x[a] = x[a].wrapping_add(x[b]);
    x[d] = (x[d] ^ x[a]).rotate_left(8);
    x[c] = x[c].wrapping_add(x[d]);
    x[b] = (x[b] ^ x[c]).rotate_left(7);
}

#[cfg(test)]
mod tests {
    use super::Generator;

    #[test]
    fn the_key_stream_is_chacha20s() {
        // The all-zero key, nonce and counter: RFC 8439 A.1, test vector 1.
        let mut zero = Generator::new([0; 32]);
        assert_eq!(zero.next_u32().to_le_bytes(), [0x76, 0xb8, 0xe0, 0xad]);
        assert_eq!(zero.next_u32().to_le_bytes(), [0xa0, 0xf1, 0x3d, 0x90]);
        for _ in 2..16 {
            zero.next_u32();
        }
        // Test vector 2: the next block.
        assert_eq!(zero.next_u32().to_le_bytes(), [0x9f, 0x07, 0xe7, 0xbe]);
    }

    #[test]
    fn one_seed_is_one_stream() {
        let (mut one, mut same, mut other) =
            (Generator::new([7; 32]), Generator::new([7; 32]), Generator::new([8; 32]));
        let first = one.next_u128();
        assert_eq!(first, same.next_u128());
        assert_ne!(first, other.next_u128());
    }
}
