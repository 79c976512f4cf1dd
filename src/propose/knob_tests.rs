use proptest::prelude::*;

use super::*;
use crate::flow::config_parts::{KnobRange, KnobScale, KnobValue};

fn constant(file: &str, name: &str) -> Knob {
    Knob {
        name: "size".to_owned(),
        file: file.to_owned(),
        constant: Some(name.to_owned()),
        pattern: None,
        values: None,
        range: None,
    }
}

fn pattern(file: &str, text: &str) -> Knob {
    Knob {
        constant: None,
        pattern: Some(text.to_owned()),
        ..constant(file, "")
    }
}

fn range(min: f64, max: f64, step: Option<f64>, scale: KnobScale) -> Knob {
    Knob {
        range: Some(KnobRange {
            min,
            max,
            step,
            scale,
        }),
        ..constant("a.rs", "N")
    }
}

/// Reads `old`, writes `new`, and wants exactly `after`.
fn check(knob: &Knob, before: &str, old: &str, new: &str, after: &str) {
    assert_eq!(read(before, knob).unwrap(), old, "{before}");
    assert_eq!(write(before, knob, new).unwrap(), after, "{before}");
}

#[test]
fn rust_constants_are_found_and_only_their_value_changes() {
    let rust = constant("src/a.rs", "N");
    for (before, old, after) in [
        (
            "const N: usize = 256 * 1024;",
            "256 * 1024",
            "const N: usize = 512;",
        ),
        (
            "pub(crate) const N : u32=64 ; // N = 1",
            "64",
            "pub(crate) const N : u32=512 ; // N = 1",
        ),
        (
            "    static mut N: u64 = 5_000;\n",
            "5_000",
            "    static mut N: u64 = 512;\n",
        ),
        (
            "pub const N: usize =\n    7;\r\n",
            "7",
            "pub const N: usize =\n    512;\r\n",
        ),
        (
            "fn f() { const N: u8 = f(1, 2); }",
            "f(1, 2)",
            "fn f() { const N: u8 = 512; }",
        ),
        (
            "const N: u32 = /* a */ 1 /* b */;",
            "1",
            "const N: u32 = /* a */ 512 /* b */;",
        ),
        (
            "const N: usize = 64_usize;",
            "64_usize",
            "const N: usize = 512_usize;",
        ),
        ("const N: f64 = 0.5;", "0.5", "const N: f64 = 512.0;"),
        (
            "const N: f64 = 0.5f64;",
            "0.5f64",
            "const N: f64 = 512.0f64;",
        ),
        (
            "const N: [u8; 2] = [1, 2];",
            "[1, 2]",
            "const N: [u8; 2] = [1, 2];",
        ),
    ] {
        if before.contains("[u8; 2]") {
            // The `;` of an array's type ends the search: not a scalar knob.
            assert!(read(before, &rust).is_err());
        } else {
            check(&rust, before, old, "512", after);
        }
    }
}

#[test]
fn other_languages_constants_are_found() {
    for (file, before, old, after) in [
        (
            "a.go",
            "const N = 5\nvar x = 1\n",
            "5",
            "const N = 9\nvar x = 1\n",
        ),
        (
            "a.go",
            "const N int = 5 // five\n",
            "5",
            "const N int = 9 // five\n",
        ),
        (
            "a.go",
            "const (\n\tM = f(3)\n\tN = 5\n)\n",
            "5",
            "const (\n\tM = f(3)\n\tN = 9\n)\n",
        ),
        ("a.h", "#define N 5 /* N */\n", "5", "#define N 9 /* N */\n"),
        (
            "a.c",
            "#  define\tN\t(1 << 4)\nint N;",
            "(1 << 4)",
            "#  define\tN\t9\nint N;",
        ),
        (
            "a.c",
            "static const int N = 5;",
            "5",
            "static const int N = 9;",
        ),
        (
            "a.cc",
            "constexpr size_t N = 5UL;",
            "5UL",
            "constexpr size_t N = 9UL;",
        ),
        (
            "a.js",
            "export const N = 5;\n",
            "5",
            "export const N = 9;\n",
        ),
        ("a.ts", "const M = 1, N: number = 5\nN()", "", ""),
        (
            "a.ts",
            "const N: number = 5, M = 1",
            "5",
            "const N: number = 9, M = 1",
        ),
        ("a.js", "const N = 5\n", "5", "const N = 9\n"),
    ] {
        if old.is_empty() {
            assert!(read(before, &constant(file, "N")).is_err(), "{before}");
        } else {
            check(&constant(file, "N"), before, old, "9", after);
        }
    }
}

