//! How the parts fit together.

use autoresearch::flow::decision::{
    Claim, Composite, ConfirmVerdict, Confirmation, Direction, EndToEnd, Params, Screen,
    ScreenStep, checked_log_gain, confirmation_pairs, end_to_end_swapped, exact, false_keep_bound,
};

#[test]
fn a_real_gain_goes_all_the_way_to_a_claim() {
    let p = Params::default();
    let gain = checked_log_gain(Direction::Lower, 1.00, 0.90).unwrap();
    let mut screen = Screen::new(&p, 0.02);
    while screen.push(gain) == ScreenStep::More {}
    assert_eq!(screen.step(), ScreenStep::Confirm);
    let fresh = vec![gain; confirmation_pairs(screen.n(), &p)];
    let kept = Confirmation::judge(screen.n(), &fresh, &p).unwrap();
    assert_eq!(kept.verdict, ConfirmVerdict::Confirmed);
    let whole: Vec<f64> = (0..24)
        .map(|i| gain + if i % 2 == 0 { 0.001 } else { -0.001 })
        .collect();
    let end = EndToEnd::judge(&whole, &[kept.estimate], &p).unwrap();
    assert_eq!((end.claim, end.disagrees), (Claim::Improvement, false));
    assert_eq!(false_keep_bound(1, &p), 0.005);
}

#[test]
fn a_composite_of_opposite_changes_is_no_gain() {
    let c = Composite::new(&[1.0, 1.0]).unwrap();
    let mut screen = Screen::new(&Params::default(), 0.02);
    while screen.push(c.log_gain(&[0.1, -0.1])) == ScreenStep::More {}
    assert!(matches!(screen.step(), ScreenStep::Drop(_)));
}

#[test]
fn both_halves_of_an_end_to_end_comparison_are_equally_long() {
    let pairs = Params::default().end_to_end_pairs;
    let swapped = (0..pairs).filter(|&i| end_to_end_swapped(i, pairs)).count();
    assert_eq!(2 * swapped, pairs);
}

#[test]
fn an_exact_metric_needs_two_runs_and_no_statistics() {
    let rule = exact::detect(&[4096.0; 40]).unwrap().unwrap();
    let parent = 4096.0;
    assert_eq!(
        rule.judge(Direction::Lower, parent, 4000.0),
        exact::ExactStep::RunAgain
    );
    let verdict = rule.confirm(Direction::Lower, parent, 4000.0, 4000.0);
    assert_eq!(verdict, exact::ExactVerdict::Keep);
    assert!(!exact::guard(rule, Direction::Lower, parent, 4097.0, 0.0));
}
