use std::hint::black_box;

use accesslog::{parse_line, summarise};
use criterion::{criterion_group, criterion_main, Criterion};

fn log(lines: usize) -> String {
    (0..lines)
        .map(|n| {
            let path = n * n % 251;
            let status = if n % 50 == 0 { 503 } else { 200 };
            format!(
                "10.0.{}.{} - - [10/Oct/2025:13:55:36 +0000] \"GET /articles/{path}/index.html HTTP/1.1\" {status} {}\n",
                n / 256 % 256,
                n % 256,
                n * 31 % 70_000
            )
        })
        .collect()
}

fn benches(criterion: &mut Criterion) {
    let text = log(2_000);
    let first = text.lines().next().unwrap();
    criterion.bench_function("parse_line", |b| b.iter(|| parse_line(black_box(first))));
    criterion.bench_function("summarise", |b| b.iter(|| summarise(black_box(&text))));
}

criterion_group!(summary, benches);
criterion_main!(summary);