#[test]
fn patterns_fit_whole_lines_whatever_the_white_space() {
    for (file, text, before, old, after) in [
        (
            "a.py",
            "BATCH = {value}",
            "  BATCH=5  # x\n",
            "5",
            "  BATCH=9  # x\n",
        ),
        (
            "Cargo.toml",
            "opt-level = {value}",
            "[p]\nopt-level  =  3\n",
            "3",
            "[p]\nopt-level  =  9\n",
        ),
        (
            "a.sh",
            "export N={value}",
            "export   N=5\n",
            "5",
            "export   N=9\n",
        ),
        (
            "a.ini",
            "n = {value}",
            "; n = 1\nn = 5\r\n",
            "5",
            "; n = 1\nn = 9\r\n",
        ),
        (
            "a.js",
            "let n = {value}",
            "let n = 5;\n",
            "5",
            "let n = 9;\n",
        ),
        (
            "a.json",
            "\"n\": {value}",
            "{\n  \"n\" : 5,\n}",
            "5",
            "{\n  \"n\" : 9,\n}",
        ),
        (
            "a.py",
            "run(\"PRAGMA cache = {value}\")",
            "run( \"PRAGMA cache = 5\" ) # x",
            "5",
            "run( \"PRAGMA cache = 9\" ) # x",
        ),
        (
            "a.rs",
            ".cap({value})",
            "    .cap(f(5));\n",
            "f(5)",
            "    .cap(9);\n",
        ),
    ] {
        check(&pattern(file, text), before, old, "9", after);
    }
}

#[test]
fn comments_strings_and_other_names_do_not_count() {
    let rust = constant("a.rs", "N");
    let source = "//! const N: u8 = 1;\n/* const N: u8 = 2; */\nlet s = \"const N: u8 = 3;\";\n\
                  const NN: u8 = 4;\nconst M: u8 = N;\nif N == 1 {}\nstruct A<const N: usize = 6>;\n\
                  const N: u8 = 5;\n";
    check(&rust, source, "5", "9", &source.replace("u8 = 5", "u8 = 9"));
    let python = pattern("a.py", "N = {value}");
    let source = "\"\"\"\nN = 1\n\"\"\"\n# N = 2\nMAIN = 3\nN = 5\nprint(N = 6)\n";
    check(&python, source, "5", "9", &source.replace("N = 5", "N = 9"));
}

#[test]
fn no_place_or_several_is_an_error_with_the_lines() {
    let none = read("// N\nlet N = 1;\n", &constant("src/a.rs", "N")).unwrap_err();
    assert_eq!(
        none.render(),
        "error: src/a.rs: knob `size`: no declaration of `N` outside comments and strings\n  \
         hint: the name occurs on lines 1, 2"
    );
    let several = "#[cfg(a)]\nconst N: u8 = 1;\n#[cfg(b)]\nconst N: u8 = 2;\n";
    assert_eq!(
        read(several, &constant("src/a.rs", "N"))
            .unwrap_err()
            .to_string(),
        "src/a.rs: knob `size`: more than one declaration of `N`, on lines 2, 4"
    );
    assert_eq!(
        write("n = 1\nn = 2\n", &pattern("a.ini", "n = {value}"), "3")
            .unwrap_err()
            .to_string(),
        "a.ini: knob `size`: more than one line like `n = {value}`, on lines 1, 2"
    );
    assert_eq!(
        read("m = 1\n", &pattern("a.ini", "n = {value}"))
            .unwrap_err()
            .to_string(),
        "a.ini: knob `size`: no line like `n = {value}` outside comments and strings"
    );
}

#[test]
fn one_number_in_two_spellings_is_not_rewritten() {
    let source = "const N: usize = 32_000;";
    assert_eq!(
        write(source, &constant("a.rs", "N"), "32000").unwrap(),
        source
    );
}

#[test]
fn a_value_with_a_line_break_is_refused() {
    let knob = constant("a.rs", "N");
    for value in ["1;\nfn x() {}", "", "  "] {
        assert!(
            write("const N: u8 = 1;", &knob, value).is_err(),
            "{value:?}"
        );
    }
}

