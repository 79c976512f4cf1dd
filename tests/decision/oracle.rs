//! The screen against a second implementation, written from the pseudo-code in
//! batch form, on every sequence over small alphabets.

use autoresearch::flow::decision::{DropReason, Params, Screen, ScreenStep};

use crate::support::close;

/// Everything about the last pair of `d`, recomputed from nothing.
struct Naive {
    ln_e: f64,
    l: f64,
    step: ScreenStep,
}

fn naive(d: &[f64], s0: f64, p: &Params) -> Naive {
    let delta = if p.min_effect > s0 { p.min_effect } else { s0 };
    let mut w = [0.0f64; 4];
    let mut l = 0.0;
    for n in 0..d.len() {
        let mut past: Vec<f64> = d[..n].iter().map(|x| x.abs()).collect();
        past.sort_by(|a, b| a.partial_cmp(b).unwrap());
        let s = match n {
            0 => s0,
            _ if n % 2 == 1 => s0.max(0.5 * past[n / 2]),
            _ => s0.max(0.5 * (past[n / 2 - 1] + past[n / 2]) / 2.0),
        };
        let z = d[n] / s;
        for (w_k, th) in w.iter_mut().zip(p.thetas) {
            let power = -(p.nu + 1.0) / 2.0;
            let f = |x: f64| (1.0 + x * x / p.nu).powf(power);
            *w_k += (2.0 * f(z - th) / (f(z - th) + f(z + th))).ln();
        }
        let t = delta / s;
        let clipped = if z < -3.0 {
            -3.0
        } else if z > 3.0 + t {
            3.0 + t
        } else {
            z
        };
        l += t * clipped - t * t / 2.0;
    }
    let e: f64 = (0..4).map(|k| p.weights[k] * w[k].exp()).sum();
    let step = if e >= p.e_keep {
        ScreenStep::Confirm
    } else if d.len() >= p.min_drop_pairs && l <= p.beta.ln() {
        ScreenStep::Drop(DropReason::NoGain)
    } else if d.len() == p.cap_pairs {
        ScreenStep::Drop(DropReason::Inconclusive)
    } else {
        ScreenStep::More
    };
    Naive {
        ln_e: e.ln(),
        l,
        step,
    }
}

/// How often each step came up.
#[derive(Default, Debug)]
struct Tally {
    more: usize,
    confirm: usize,
    no_gain: usize,
    inconclusive: usize,
}

struct Walk<'a> {
    alphabet: &'a [f64],
    longest: usize,
    s0: f64,
    params: Params,
    tally: Tally,
}

impl Walk<'_> {
    fn from(&mut self, prefix: &mut Vec<f64>, screen: &Screen) {
        if prefix.len() == self.longest {
            return;
        }
        for &d in self.alphabet {
            let mut next = screen.clone();
            prefix.push(d);
            let step = next.push(d);
            let expected = naive(prefix, self.s0, &self.params);
            assert_eq!(step, expected.step, "{prefix:?}");
            assert!(close(next.ln_e(), expected.ln_e, 1e-9), "{prefix:?}");
            assert!(close(next.lr(), expected.l, 1e-9), "{prefix:?}");
            match step {
                ScreenStep::More => {
                    self.tally.more += 1;
                    self.from(prefix, &next);
                }
                ScreenStep::Confirm => self.tally.confirm += 1,
                ScreenStep::Drop(DropReason::NoGain) => self.tally.no_gain += 1,
                ScreenStep::Drop(DropReason::Inconclusive) => self.tally.inconclusive += 1,
            }
            prefix.pop();
        }
    }
}

fn walk(alphabet: &[f64], longest: usize, s0: f64, params: Params) -> Tally {
    let mut walk = Walk {
        alphabet,
        longest,
        s0,
        params,
        tally: Tally::default(),
    };
    walk.from(&mut Vec::new(), &Screen::new(&params, s0));
    walk.tally
}

#[test]
fn every_short_sequence_is_judged_as_the_pseudo_code_does() {
    let tally = walk(&[-1.5, 0.0, 0.6, 2.5, 60.0], 8, 1.0, Params::default());
    assert!(
        tally.more > 10_000 && tally.confirm > 5 && tally.no_gain > 1_000,
        "{tally:?}"
    );
}

#[test]
fn small_steps_over_a_long_time_are_judged_as_the_pseudo_code_does() {
    let tally = walk(&[-0.5, 1.2], 14, 1.0, Params::default());
    assert!(
        tally.more > 5_000 && tally.confirm > 50 && tally.no_gain > 100,
        "{tally:?}"
    );
}

#[test]
fn low_noise_with_a_coarse_minimum_is_judged_as_the_pseudo_code_does() {
    let p = Params {
        min_effect: 0.03,
        ..Params::default()
    };
    let tally = walk(&[-0.01, 0.0, 0.014, 0.016, 0.05], 7, 0.002, p);
    assert!(tally.more > 100 && tally.no_gain > 100, "{tally:?}");
}

#[test]
fn other_lines_and_an_early_cap_are_judged_as_the_pseudo_code_does() {
    let p = Params {
        cap_pairs: 6,
        min_drop_pairs: 1,
        ..Params::default()
    };
    let p = Params {
        e_keep: 10.0,
        beta: 0.2,
        ..p
    };
    let tally = walk(&[-4.0, -0.7, 0.1, 0.5, 1.0, 3.0], 6, 1.0, p);
    let all = [tally.more, tally.confirm, tally.no_gain, tally.inconclusive];
    assert!(all.iter().all(|&n| n > 100), "{tally:?}");
}
