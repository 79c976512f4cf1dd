//! All rules on all noise on all streams, on as many threads as there are; the result does not
//! depend on their number.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

use super::machine::Timeline;
use super::noise::NoiseModel;
use super::play::{CANDIDATES_MAX, Played, play};
use super::rules::{RuleName, Settings};
use super::seed::generator;
use super::stream::Stream;
use super::table::Row;

/// What to simulate.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The noise models, in the order of the table.
    pub noise: Vec<NoiseModel>,
    /// The rules.
    pub rules: Vec<RuleName>,
    /// The law of the candidates.
    pub stream: Stream,
    /// Streams for each noise model, at least 2.
    pub streams: u32,
    /// Decides everything.
    pub seed: u64,
    /// What this program's rule is set to.
    pub settings: Settings,
}

/// One stream on one noise model, for all rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Job {
    /// Index of the noise model in the plan.
    pub noise: usize,
    /// Number of the stream, from 0.
    pub stream: u32,
}

/// Plays everything on `threads` threads. `started` hears of each job, in order, when it is begun.
/// The rows come in the order of the plan, noise models before rules.
pub fn simulate(plan: &Plan, threads: usize, mut started: impl FnMut(Job)) -> Vec<Row> {
    let jobs: Vec<Job> = (0..plan.noise.len())
        .flat_map(|noise| (0..plan.streams).map(move |stream| Job { noise, stream }))
        .collect();
    let next = AtomicUsize::new(0);
    let mut played: Vec<Vec<Played>> = vec![Vec::new(); jobs.len()];
    std::thread::scope(|scope| {
        let (sender, receiver) = mpsc::channel();
        for _ in 0..threads.clamp(1, jobs.len().max(1)) {
            let (sender, jobs, next) = (sender.clone(), &jobs, &next);
            scope.spawn(move || {
                while let Some(&job) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
                    // Sending fails only when the receiver is gone, and it outlives the threads.
                    sender.send((job, None)).ok();
                    sender.send((job, Some(play_stream(plan, job)))).ok();
                }
            });
        }
        drop(sender);
        for (job, result) in receiver {
            match result {
                None => started(job),
                Some(result) => {
                    let index = job.noise * plan.streams as usize + job.stream as usize;
                    played[index] = result;
                }
            }
        }
    });
    rows(plan, &played)
}

/// Every rule on one stream.
fn play_stream(plan: &Plan, job: Job) -> Vec<Played> {
    let stream = u64::from(job.stream);
    let model = &plan.noise[job.noise];
    let mut timeline = Timeline::new(model, plan.seed, stream);
    let mut random = generator(plan.seed, stream, "candidates");
    let effects = plan.stream.draw(CANDIDATES_MAX, &mut random);
    plan.rules
        .iter()
        .map(|&rule| {
            play(
                rule,
                &plan.settings,
                &mut timeline,
                &effects,
                plan.seed,
                stream,
            )
        })
        .collect()
}

fn rows(plan: &Plan, played: &[Vec<Played>]) -> Vec<Row> {
    let mut rows = Vec::new();
    for (noise, streams) in plan.noise.iter().zip(played.chunks(plan.streams as usize)) {
        for (index, rule) in plan.rules.iter().enumerate() {
            let of_rule: Vec<&Played> = streams.iter().map(|rules| &rules[index]).collect();
            rows.push(Row::of(&noise.to_string(), *rule, &of_rule));
        }
    }
    rows
}
