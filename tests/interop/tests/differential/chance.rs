//! Numbers that look drawn by lot and are the same in every run (SplitMix64).

pub struct Chance(u64);

impl Chance {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// From 0 to one below.
    pub fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.number() % u64::try_from(end.max(1)).unwrap()).unwrap()
    }

    pub fn word(&mut self, of: &[&'static str]) -> &'static str {
        of[self.below(of.len())]
    }

    pub fn one_in(&mut self, many: usize) -> bool {
        self.below(many) == 0
    }

    pub fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }

    /// Just before, at, or just after.
    pub fn around(&mut self, edge: u64) -> u64 {
        *self.pick(&[edge.saturating_sub(1), edge, edge.saturating_add(1)])
    }

    /// The same around one of several edges.
    pub fn around_one(&mut self, edges: &[u64]) -> u64 {
        let edge = *self.pick(edges);
        self.around(edge)
    }

    /// Applies one entry of a table that finds something to change, and notes its name.
    pub fn apply<T>(&mut self, table: &[(&'static str, Change<T>)], to: &mut T, noted: &mut Vec<&'static str>) {
        // Most entries apply to most things.
        for _ in 0..20 {
            let (name, change) = self.pick(table);
            if change(self, to).is_some() {
                noted.push(name);
                return;
            }
        }
    }
}

/// A mutation: `None` where there is nothing for it to change.
pub type Change<T> = fn(&mut Chance, &mut T) -> Option<()>;
