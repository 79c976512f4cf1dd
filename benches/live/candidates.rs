//! Candidates with a known truth.

/// What a candidate truly does.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Truth {
    /// Changes the binary and not its work.
    NoOp,
    /// Multiplies the work by this factor.
    Factor(f64),
    /// Cannot be kept, whatever it measures.
    Broken(Break),
}

/// How a candidate is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Break {
    /// It does not compile.
    Build,
    /// It exits with an error.
    Run,
    /// It prints no metric.
    Metric,
    /// It is much faster and gives the wrong answer.
    Answer,
}

/// One candidate: its number is that of the file it changes.
#[derive(Debug, Clone, Copy)]
pub struct Candidate {
    /// From 0.
    pub number: usize,
    /// What it does.
    pub truth: Truth,
}

impl Candidate {
    /// Its entry in the backlog.
    pub fn id(&self) -> String {
        format!("c{:02}", self.number)
    }

    /// The candidate's file; every candidate has one of its own, so that patches never conflict.
    pub fn source(&self) -> String {
        let file = |factor: f64, text: &str| {
            format!("pub const FACTOR: f64 = {factor:?};\npub const TEXT: &str = \"{text}\";\n")
        };
        match self.truth {
            Truth::NoOp => file(1.0, "another text, which changes the binary"),
            Truth::Factor(factor) => file(factor, "plain"),
            Truth::Broken(Break::Build) => "this is no Rust\n".to_owned(),
            Truth::Broken(Break::Run) => file(0.5, "exit"),
            Truth::Broken(Break::Metric) => file(0.5, "silent"),
            Truth::Broken(Break::Answer) => file(0.5, "wrong"),
        }
    }

    /// The file before the candidate.
    pub fn original() -> &'static str {
        "pub const FACTOR: f64 = 1.0;\npub const TEXT: &str = \"plain\";\n"
    }
}

/// 46 candidates in an order that the seed decides: 26 no-ops, eight true gains of 3 to 10 %, eight
/// losses, and four that are broken.
pub fn candidates(seed: u64) -> Vec<Candidate> {
    let gains = [0.97, 0.97, 0.96, 0.95, 0.95, 0.94, 0.92, 0.90];
    let losses = [1.01, 1.02, 1.03, 1.03, 1.05, 1.05, 1.08, 1.10];
    let broken = [Break::Build, Break::Run, Break::Metric, Break::Answer];
    let mut truths: Vec<Truth> = std::iter::repeat_n(Truth::NoOp, 26)
        .chain(gains.into_iter().chain(losses).map(Truth::Factor))
        .chain(broken.into_iter().map(Truth::Broken))
        .collect();
    // Fisher and Yates; the generator is SplitMix64 (Steele, Lea, Flood 2014).
    let mut state = seed;
    let mut next = move || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    };
    for last in (1..truths.len()).rev() {
        let other = (next() % (last as u64 + 1)) as usize;
        truths.swap(last, other);
    }
    truths
        .into_iter()
        .enumerate()
        .map(|(number, truth)| Candidate { number, truth })
        .collect()
}
