//! Chance that can be repeated: SplitMix64 with a fondness for extremes.

pub struct Chance(u64);

impl Chance {
    pub fn seeded(seed: u64) -> Self {
        Self(seed ^ 0x6a09_e667_f3bc_c909)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    /// 0 to `most`, both included; each end a quarter of the time.
    pub fn up_to(&mut self, most: u64) -> u64 {
        match self.next() % 4 {
            0 => 0,
            1 => most,
            _ => self.even(most),
        }
    }

    /// 0 to `most`, all alike.
    pub fn even(&mut self, most: u64) -> u64 {
        self.next() % (most + 1)
    }

    /// `low` to `high`, both included.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.up_to(high.saturating_sub(low))
    }

    pub fn one_in(&mut self, count: u64) -> bool {
        self.even(count - 1) == 0
    }
}
