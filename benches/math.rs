//! Measures the verifier of mathematics beside Math-Verify, on the same pairs: how long a pair takes, and
//! how many one core decides in a second.
//!
//! Run: cargo bench --bench math
//!
//! The pairs are those of `tests/differential/library_judge_math.jsonl`: all kinds of answers. The library
//! runs if a Python has it: that of `MATH_VERIFY_PYTHON`, or the one that `cargo test differential` makes
//! below `target/`. Last come texts of a mebibyte, and long expressions, that are meant to be slow.

#![expect(clippy::print_stdout, reason = "a benchmark prints what it has found")]

use std::error::Error;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use rehearsal::environments::math;
use serde::Deserialize;

/// As the command has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const PAIRS: &str = "tests/differential/library_judge_math.jsonl";
/// Each pair is decided so often; its shortest time counts, as the machine does other things as well.
const ROUNDS: usize = 9;
/// The same for texts and expressions that are meant to be slow.
const SLOW_ROUNDS: usize = 9;
/// The most that any of the texts and expressions may take.
const SLOWEST_MAX: Duration = Duration::from_millis(50);
/// Texts that are repeated to a mebibyte.
const FRAGMENTS: [&str; 26] = [
    "a ",
    "1 ",
    "1 + ",
    "answer: ",
    "answer 1=",
    "final answer is ",
    "$",
    "$a$ and ",
    "$\\frac$ ",
    "\\( ",
    "\\[ ",
    "\\boxed{",
    "\\boxed{1} ",
    "{",
    "(",
    "\\sqrt",
    "1+",
    "x^",
    "\\frac{1}",
    "2^{9^{9^",
    " [answer: 1=",
    "\\(answer: 1=",
    "$$=",
    "^(answer: 1=",
    "is final answer is 1. ",
    "é",
];

/// How long expressions are, in bytes: the second is as long as one may be.
const EXPRESSION_SIZES: [usize; 2] = [400, 16_000];
/// Terms of long expressions, with a number at `#`.
const TERMS: [&str; 40] = [
    "\\sin(#x)",
    "\\sqrt{#}",
    "\\sqrt[3]{#x}",
    "\\sqrt{#+\\sqrt{#+x}}",
    "(x+#)^{32}",
    "(x+#y)",
    "\\frac{1}{x+#}",
    "\\frac{#}{1234567890123456789012345678901234567#}",
    "\\frac{12345678901234567890#x}{1357913579135791357#}",
    "\\log_{#}(3)",
    "#!",
    "(1800-#)!",
    "\\binom{1000}{#}",
    "\\binom{n}{#}",
    "(n+#)!",
    "e^{#ix}",
    "0.1357913579135791357913579135791357913579#",
    "1.5E4200",
    "1.5E-4200",
    "123456789012345678901234567890123456789012345678901234567890#",
    "17^{100#}",
    "#^{#}",
    "9^{9^{9}}",
    "\\sum_{k=1}^{#} \\sin(k)",
    "\\prod_{k=1}^{#} k",
    "\\sum_{k=1}^{\\infty} \\frac{1}{k^{#}}",
    "|x-#y|",
    "||x-#|-#|",
    "\\lfloor #x \\rfloor",
    "\\max(#,x)",
    "\\int_0^{#} \\sin(x^2) dx",
    "\\frac{d}{dx} \\sin(#x)",
    "\\lim_{x \\to #} \\frac{x^2}{x+1}",
    "\\tan(#)",
    "x_{#}",
    "x^{#}y^{1/#}",
    "f(#x)",
    "\\begin{pmatrix}#&x\\\\y&z\\end{pmatrix}^{16}",
    "((x+#)(y+(z+#)(x+y)))(x+(y+#)(z+x))",
    "--#x",
];
/// What joins terms, and what is around them: at `@`.
const JOINTS: [(&str, &str); 8] = [
    ("+", "@"),
    ("+", "y=@"),
    ("+", "x<@"),
    ("+", "|@|"),
    (" \\cdot ", "@"),
    (",", "\\{@\\}"),
    (",", "(@)"),
    ("&", "\\begin{pmatrix}@\\end{pmatrix}"),
];
/// Gold answers for an expression.
const GOLDS: [&str; 5] = ["0.5", "0+@", "(@)^2", "@+x", "\\{x,y\\}"];

#[derive(Deserialize)]
struct Pair {
    gold: String,
    answer: String,
}

/// Times of all pairs, in seconds.
struct Times(Vec<f64>);

impl Times {
    fn new(mut times: Vec<f64>) -> Self {
        times.sort_by(f64::total_cmp);
        Self(times)
    }

    fn micros(&self, share: f64) -> f64 {
        1e6 * self.0[((self.0.len() - 1) as f64 * share) as usize]
    }

