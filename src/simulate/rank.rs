//! Null distributions of rank statistics, exact.

/// `P(W >= w)` for `w = 0, 1, ...` of Wilcoxon's signed-rank statistic of `n` pairs, when every sign
/// is a fair coin.
pub(super) fn signed_rank_tail(n: usize) -> Vec<f64> {
    let mut law = vec![1.0];
    for rank in 1..=n {
        let mut next = vec![0.0; law.len() + rank];
        for (w, p) in law.iter().enumerate() {
            next[w] += p / 2.0;
            next[w + rank] += p / 2.0;
        }
        law = next;
    }
    tail(&law)
}

/// `P(U >= u)` for `u = 0, 1, ..., n m` of Mann and Whitney's statistic, when all orders of the `n +
/// m` values are equally likely. By their recursion: the largest value is one of the `n`, and then
/// wins against all `m`, or one of the `m`.
pub(super) fn mann_whitney_tail(n: usize, m: usize) -> Vec<f64> {
    // counts[j]: number of orders of i and j values with each u, for the i at hand.
    let mut counts: Vec<Vec<f64>> = (0..=m).map(|_| vec![1.0]).collect();
    for i in 1..=n {
        for j in 0..=m {
            let mut law = vec![0.0; i * j + 1];
            for (u, c) in counts[j].iter().enumerate() {
                law[u + j] += c;
            }
            if j > 0 {
                for (u, c) in counts[j - 1].iter().enumerate() {
                    law[u] += c;
                }
            }
            counts[j] = law;
        }
    }
    let law = &counts[m];
    let orders: f64 = law.iter().sum();
    tail(&law.iter().map(|c| c / orders).collect::<Vec<_>>())
}

fn tail(law: &[f64]) -> Vec<f64> {
    let mut sums: Vec<f64> = law
        .iter()
        .rev()
        .scan(0.0, |sum, p| {
            *sum += p;
            Some(*sum)
        })
        .collect();
    sums.reverse();
    sums
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signed_rank_law_matches_the_printed_table() {
        // P(W+ >= 45) for n = 10 is 0.0420, P(W+ >= 44) is 0.0527.
        let tail = signed_rank_tail(10);
        assert!((tail[45] - 0.0420).abs() < 5e-5 && (tail[44] - 0.0527).abs() < 5e-5);
        assert!((tail[0] - 1.0).abs() < 1e-12 && tail.len() == 56);
    }

    #[test]
    fn the_mann_whitney_law_is_that_of_an_enumeration() {
        let (n, m) = (3, 4);
        let mut counts = vec![0.0; n * m + 1];
        for orders in 0u32..1 << (n + m) {
            if orders.count_ones() as usize == n {
                let firsts = (0..n + m).filter(|i| orders >> i & 1 == 1);
                let wins: usize = firsts
                    .map(|i| (0..i).filter(|j| orders >> j & 1 == 0).count())
                    .sum();
                counts[wins] += 1.0 / 35.0;
            }
        }
        for (got, expected) in mann_whitney_tail(n, m).iter().zip(tail(&counts)) {
            assert!((got - expected).abs() < 1e-12);
        }
    }
}
