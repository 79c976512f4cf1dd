//! A session is a fold over its ledger lines: there is no other state file.

use std::collections::{BTreeMap, BTreeSet};

use super::config::Config;
use super::config_parts::DRIVER_WALL;
use super::decision::exact::ExactRule;
use super::decision::{Calibration, DecisionError, NoiseHistory, Params};
use super::driver_metrics;
use super::entry::Read;
use super::limits::cost_usd;
use super::measure::Judged;
use super::proposal::Tried;
use super::record::{
    AblationLine, CalibrationLine, ClaimLine, ConfigLine, Gain, Phase, Reason, RunLine, Status,
};
use super::self_report;
use super::trial::TrialSetup;
use super::trial_guards::{GuardSetup, guard_setup};

/// One kept commit.
#[derive(Debug, Clone, PartialEq)]
pub struct Kept {
    /// The run that kept it.
    pub run: u64,
    /// Full id.
    pub commit: String,
    /// Its estimate.
    pub estimate: Option<Gain>,
    /// Subject line.
    pub description: String,
    /// Who proposed it.
    pub proposer: String,
}

/// One move of the branch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Move {
    /// Where it went, full id.
    pub commit: String,
    /// The ref that names the commit once the move is complete.
    pub reference: String,
    /// The reflog's line.
    pub log: String,
}

/// Everything known of the last session of a ledger.
#[derive(Debug, Clone)]
pub struct SessionState {
    /// The line that opened it.
    pub opened: ConfigLine,
    /// Its index in the file.
    pub segment: u32,
    /// The primary metric of the start, as calibrated first.
    pub baseline: Option<f64>,
    /// The latest calibration.
    pub calibration: Option<CalibrationLine>,
    /// The candidates judged, in order.
    pub tried: Vec<Tried>,
    /// Verdict of each tree judged.
    pub trees: BTreeMap<String, u64>,
    /// Kept commits that are still in the head, oldest first.
    pub kept: Vec<Kept>,
    /// Where the branch went, oldest first: a keep or a drop each.
    pub moves: Vec<Move>,
    /// The latest end-to-end measurement.
    pub claim: Option<ClaimLine>,
    /// When the last line was written, milliseconds since 1970.
    pub last_timestamp: u64,
    /// Primary metric of each run that has one, with its status.
    pub metrics: Vec<(f64, Status)>,
    /// Candidates so far, placebos among them.
    pub candidates: u32,
    /// US dollars that agents reported.
    pub cost_usd: f64,
    /// Candidates that reached the screening: the tests that can be false keeps.
    pub tests: u32,
    /// Whether a metric taken for exact has differed from itself: it is noisy from then on.
    is_demoted: bool,
    /// Whether a keep or drop of it was lost with damaged lines.
    pub is_incomplete: bool,
    noise: Noise,
}

/// The noise histories of a session.
#[derive(Debug, Clone, Default)]
struct Noise {
    primary: Option<NoiseHistory>,
    guards: BTreeMap<String, NoiseHistory>,
}

/// A ledger's past as far as a new run needs it.
#[derive(Debug, Clone, Default)]
pub struct Past {
    /// The last session, when there is one.
    pub session: Option<SessionState>,
    /// Number of the next run.
    pub next_run: u64,
    /// Segment index that a new session gets.
    pub next_segment: u32,
    /// Branches that earlier sessions used.
    pub branches: BTreeSet<String>,
    /// Whether lines of the last session were damaged and taken out.
    is_repaired: bool,
}

impl Past {
    /// The state before the first line.
    pub fn new() -> Self {
        Self {
            next_run: 1,
            ..Self::default()
        }
    }

    /// Takes the next thing read from the ledger.
    ///
    /// # Errors
    /// A recorded pair or calibration holds impossible values.
    pub fn apply(&mut self, read: &Read) -> Result<(), DecisionError> {
        match read {
            Read::Segment(segment) => {
                self.next_segment = segment.index + 1;
                self.is_repaired = false;
                // Runs of other programs are read and counted, and never continued.
                self.session = segment.session.as_ref().map(|opened| {
                    self.branches.insert(opened.branch.clone());
                    SessionState::new((**opened).clone(), segment.index)
                });
                Ok(())
            }
            Read::Calibration(line) => self.in_session(|session| session.calibrated(line)),
            Read::Run(entry) => {
                self.next_run = entry.run + 1;
                let is_repaired = self.is_repaired;
                match entry.line() {
                    Some(line) => self.in_session(|session| {
                        // A parent that no line made head: the keep or drop that did is lost.
                        session.is_incomplete |= is_repaired && line.parent != session.head();
                        session.ran(line)
                    }),
                    None => Ok(()),
                }
            }
            Read::Claim(line) => self.in_session(|session| {
                session.claim = Some((**line).clone());
                session.last_timestamp = line.timestamp;
                Ok(())
            }),
            Read::Ablation(line) => self.in_session(|session| {
                session.ablated(line);
                Ok(())
            }),
            Read::Repair(line) => {
                self.is_repaired = true;
                self.next_run = line.next_run;
                self.next_segment = line.next_segment;
                Ok(())
            }
            Read::Skipped | Read::Newer { .. } => Ok(()),
        }
    }