    fn rate(&self) -> f64 {
        self.0.len() as f64 / self.0.iter().sum::<f64>()
    }

    fn print(&self, name: &str) {
        let (median, slow, slowest) = (self.micros(0.5), self.micros(0.99), self.micros(1.0));
        let rate = self.rate();
        println!("{name:<14} {rate:>12.0} /s {median:>12.1} µs {slow:>12.1} µs {slowest:>12.1} µs");
    }
}

fn time(pair: &Pair) -> f64 {
    let one = |_| {
        let started = Instant::now();
        black_box(math::verify(black_box(&pair.gold), black_box(&pair.answer)));
        started.elapsed().as_secs_f64()
    };
    (0..ROUNDS).map(one).fold(f64::INFINITY, f64::min)
}

/// A Python that has the library.
fn python(root: &Path) -> Option<PathBuf> {
    let made = root.join("target/tmp/differential-library_judge_math/bin/python3");
    let named = std::env::var_os("MATH_VERIFY_PYTHON").map(PathBuf::from);
    [named, Some(made)].into_iter().flatten().find(|python| {
        let found = Command::new(python).args(["-c", "import math_verify"]).output();
        found.is_ok_and(|output| output.status.success())
    })
}

fn library_times(root: &Path) -> Result<Option<Times>, Box<dyn Error>> {
    let Some(python) = python(root) else {
        println!("skipped: no Python with Math-Verify to compare with");
        return Ok(None);
    };
    let script = root.join("tests/differential/library_judge_math.py");
    let output = Command::new(python)
        .arg(script)
        .args(["0", "0"])
        .arg(root.join(PAIRS))
        .arg("times")
        .output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
    }
    Ok(Some(Times::new(serde_json::from_slice(&output.stdout)?)))
}

/// The slowest of the texts of a mebibyte.
fn slowest_text() -> Slowest {
    let mut slowest = Slowest::default();
    for fragment in FRAGMENTS {
        let text = fragment.repeat((1 << 20) / fragment.len());
        for text in [text.clone(), format!("\\boxed{{{text}}}"), format!("${text}$")] {
            slowest.time("\\frac{1}{2}", &text);
        }
    }
    slowest
}

/// The slowest of the long expressions, beside gold answers much like them.
fn slowest_expression() -> Slowest {
    let mut slowest = Slowest::default();
    for (term, (joint, around)) in TERMS.iter().flat_map(|term| JOINTS.map(|joint| (term, joint))) {
        for size in EXPRESSION_SIZES {
            let count = 1 + size / (term.len() + joint.len() + 1);
            let terms: Vec<String> =
                (2..count + 2).map(|i| term.replace('#', &i.to_string())).collect();
            let text = around.replace('@', &terms.join(joint));
            for gold in GOLDS {
                slowest.time(&gold.replace('@', &text), &format!("\\boxed{{{text}}}"));
            }
        }
    }
    slowest
}

/// The pair that takes the most time of many, and how many they are.
#[derive(Default)]
struct Slowest {
    time: Duration,
    answer: String,
    pairs: usize,
}

impl Slowest {
    /// Times a pair, again if it is slower than all before, as the machine does other things as well.
    fn time(&mut self, gold: &str, answer: &str) {
        let one = || {
            let started = Instant::now();
            black_box(math::verify(black_box(gold), black_box(answer)).extracted_answer());
            started.elapsed()
        };
        let mut time = one();
        for _ in 1..SLOW_ROUNDS {
            if time > self.time {
                time = time.min(one());
            }
        }
        self.pairs += 1;
        if time > self.time {
            self.time = time;
            self.answer = answer.chars().take(48).collect();
        }
    }

    fn print(&self, what: &str) -> Result<(), Box<dyn Error>> {
        let (millis, answer) = (self.time.as_secs_f64() * 1e3, &self.answer);
        println!("slowest of {} {what}: {millis:.1} ms, of {answer:?} and so on", self.pairs);
        if self.time > SLOWEST_MAX {
            return Err(format!("it may take {} ms", SLOWEST_MAX.as_millis()).into());
        }
        Ok(())
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let lines = std::fs::read_to_string(root.join(PAIRS))?;
    let pairs = lines.lines().map(serde_json::from_str).collect::<Result<Vec<Pair>, _>>()?;
    println!(
        "{:<14} {:>15} {:>15} {:>15} {:>15}",
        format!("{} pairs", pairs.len()),
        "on one core",
        "p50",
        "p99",
        "slowest"
    );
    let ours = Times::new(pairs.iter().map(time).collect());
    ours.print("math");
    if let Some(theirs) = library_times(root)? {
        theirs.print("Math-Verify");
        println!("{:<14} {:>12.0} times", "ratio", ours.rate() / theirs.rate());
    }
    slowest_text().print("mebibytes")?;
    slowest_expression().print("pairs of long expressions")
}
