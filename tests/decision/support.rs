//! Seeded noise for the tests, and the screen of a whole sequence.

use autoresearch::flow::decision::{Params, Screen, ScreenStep};

/// SplitMix64 (Steele, Lea, Flood 2014): small, seeded, the same everywhere.
pub struct Rng(u64);

impl Rng {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Uniform in the open interval from 0 to 1.
    pub fn uniform(&mut self) -> f64 {
        ((self.bits() >> 11) as f64 + 0.5) / (1u64 << 53) as f64
    }

    pub fn below(&mut self, n: usize) -> usize {
        (self.uniform() * n as f64) as usize
    }

    pub fn coin(&mut self) -> f64 {
        if self.bits() >> 63 == 0 { 1.0 } else { -1.0 }
    }

    /// Standard normal (Box and Muller).
    pub fn normal(&mut self) -> f64 {
        let radius = (-2.0 * self.uniform().ln()).sqrt();
        radius * (std::f64::consts::TAU * self.uniform()).cos()
    }

    /// Student's t with `nu` degrees of freedom.
    pub fn student(&mut self, nu: u32) -> f64 {
        let chi2: f64 = (0..nu).map(|_| self.normal().powi(2)).sum();
        self.normal() / (chi2 / f64::from(nu)).sqrt()
    }

    pub fn cauchy(&mut self) -> f64 {
        (std::f64::consts::PI * (self.uniform() - 0.5)).tan()
    }
}

/// Screens pairs from `next` until the screen decides; returns its outcome and
/// the pairs.
pub fn screen(params: &Params, s0: f64, mut next: impl FnMut() -> f64) -> (ScreenStep, Vec<f64>) {
    let mut screen = Screen::new(params, s0);
    let mut pairs = Vec::new();
    while screen.step() == ScreenStep::More {
        pairs.push(next());
        screen.push(pairs[pairs.len() - 1]);
    }
    (screen.step(), pairs)
}

/// Every sequence of `n` signs.
pub fn sign_patterns(n: usize) -> impl Iterator<Item = Vec<f64>> {
    (0u32..1 << n).map(move |bits| {
        (0..n)
            .map(|i| if bits >> i & 1 == 0 { 1.0 } else { -1.0 })
            .collect()
    })
}

/// `|a - b|` at most `tolerance` times the larger magnitude, or 1e-12.
pub fn close(a: f64, b: f64, tolerance: f64) -> bool {
    (a - b).abs() <= (tolerance * a.abs().max(b.abs())).max(1e-12)
}