    fn in_session(
        &mut self,
        apply: impl FnOnce(&mut SessionState) -> Result<(), DecisionError>,
    ) -> Result<(), DecisionError> {
        match &mut self.session {
            Some(session) => apply(session),
            // The reader has refused such a file already.
            None => Ok(()),
        }
    }
}

impl SessionState {
    /// A session without runs.
    pub fn new(opened: ConfigLine, segment: u32) -> Self {
        Self {
            segment,
            baseline: None,
            calibration: None,
            tried: Vec::new(),
            trees: BTreeMap::new(),
            kept: Vec::new(),
            moves: Vec::new(),
            claim: None,
            last_timestamp: opened.timestamp,
            metrics: Vec::new(),
            candidates: 0,
            cost_usd: 0.0,
            tests: 0,
            is_demoted: false,
            is_incomplete: false,
            noise: Noise::default(),
            opened,
        }
    }

    /// The commit that the next candidate is judged against.
    pub fn head(&self) -> &str {
        self.moves
            .last()
            .map_or(self.opened.start.as_str(), |last| last.commit.as_str())
    }

    /// The incumbent's primary metric as last measured: of the last keep, else of the calibration.
    pub fn incumbent_value(&self) -> Option<f64> {
        let kept = self
            .metrics
            .iter()
            .rev()
            .find(|(_, status)| *status == Status::Keep);
        let calibrated = || self.calibration.as_ref().map(|line| line.primary.median);
        kept.map(|(value, _)| *value).or_else(calibrated)
    }

    /// The head before the last move: where the branch is when a kill came between the record and
    /// the move.
    pub fn previous_head(&self) -> &str {
        match self.moves.len() {
            0 | 1 => &self.opened.start,
            n => &self.moves[n - 2].commit,
        }
    }

    /// How an exact primary metric is judged; `None` while it is noisy.
    fn exact_rule(&self) -> Option<ExactRule> {
        // A mean of several values has no smallest unit.
        let is_noisy = self.is_demoted || self.opened.config.metric.is_composite();
        self.calibration
            .as_ref()?
            .primary
            .exact
            .filter(|_| !is_noisy)
    }

    /// The rule's parameters for a claim for the whole session.
    pub fn claim_params(&self) -> Params {
        match self.exact_rule() {
            Some(_) => self.params().for_exact(),
            None => self.params(),
        }
    }

    /// The rule's parameters.
    pub fn params(&self) -> Params {
        self.opened.config.params()
    }

    /// Takes a calibration: the noise histories start anew.
    ///
    /// # Errors
    /// It holds impossible values.
    pub fn calibrated(&mut self, line: &CalibrationLine) -> Result<(), DecisionError> {
        let params = self.params();
        let history =
            |calibration: &Calibration| NoiseHistory::from_calibration(&calibration.d, &params);
        self.noise.primary = Some(history(&line.primary)?);
        self.noise.guards = line
            .guards
            .iter()
            .map(|(name, calibration)| Ok((name.clone(), history(calibration)?)))
            .collect::<Result<_, DecisionError>>()?;
        self.last_timestamp = line.timestamp;
        self.baseline.get_or_insert(line.primary.median);
        self.calibration = Some(line.clone());
        Ok(())
    }

    /// Takes a judged candidate.
    ///
    /// # Errors
    /// Its pairs hold impossible values.
    pub fn ran(&mut self, line: &RunLine) -> Result<(), DecisionError> {
        self.absorb_noise(line)?;
        self.candidates += 1;
        self.cost_usd += cost_usd(line);
        self.last_timestamp = line.timestamp;
        self.is_demoted |= line.reason == Reason::NotExact;
        // Proposers are not told of placebos, and a tree that is judged as one stays unjudged.
        if line.is_placebo() {
            return Ok(());
        }
        self.tests += u32::from(line.pairs.iter().any(|pair| pair.phase == Phase::Screen));
        if line.metric > 0.0 {
            self.metrics.push((line.metric, line.status));
        }
        if let Some(tree) = line.tree.as_ref().filter(|_| line.reason.says_something()) {
            self.trees.entry(tree.clone()).or_insert(line.run);
        }
        if let (Status::Keep, Some(commit)) = (line.status, &line.candidate) {
            self.moves
                .extend(line.reference.as_ref().map(|reference| Move {
                    commit: commit.clone(),
                    reference: reference.clone(),
                    log: format!("autoresearch: keep run {}", line.run),
                }));
            self.kept.push(Kept {
                run: line.run,
                commit: commit.clone(),
                estimate: line.estimate,
                description: line.description.clone(),
                proposer: line.origin.proposer.clone(),
            });
        }
        self.tried.push(Tried {
            run: line.run,
            description: line.description.clone(),
            origin: line.origin.clone(),
            reason: line.reason,
            detail: line.detail.clone(),
            estimate: line.estimate,
        });
        Ok(())
    }

