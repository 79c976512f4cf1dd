//! Ledger lines for tests.

use std::collections::BTreeMap;

use crate::flow::config::Config;
use crate::flow::decision::{Calibration, Direction};
use crate::flow::record::{
    CalibrationLine, CalibrationTag, ClaimLine, ClaimTag, ConfigLine, ConfigTag, Durations,
    Environment, FORMAT_VERSION, Gain, GateOutcome, GateResult, GuardOutcome, GuardResult, Line,
    Origin, Pair, Phase, Reason, RunLine, RunTag,
};

/// The session of every sample.
pub(crate) const SESSION: &str = "20261121-053600-a1b2";

/// A 40-character id that begins with `prefix`.
pub(crate) fn id(prefix: &str) -> String {
    format!("{prefix:0<40}")
}

pub(crate) fn config_line() -> ConfigLine {
    let config = r#"{"metric": {"name": "total_ms", "unit": "ms"},
        "guards": [{"name": "rss_kib", "unit": "KiB"}], "false_keeps_per_200": 2.0}"#;
    ConfigLine {
        kind: ConfigTag::Config,
        name: "store".to_owned(),
        metric_name: "total_ms".to_owned(),
        metric_unit: "ms".to_owned(),
        best_direction: Direction::Lower,
        format: FORMAT_VERSION,
        session: SESSION.to_owned(),
        timestamp: 1_795_239_360_000,
        start: id("57a27"),
        branch: "autoresearch/store".to_owned(),
        fingerprint: "f".repeat(64),
        version: "0.1.0".to_owned(),
        config: Config::parse(config, "sample").expect("the sample config is valid"),
        environment: Environment {
            cpu: "Example CPU @ 2.0 GHz".to_owned(),
            cores: 2,
            memory_mib: 7950,
            kernel: "Linux 6.1".to_owned(),
            os: "Debian 12".to_owned(),
            rustc: "rustc 1.89.0".to_owned(),
            flags: BTreeMap::from([("RUSTFLAGS".to_owned(), "-C target-cpu=native".to_owned())]),
        },
    }
}

pub(crate) fn pair(phase: Phase, parent: f64, candidate: f64) -> Pair {
    let metrics = |value: f64| {
        BTreeMap::from([
            ("total_ms".to_owned(), value),
            ("rss_kib".to_owned(), 2048.0),
        ])
    };
    Pair {
        phase,
        slot: 1,
        candidate_first: true,
        parent: metrics(parent),
        candidate: metrics(candidate),
        digests: None,
        hold_out: None,
    }
}

/// A kept candidate that takes 90 ms where its parent takes 100 ms.
pub(crate) fn kept(run: u64) -> RunLine {
    let confirm = [90.0, 89.0, 91.0, 90.0, 92.0, 88.0].map(|ms| pair(Phase::Confirm, 100.0, ms));
    let screen = [90.0, 93.0].map(|ms| pair(Phase::Screen, 100.0, ms));
    RunLine {
        kind: RunTag::Run,
        run,
        commit: "c0ffee1".to_owned(),
        metric: 90.0,
        metrics: BTreeMap::from([("rss_kib".to_owned(), 2048.0)]),
        status: Reason::Improved.status(),
        description: "Batch the writes of one commit".to_owned(),
        hypothesis: String::new(),
        timestamp: 1_795_239_420_000,
        segment: 0,
        confidence: Some(2.5),
        asi: None,
        format: FORMAT_VERSION,
        session: SESSION.to_owned(),
        parent: id("57a27"),
        candidate: Some(id("c0ffee1")),
        tree: Some(id("7ee")),
        reference: Some(format!("refs/autoresearch/{SESSION}/{run}")),
        reason: Reason::Improved,
        detail: String::new(),
        incumbent: Some(100.0),
        estimate: Some(gain(-(0.9_f64.ln()), 0.012)),
        ln_e: Some(5.5),
        scale: Some(0.02),
        pairs: screen.into_iter().chain(confirm).collect(),
        guards: vec![GuardResult {
            name: "rss_kib".to_owned(),
            outcome: GuardOutcome::Pass,
            tolerance_log: 0.05,
            pairs: 6,
            median_percent: -0.4,
            scale: 0.003,
        }],
        self_report: None,
        gate: GateResult {
            outcome: GateOutcome::Pass,
            duration_s: 12.25,
            output_tail: String::new(),
        },
        durations: Durations {
            propose_s: 0.05,
            build_s: 8.5,
            measure_s: 31.0,
            gate_s: 12.25,
            total_s: 51.9,
        },
        origin: Origin {
            proposer: "ideas".to_owned(),
            idea: Some("batch-writes".to_owned()),
            knobs: BTreeMap::new(),
        },
        seed: 42,
        load: 0.5,
    }
}