#[test]
fn ranges_are_written_out_with_both_ends() {
    let (linear, log2) = (KnobScale::Linear, KnobScale::Log2);
    for (knob, expected) in [
        (range(1.0, 4.0, None, linear), "1 2 3 4"),
        (range(0.0, 10.0, Some(4.0), linear), "0 4 8 10"),
        (range(0.1, 0.5, Some(0.1), linear), "0.1 0.2 0.3 0.4 0.5"),
        (range(-1.0, 1.0, Some(0.5), linear), "-1 -0.5 0 0.5 1"),
        (range(1.0, 64.0, None, log2), "1 2 4 8 16 32 64"),
        (range(3.0, 20.0, None, log2), "3 6 12 20"),
        (range(0.25, 2.0, None, log2), "0.25 0.5 1 2"),
        (range(1.0, 1.5, None, linear), "1 1.5"),
    ] {
        assert_eq!(values(&knob).unwrap().join(" "), expected);
    }
}

#[test]
fn listed_values_stay_in_order_and_each_number_once() {
    let listed = ["64", "8", "0x40", "64usize", "off", " off"];
    let values_of = listed
        .iter()
        .map(|text| KnobValue((*text).to_owned()))
        .collect();
    let knob = Knob {
        values: Some(values_of),
        ..constant("a.rs", "N")
    };
    assert_eq!(values(&knob).unwrap(), ["64", "8", "off"]);
}

#[test]
fn too_many_values_are_an_error_and_not_an_allocation() {
    let linear = KnobScale::Linear;
    assert_eq!(
        values(&range(1.0, 9_998.0, None, linear)).unwrap().len(),
        9_998
    );
    for knob in [
        range(1.0, 20_000.0, None, linear),
        range(0.0, 1e18, None, linear),
        range(0.0, 1.0, Some(1e-300), linear),
        range(0.0, 8.0, None, KnobScale::Log2),
        range(f64::NAN, 8.0, None, linear),
    ] {
        let error = values(&knob).unwrap_err().to_string();
        assert!(error.starts_with("knob `size` has "), "{error}");
    }
    assert!(values(&constant("a.rs", "N")).is_err());
}

proptest! {
    #[test]
    fn finding_never_panics(
        source in "([a-zN=;:{}()'\"/*# ß\n]|const |N|#define ){0,40}",
        file in "a\\.(rs|go|c|py|sh)",
    ) {
        let _ = read(&source, &constant(&file, "N"));
        let _ = read(&source, &pattern(&file, "N = {value};"));
        let _ = read(&source, &pattern(&file, "N{value}ß"));
    }

    #[test]
    fn what_is_written_reads_back_and_nothing_else_changes(
        before in "(// [a-z ]{0,8}\n|fn f\\(\\) \\{\\}\n|\\s){0,4}",
        after in "(// [a-z ]{0,8}\r?\n|let a = \"x\";\n|ß){0,4}",
        old in prop_oneof!["[0-9]{1,6}", "[0-9]{1,3}_000usize", "[1-9] \\* 1024"],
        new in prop_oneof!["[0-9]{1,6}", "[0-9]{1,3}_000", "[1-9] \\* 1024", "MAX"],
    ) {
        let knob = constant("a.rs", "N");
        let source = format!("{before}\npub const N: usize = {old};\n{after}");
        let written = write(&source, &knob, &new).unwrap();
        prop_assert!(same_value(&read(&written, &knob).unwrap(), &new));
        let head = format!("{before}
pub const N: usize = ");
        prop_assert!(written.starts_with(&head), "{}", written);
        let tail = format!(";\n{after}");
        prop_assert!(written.ends_with(&tail), "{}", written);
        // And back again.
        let back = write(&written, &knob, &old).unwrap();
        prop_assert!(same_value(&read(&back, &knob).unwrap(), &old));
    }

    #[test]
    fn a_pattern_reads_back_what_it_wrote(old in "[a-z0-9.]{1,8}", new in "[a-z0-9.]{1,8}") {
        let knob = pattern("a.toml", "  key={value}");
        let source = format!("# key = x\nkey = {old} # note\nkeys = 1\n");
        let written = write(&source, &knob, &new).unwrap();
        prop_assert!(same_value(&read(&written, &knob).unwrap(), &new), "{}", written);
        prop_assert!(written.ends_with(" # note\nkeys = 1\n"));
    }

    #[test]
    fn a_range_has_ascending_values_between_its_ends(
        min in 1i32..1000, span in 1i32..5000, step in 1i32..60, log in any::<bool>(),
    ) {
        let scale = if log { KnobScale::Log2 } else { KnobScale::Linear };
        let max = min + span;
        let knob = range(f64::from(min), f64::from(max), Some(f64::from(step)), scale);
        let numbers: Vec<i32> = values(&knob).unwrap().iter().map(|v| v.parse().unwrap()).collect();
        prop_assert_eq!((numbers[0], *numbers.last().unwrap()), (min, max));
        prop_assert!(numbers.windows(2).all(|pair| pair[0] < pair[1]));
    }
}