    /// Takes a kept commit that was left out; when it was dropped, the head is without it.
    pub fn ablated(&mut self, line: &AblationLine) {
        self.last_timestamp = line.timestamp;
        let (true, Some(commit), Some(reference)) = (line.dropped, &line.without, &line.reference)
        else {
            return;
        };
        self.kept.retain(|kept| kept.run != line.of);
        self.moves.push(Move {
            commit: commit.clone(),
            reference: reference.clone(),
            log: format!("autoresearch: drop run {}", line.of),
        });
    }

    /// The residuals of a screening are further samples of the noise. Exact metrics have none.
    fn absorb_noise(&mut self, line: &RunLine) -> Result<(), DecisionError> {
        let params = self.params();
        let screened = || line.pairs.iter().filter(|pair| pair.phase == Phase::Screen);
        let (primary, guards) = judged(&self.opened.config);
        if let Some(history) = &mut self.noise.primary {
            let gains = screened()
                .map(|pair| primary.gain(pair))
                .collect::<Result<Vec<_>, _>>()?;
            history.absorb(&gains, &params);
        }
        for (metric, _) in &guards {
            if let Some(history) = self.noise.guards.get_mut(&metric.name) {
                let gains = screened()
                    .map(|pair| metric.gain(pair))
                    .collect::<Result<Vec<_>, _>>()?;
                history.absorb(&gains, &params);
            }
        }
        Ok(())
    }

    /// What the next candidate is judged by; `None` before a calibration.
    pub fn trial_setup(&self) -> Option<TrialSetup> {
        let calibration = self.calibration.as_ref()?;
        let params = self.params();
        let (primary, guards) = judged(&self.opened.config);
        let scale = self.noise.primary.as_ref()?.s0(&params);
        // A setup without one of the guards would judge by less than the config says.
        let guards: Vec<GuardSetup> = guards
            .into_iter()
            .map(|(metric, tolerance)| {
                let own = calibration.guards.get(&metric.name)?;
                let scale = self.noise.guards.get(&metric.name)?.s0(&params);
                Some(guard_setup(metric, tolerance, own, scale))
            })
            .collect::<Option<_>>()?;
        let wall = self.noise.guards.get(DRIVER_WALL);
        let self_report = wall.and_then(|wall| {
            let (config, pairs) = (&self.opened.config, &calibration.pairs);
            self_report::setup(config, &params, pairs, wall.s0(&params))
        });
        Some(TrialSetup {
            params,
            primary,
            // A mean of several values has no smallest unit.
            exact: self.exact_rule(),
            scale,
            guards,
            self_report,
            hold_out: self.opened.config.hold_out_env.is_some(),
            builds_in_run: self.opened.config.build.is_none(),
            is_timed: self.opened.config.timeouts.candidate_s.is_some(),
        })
    }
}

/// The primary metric and the guards with their tolerances. The parts of a composite are guards. Wall
/// time is a guard of its own whenever it is not named already: a metric may not be bought with a
/// slower process.
pub fn judged(config: &Config) -> (Judged, Vec<(Judged, Option<f64>)>) {
    let primary = Judged {
        name: config.metric.name.clone(),
        direction: config.metric.direction,
        allow_zero: config.metric.allow_zero || driver_metrics::may_be_zero(&config.metric.name),
    };
    let mut guards: Vec<(Judged, Option<f64>)> = config
        .guards
        .iter()
        .map(|guard| {
            let metric = Judged {
                name: guard.name.clone(),
                direction: guard.direction,
                allow_zero: guard.allow_zero || driver_metrics::may_be_zero(&guard.name),
            };
            (metric, guard.tolerance_percent)
        })
        .collect();
    for part in &config.metric.parts {
        if guards.iter().all(|(guard, _)| guard.name != part.name) {
            let metric = Judged {
                name: part.name.clone(),
                direction: part.direction,
                allow_zero: part.may_be_zero(),
            };
            guards.push((metric, part.tolerance_percent));
        }
    }
    let is_named =
        primary.name == DRIVER_WALL || guards.iter().any(|(guard, _)| guard.name == DRIVER_WALL);
    if !is_named {
        guards.push((Judged::time(DRIVER_WALL), None));
    }
    (primary, guards)
}
