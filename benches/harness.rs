//! Criterion benches of the harness itself: what it costs beside the children's own time.

use std::hint::black_box;

use autoresearch::flow::coins::Coins;
use autoresearch::flow::decision::{Params, Screen, ScreenStep, hodges_lehmann, walsh_interval};
use autoresearch::flow::metric::Samples;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

/// A megabyte of output with a METRIC line every kilobyte.
fn metric_lines(c: &mut Criterion) {
    let mut output = String::new();
    for number in 0..1024 {
        output.push_str(&"x".repeat(990));
        output.push_str(&format!("\nMETRIC total_ms={number}.25\n"));
    }
    let mut group = c.benchmark_group("metric");
    group.throughput(Throughput::Bytes(output.len() as u64));
    group.bench_function("one megabyte of output", |b| {
        b.iter(|| {
            let mut samples = Samples::default();
            output.lines().for_each(|line| samples.feed(line));
            samples.required("total_ms", false)
        });
    });
    group.finish();
}

/// The decision code for a candidate that takes all sixty pairs.
fn decision(c: &mut Criterion) {
    let mut coins = Coins::new(1);
    let gains: Vec<f64> = (0..60_u32)
        .map(|index| {
            let size = 0.004 + 0.0001 * f64::from(index);
            if coins.flip() { size } else { -size }
        })
        .collect();
    let mut group = c.benchmark_group("decision");
    group.bench_function("screen of up to 60 pairs", |b| {
        b.iter(|| {
            let mut screen = Screen::new(&Params::default(), 0.01);
            for &gain in &gains {
                if screen.push(black_box(gain)) != ScreenStep::More {
                    break;
                }
            }
            screen.ln_e()
        });
    });
    group.bench_function("estimate and interval of 24 pairs", |b| {
        b.iter(|| {
            (
                hodges_lehmann(black_box(&gains[..24])),
                walsh_interval(&gains[..24], 0.95),
            )
        });
    });
    group.finish();
}

criterion_group!(benches, metric_lines, decision);
criterion_main!(benches);
