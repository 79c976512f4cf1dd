//! Ledgers of any length whose verdicts follow from their pairs: every candidate goes through the
//! program's own state machine with made-up measurements.

use std::collections::BTreeMap;
use std::io::{self, Write};

use autoresearch::driver::judge::no_gate;
use autoresearch::driver::record::{Outcome, run_line};
use autoresearch::flow::config::Config;
use autoresearch::flow::decision::{AaPair, Calibration, Direction};
use autoresearch::flow::proposal::{Change, Proposal};
use autoresearch::flow::record::{
    CalibrationLine, CalibrationTag, ClaimLine, ClaimTag, ConfigLine, ConfigTag, Durations,
    Environment, FORMAT_VERSION, Gain, GateOutcome, Line, Origin, Pair, Phase, Reason,
};
use autoresearch::flow::session::SessionState;
use autoresearch::flow::trial::{GateVerdict, Need, Trial};

/// Guards of the session, with the noise of a run in log units.
const GUARDS: [(&str, f64, f64); 2] = [
    ("driver.wall_ms", 1300.0, 0.012),
    ("driver.peak_rss_kib", 48_000.0, 0.002),
];
/// What the driver records beside the guards.
const OTHERS: [(&str, f64, f64); 5] = [
    ("driver.cpu_ms", 1210.0, 0.01),
    ("driver.user_ms", 1020.0, 0.012),
    ("driver.sys_ms", 190.0, 0.06),
    ("driver.minor_faults", 12_345.0, 0.01),
    ("driver.ctx_involuntary", 410.0, 0.2),
];
const METRIC: &str = "total_ms";
const START_MS: u64 = 1_795_239_360_000;

/// A small generator: the numbers only have to look like measurements.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// From 0 to 1.
    fn uniform(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Nearly normal, with mean 0 and standard deviation 1.
    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.uniform()).sum::<f64>() - 6.0
    }

    fn id(&mut self) -> String {
        format!(
            "{:016x}{:016x}{:08x}",
            self.next(),
            self.next(),
            self.next() >> 32
        )
    }
}

/// A session under construction.
pub struct LedgerOf {
    numbers: Numbers,
    state: SessionState,
    /// Milliseconds since 1970.
    now: u64,
    run: u64,
}

