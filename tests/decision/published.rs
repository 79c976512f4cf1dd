//! The figures of the design notes, as published there: 40 streams of 200 candidates by the
//! reference simulator, in which warm-up pairs cost nothing.

/// A figure, rounded to `decimals`.
#[derive(Debug, Clone, Copy)]
pub struct Published {
    pub value: f64,
    pub decimals: i32,
}

/// One rule on one noise model. `None` where nothing is published.
#[derive(Debug, Clone, Copy, Default)]
pub struct Line {
    pub rule: &'static str,
    pub false_keeps: Option<Published>,
    pub harmful: Option<Published>,
    pub power: [Option<Published>; 5],
    pub runs: Option<Published>,
    pub over: Option<Published>,
    pub speed_up: [Option<Published>; 2],
}

/// A cell of a table of figures: `-` for none.
fn cell(text: &str) -> Option<Published> {
    let decimals = text
        .split_once('.')
        .map_or(0, |(_, tail)| tail.len() as i32);
    let value = text.parse().ok()?;
    Some(Published { value, decimals })
}

/// Reads lines of: rule, FK/200, HK %, power at 1, 2, 3, 5, 10 %, runs, over, x@C20, x@C100.
fn lines(table: &'static str) -> Vec<Line> {
    let line = |line: &'static str| {
        let cells: Vec<&str> = line.split_whitespace().collect();
        let [rule, fk, hk, p1, p2, p3, p5, p10, runs, over, cheap, dear] = cells[..] else {
            panic!("a line of twelve cells: {line}");
        };
        Line {
            rule,
            false_keeps: cell(fk),
            harmful: cell(hk),
            power: [p1, p2, p3, p5, p10].map(cell),
            runs: cell(runs),
            over: cell(over),
            speed_up: [cheap, dear].map(cell),
        }
    };
    table
        .lines()
        .filter(|line| !line.is_empty())
        .map(line)
        .collect()
}

/// Noise models with their tables.
pub fn tables() -> Vec<(&'static str, Vec<Line>)> {
    TABLES.map(|(noise, table)| (noise, lines(table))).to_vec()
}

/// "over" of the replayed trace is published from rounded sums for the rules that claim 4 and more
/// times too much, where it is a ratio to nearly nothing; those cells are left out.
const TABLES: [(&str, &str); 10] = [
    (
        "iid2",
        "
single           21.0 1.7  23 32 52  76 100  1.0 1.07 2.23 1.81
median5          34.8 1.0  39 69 87 100 100  5.0 1.02 2.48 2.23
labloop           0.3 0.0   0  3  5  16  75  1.0 1.06 1.31 1.22
rigor             4.3 0.4   5 17 36  79 100  1.6 1.03 2.07 1.71
welch             9.9 0.3  14 38 68  98 100   10 1.36 1.92 1.92
benchstat         4.8 0.0  18 50 87 100 100   20 1.18 1.70 1.94
wilcoxon          8.5 0.1  21 60 90 100 100   20 1.21 1.73 1.98
tango             1.9 0.0  18 71 98 100 100   40 1.07 1.45 1.84
group-sequential  0.9 0.0  12 55 87  99 100 12.3 1.12 1.93 2.02
lord             0.04 0.0  10 74 97 100 100 18.1 1.00 1.83 2.04
autoresearch     0.29 0.0  17 81 98 100 100 19.3 1.00 1.82 2.08",
    ),
    (
        "mixed_wall",
        "
single            6.7 1.8   5  2  6  8 10  1.0    - 1.06 1.05
median5           6.0 2.0   3  6  5  8 10  5.0    - 1.05 1.04
labloop           0.4 0.5   0  0  1  1  2  1.0    - 1.01 1.00
rigor             2.9 1.1   1  1  4  3 13  1.1    - 1.04 1.04
benchstat        35.5 10.1 19 23 24 30 54   20    - 1.18 1.21
wilcoxon          8.8 0.9   9  8 16 30 73   20    - 1.23 1.31
tango             2.8 0.0   4  5 10 24 71   40  2.3 1.14 1.24
group-sequential  0.5 0.2   1  1  1  9 48 12.7  1.8 1.13 1.14
lord              0.0 0.0   0  0  1  6 56 17.9    - 1.12 1.15
autoresearch      0.4 0.0   1  2  6 21 74 17.7 0.96 1.21 1.26",
    ),
    (
        "iid1",
        "
single       35.7 - - -  91 - - - 1.01 - 2.41
autoresearch 0.39 - - - 100 - - - 1.00 - 2.31",
    ),
    (
        "iid5",
        "
single        7.1 - - -  9 -  44 - 1.85 - 1.23
autoresearch 0.53 - - - 29 - 100 - 1.00 - 1.51",
    ),
    (
        "heavy",
        "
single       11.2 - - - 19 - - - 1.45    - 1.31
median5         - - - -  - - - -    -    - 2.09
autoresearch 0.35 - - - 63 - - - 1.00    - 1.74",
    ),
    (
        "ar1",
        "
single        9.7 - - - 10 - - - 1.79 - 1.19
autoresearch 0.60 - - - 99 - - - 1.00 - 2.18",
    ),
    (
        "regime",
        "
single        9.9 - - - 16 - - - 1.17 - 1.28
autoresearch 0.60 - - - 95 - - - 1.00 - 1.96",
    ),
    (
        "first-of-pair",
        "
single       23.5 - - - 57 - - -    - - 1.91
wilcoxon      123 - - -  - - - -    - -    -
tango         141 - - -  - - - -    - -    -
autoresearch 0.35 - - - 99 - - - 1.00 - 2.11",
    ),
    (
        "loaded_cpu_adjusted",
        "
single       30.3 - - - 68 - - - 1.02 - 2.16
autoresearch 0.47 - - - 92 - - - 1.00 - 2.11",
    ),
    (
        "cpu_time",
        "
single       32.8 - - - 84 - - - 1.03 - 2.18
autoresearch 0.39 - - - 97 - - - 1.00 - 2.22",
    ),
];