/// A gain of a lower-is-better metric.
pub(crate) fn gain(log: f64, half_width: f64) -> Gain {
    Gain {
        log,
        lo: Some(log - half_width),
        hi: Some(log + half_width),
        percent: -(-log).exp_m1() * 100.0,
        pairs: 6,
    }
}

/// The same candidate with another end; not measured when it crashed.
pub(crate) fn ended(run: u64, reason: Reason, detail: &str) -> RunLine {
    let mut line = kept(run);
    line.reason = reason;
    line.status = reason.status();
    line.detail = detail.to_owned();
    line.confidence = None;
    line.estimate = Some(gain(0.002, 0.011));
    line.metric = 99.8;
    line.pairs.truncate(2);
    line.gate.outcome = GateOutcome::NotRun;
    line.gate.duration_s = 0.0;
    if line.status == crate::flow::record::Status::Crash {
        line.metric = 0.0;
        line.incumbent = None;
        line.estimate = None;
        line.metrics.clear();
        line.guards.clear();
        line.pairs.clear();
        line.ln_e = None;
    }
    line
}

/// A calibration of this primary metric.
pub(crate) fn calibration(primary: Calibration, pairs: Vec<Pair>) -> CalibrationLine {
    CalibrationLine {
        kind: CalibrationTag::Calibration,
        format: FORMAT_VERSION,
        session: SESSION.to_owned(),
        timestamp: 1_795_239_400_000,
        commit: id("57a27"),
        seed: 3,
        repeats: 1,
        run_wall_ms: 250.0,
        primary,
        guards: BTreeMap::new(),
        load: 0.5,
        environment: config_line().environment,
        pairs,
    }
}

/// The end-to-end claim of `kept` commits.
pub(crate) fn claim(log: f64, half_width: f64, head: &str) -> ClaimLine {
    ClaimLine {
        kind: ClaimTag::Claim,
        format: FORMAT_VERSION,
        session: SESSION.to_owned(),
        timestamp: 1_795_239_900_000,
        start: id("57a27"),
        head: head.to_owned(),
        kept: 1,
        estimate: Gain {
            pairs: 24,
            ..gain(log, half_width)
        },
        wall: Some(gain(log, half_width * 3.0)),
        wall_adj: None,
        sum_of_steps_log: 0.105,
        steps_do_not_add_up: false,
        seed: 7,
        pairs: vec![pair(Phase::EndToEnd, 100.0, 90.0)],
    }
}

pub(crate) fn config() -> String {
    Line::Config(Box::new(config_line())).encode()
}

pub(crate) fn run(line: RunLine) -> String {
    Line::Run(Box::new(line)).encode()
}

/// Every reason.
pub(crate) const REASONS: [Reason; 22] = [
    Reason::Improved,
    Reason::NoChange,
    Reason::Repeat,
    Reason::NotApplicable,
    Reason::NoGain,
    Reason::Inconclusive,
    Reason::NotConfirmed,
    Reason::GuardFailed,
    Reason::GuardUndecided,
    Reason::NotExact,
    Reason::SelfReport,
    Reason::PlaceboPassed,
    Reason::BuildFailed,
    Reason::RunFailed,
    Reason::Timeout,
    Reason::BadMetric,
    Reason::ProposeFailed,
    Reason::Drift,
    Reason::Tampered,
    Reason::DigestDiffers,
    Reason::GateFailed,
    Reason::GateFlaky,
];