impl LedgerOf {
    /// The session's start and the lines that open it.
    pub fn open() -> (Self, Vec<Line>) {
        let config = r#"{"name": "store", "metric": {"name": "total_ms", "unit": "ms"},
            "guards": [{"name": "driver.peak_rss_kib", "unit": "KiB", "tolerance_percent": 3}]}"#;
        let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
        let opened = ConfigLine {
            kind: ConfigTag::Config,
            name: "store".to_owned(),
            metric_name: METRIC.to_owned(),
            metric_unit: "ms".to_owned(),
            best_direction: Direction::Lower,
            format: FORMAT_VERSION,
            session: "20261121-053600-a1b2".to_owned(),
            timestamp: START_MS,
            start: numbers.id(),
            branch: "autoresearch/store".to_owned(),
            fingerprint: "f".repeat(64),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            config: Config::parse(config, "generated").expect("the config is valid"),
            environment: environment(),
        };
        let state = SessionState::new(opened.clone(), 0);
        let mut ledger = Self {
            numbers,
            state,
            now: START_MS,
            run: 0,
        };
        let calibration = ledger.calibration();
        ledger
            .state
            .calibrated(&calibration)
            .expect("the calibration is possible");
        let lines = vec![
            Line::Config(Box::new(opened)),
            Line::Calibration(Box::new(calibration)),
        ];
        (ledger, lines)
    }

    fn side(&mut self, level: f64) -> BTreeMap<String, f64> {
        let rounded = |value: f64| (value * 1000.0).round() / 1000.0;
        let mut metrics = BTreeMap::from([(
            METRIC.to_owned(),
            rounded(1250.0 * level * (0.01 * self.numbers.normal()).exp()),
        )]);
        for (name, value, noise) in GUARDS.into_iter().chain(OTHERS) {
            let noisy = value * (noise * self.numbers.normal()).exp();
            metrics.insert(name.to_owned(), rounded(noisy));
        }
        metrics
    }

    fn pair(&mut self, phase: Phase, slot: u8, candidate_first: bool, gain: f64) -> Pair {
        let level = (-self
            .state
            .kept
            .iter()
            .filter_map(|kept| Some(kept.estimate?.log))
            .sum::<f64>())
        .exp();
        self.now += 2_700;
        Pair {
            phase,
            slot,
            candidate_first,
            parent: self.side(level),
            candidate: self.side(level * (-gain).exp()),
            digests: None,
            hold_out: None,
        }
    }

    fn calibration(&mut self) -> CalibrationLine {
        let pairs: Vec<Pair> = (0..20)
            .map(|index| self.pair(Phase::Calibrate, 1, index % 2 == 0, 0.0))
            .collect();
        let params = self.state.params();
        let of = |name: &str| {
            let pairs: Vec<AaPair> = pairs
                .iter()
                .map(|pair| AaPair {
                    slot0: pair.parent[name],
                    slot1: pair.candidate[name],
                    slot0_first: !pair.candidate_first,
                })
                .collect();
            Calibration::from_pairs(&pairs, &params).expect("the values are possible")
        };
        CalibrationLine {
            kind: CalibrationTag::Calibration,
            format: FORMAT_VERSION,
            session: self.state.opened.session.clone(),
            timestamp: self.now,
            commit: self.state.opened.start.clone(),
            seed: 1,
            repeats: 1,
            run_wall_ms: 1300.0,
            primary: of(METRIC),
            guards: GUARDS.map(|(name, ..)| (name.to_owned(), of(name))).into(),
            load: 0.42,
            environment: environment(),
            pairs,
        }
    }

    /// The next candidate, judged.
    pub fn candidate(&mut self) -> Line {
        self.run += 1;
        let kind = self.numbers.uniform();
        let outcome = match kind {
            k if k < 0.04 => ended(Reason::BuildFailed, "error[E0308]: mismatched types"),
            k if k < 0.06 => ended(Reason::Drift, "Cargo.lock is protected"),
            _ => self.judged(),
        };
        let proposal = self.proposal();
        let measured = outcome.result.pairs.len() as f64;
        let durations = Durations {
            propose_s: 0.2 + 30.0 * self.numbers.uniform(),
            build_s: 9.5,
            measure_s: measured * 2.7,
            gate_s: outcome.gate.duration_s,
            total_s: 41.0 + measured * 2.7 + outcome.gate.duration_s,
        };
        self.now += 41_000;
        let mut line = run_line(&self.state, self.run, &proposal, outcome, durations, 0.37);
        line.timestamp = self.now;
        self.state.ran(&line).expect("the pairs are possible");
        Line::Run(Box::new(line))
    }

    fn judged(&mut self) -> Outcome {
        // One candidate in eight is better, by up to 4 %; at some thousand runs there is nothing left.
        let gain = match self.numbers.next() % 24 {
            0..3 if self.state.kept.len() < 40 => 0.04 * self.numbers.uniform(),
            3..12 => -0.03 * self.numbers.uniform(),
            _ => 0.0,
        };
        let seed = self.numbers.next() >> 11;
        let setup = self.state.trial_setup().expect("the session is calibrated");
        let mut trial = Trial::new(setup, seed);
        let mut outcome = ended(Reason::NoGain, "");
        loop {
            match trial.next_need() {
                Need::Done => break,
                Need::SwapSlots => trial.swapped(),
                Need::Gate => {
                    let fails = self.numbers.next().is_multiple_of(12);
                    outcome.gate.duration_s = 18.25;
                    outcome.gate.outcome = if fails {
                        GateOutcome::Fail
                    } else {
                        GateOutcome::Pass
                    };
                    if fails {
                        outcome.gate.output_tail = GATE_OUTPUT.to_owned();
                    }
                    trial.gate(if fails {
                        GateVerdict::Fail
                    } else {
                        GateVerdict::Pass
                    });
                }
                Need::Pair(plan) => {
                    let pair = self.pair(plan.phase, plan.slot, plan.candidate_first, gain);
                    trial.pair(pair).expect("the values are possible");
                }
            }
        }
        outcome.result = trial.finish();
        let id = self.numbers.id();
        outcome.candidate = Some(git2::Oid::from_str(&id).expect("forty hexadecimal digits"));
        outcome.tree = outcome.candidate;
        outcome.seed = seed;
        outcome
    }

    fn proposal(&mut self) -> Proposal {
        let knob = self.numbers.next() % 64 * 4;
        let (proposer, idea, description) = match self.numbers.next() % 3 {
            0 => (
                "ideas",
                Some(format!("idea-{}", self.run % 17)),
                IDEAS[self.run as usize % IDEAS.len()].to_owned(),
            ),
            1 => ("tune", None, format!("WRITE_BUFFER_KIB = {knob}")),
            _ => (
                "agent",
                None,
                format!(
                    "{} (attempt {})",
                    IDEAS[(self.run as usize + 3) % IDEAS.len()],
                    self.run
                ),
            ),
        };
        let notes = serde_json::json!({
            "hypothesis": "the profile shows 18 % of the time in the allocator below `commit`; one buffer per writer would avoid it",
            "next_action_hint": "look at the index's lookups",
        });
        Proposal {
            description,
            origin: Origin {
                proposer: proposer.to_owned(),
                idea,
                knobs: match proposer {
                    "tune" => BTreeMap::from([("WRITE_BUFFER_KIB".to_owned(), knob.to_string())]),
                    _ => BTreeMap::new(),
                },
            },
            change: Change::Agent,
            asi: (proposer == "agent")
                .then(|| notes.as_object().cloned())
                .flatten(),
        }
    }

    /// The claim that ends the session.
    pub fn claim(&mut self) -> Line {
        let log: f64 = self
            .state
            .kept
            .iter()
            .filter_map(|kept| Some(kept.estimate?.log))
            .sum();
        let gain = |log: f64| Gain {
            log,
            lo: Some(log - 0.006),
            hi: Some(log + 0.006),
            percent: -(-log).exp_m1() * 100.0,
            pairs: 24,
        };
        let pairs = (0..24_u8)
            .map(|index| self.pair(Phase::EndToEnd, index % 2, index % 3 == 0, log))
            .collect();
        Line::Claim(Box::new(ClaimLine {
            kind: ClaimTag::Claim,
            format: FORMAT_VERSION,
            session: self.state.opened.session.clone(),
            timestamp: START_MS,
            start: self.state.opened.start.clone(),
            head: self.state.head().to_owned(),
            kept: u32::try_from(self.state.kept.len()).expect("few are kept"),
            estimate: gain(log * 0.97),
            wall: None,
            wall_adj: None,
            sum_of_steps_log: log,
            steps_do_not_add_up: false,
            seed: 3,
            pairs,
        }))
    }
}

const IDEAS: [&str; 7] = [
    "Batch the writes of one commit",
    "Preallocate the write buffer from the size of the last commit",
    "Intern the keys of the index",
    "Replace the hash map by a sorted vector below 32 entries",
    "Avoid a copy of each value when it is decoded",
    "Compute the checksum while the bytes are copied",
    "Keep the descriptor of the last segment open",
];

const GATE_OUTPUT: &str = "test recovery::a_torn_batch_is_dropped ... FAILED\n\
    thread 'main' panicked at tests/recovery.rs:88:5:\nassertion `left == right` failed\n  left: 12\n right: 11\n\
    test result: FAILED. 211 passed; 1 failed";

fn ended(reason: Reason, detail: &str) -> Outcome {
    let mut outcome = Outcome::unmeasured(reason, detail);
    outcome.gate = no_gate();
    outcome
}

fn environment() -> Environment {
    Environment {
        cpu: "Example CPU @ 2.0 GHz".to_owned(),
        cores: 8,
        memory_mib: 31_950,
        kernel: "Linux 6.1.0".to_owned(),
        os: "Debian GNU/Linux 12".to_owned(),
        rustc: "rustc 1.89.0".to_owned(),
        flags: BTreeMap::from([("RUSTFLAGS".to_owned(), "-C target-cpu=native".to_owned())]),
    }
}

/// Candidates that are made anew; those after them repeat them under other numbers, because a
/// session's state grows with its candidates.
const FRESH: u64 = 2_000;

/// Writes a ledger with so many candidates.
///
/// # Errors
/// Those of `out`.
pub fn write(runs: u64, out: &mut impl Write) -> io::Result<()> {
    let (mut ledger, lines) = LedgerOf::open();
    for line in lines {
        writeln!(out, "{}", line.encode())?;
    }
    let mut fresh = Vec::new();
    for _ in 0..runs.min(FRESH) {
        let line = ledger.candidate();
        writeln!(out, "{}", line.encode())?;
        fresh.push(line);
    }
    for run in FRESH + 1..=runs {
        let line = &mut fresh[((run - 1) % FRESH) as usize];
        if let Line::Run(line) = line {
            line.run = run;
        }
        writeln!(out, "{}", line.encode())?;
    }
    writeln!(out, "{}", ledger.claim().encode())
}
