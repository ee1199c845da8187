//! Inputs that nobody thought of: made from good ones by steps that know what they are
//! made of, so that they get past checksums and syntax.
//!
//! A report that is like none before it has its input kept, and others are made from it. All of it follows from one seed. An input that fails is made with as few of its
//! steps as still fail, written to a file, and shown.
//!
//! A second each, and a minute each with `--include-ignored`. For as long as one likes:
//! `PROFILER_FUZZ_SECONDS=3600 cargo test -p profiler --test replay -- --ignored fuzz`;
//! the same once more: `PROFILER_FUZZ_SEED`.

mod facts;
mod json;
mod payload;
mod recordings;
mod reports;

use std::{
    collections::HashSet,
    fmt::Write as _,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    panic::{AssertUnwindSafe, catch_unwind},
    path::PathBuf,
    sync::{Arc, Mutex, mpsc},
    thread,
    time::{Duration, Instant, SystemTime},
};

use fastrand::Rng;

use profiler::lab::proof::{self, Line, Part};

use crate::reports::own_time;

const SECONDS: &str = "PROFILER_FUZZ_SECONDS";
const SEED: &str = "PROFILER_FUZZ_SEED";

/// Not a limit that anything is measured against: whatever takes longer hangs.
const HANGS: Duration = Duration::from_secs(120);

/// Larger inputs only take longer.
const LARGEST: usize = 48 << 10;

/// Inputs that are kept to make others from.
const KEPT: usize = 3_000;

/// What can be done to a kind of input.
trait Target {
    const NAME: &str;
    type Input: Clone;

    /// Inputs that are good.
    fn seeds(&self) -> Vec<Self::Input>;

    /// One step away from a good input; `other` is one to take something from.
    fn step(&self, input: &mut Self::Input, other: &Self::Input, random: &mut Rng);

    fn bytes(&self, input: &Self::Input) -> Vec<u8>;

    /// Panics if anything is wrong; says how it ended otherwise.
    fn check(&self, bytes: &[u8]) -> Ending;
}

/// How an input ended.
struct Ending {
    /// It made a report.
    accepted: bool,
    /// What it was like: of inputs with the same words one is enough.
    like: String,
}

impl Ending {
    /// What was said, without the numbers in it.
    fn said(accepted: bool, words: &str) -> Self {
        let like = words.chars().filter(|c| !c.is_ascii_digit()).collect();
        Self { accepted, like }
    }

    fn kind(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        (self.accepted, &self.like).hash(&mut hasher);
        hasher.finish()
    }
}

/// In every run of the tests: always the same inputs first.
fn for_a_second<T: Target>(target: &T) {
    campaign(target, Duration::from_secs(1), 1);
}

fn for_long<T: Target>(target: &T) {
    let number = |name| Some(std::env::var(name).ok()?.parse::<u64>().expect("a number"));
    let clock = || {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        now.map_or(0, |now| now.as_nanos() as u64)
    };
    let seconds = number(SECONDS).unwrap_or(60);
    let seed = number(SEED).unwrap_or_else(clock);
    campaign(target, Duration::from_secs(seconds), seed);
}

fn campaign<T: Target>(target: &T, time: Duration, seed: u64) {
    println!("{}: {SEED}={seed}", T::NAME);
    let watch = Watch::new(T::NAME, seed);
    let mut random = Rng::with_seed(seed);
    let mut inputs = target.seeds();
    let mut kinds = HashSet::new();
    let (mut tried, mut accepted) = (0u64, 0u64);
    let mut longest = (Duration::ZERO, 0);
    let started = Instant::now();
    while started.elapsed() < time {
        let parent = inputs[random.usize(..inputs.len())].clone();
        let other = inputs[random.usize(..inputs.len())].clone();
        // One step most often: the more, the less is left of what was good.
        let steps = [1, 1, 1, 2, 2, 3, 4, 6][random.usize(..8)];
        let steps: Vec<u64> = (0..steps).map(|_| random.u64(..)).collect();
        let made = |steps: &[u64]| {
            let mut input = parent.clone();
            for &step in steps {
                target.step(&mut input, &other, &mut Rng::with_seed(step));
            }
            input
        };
        let input = made(&steps);
        let bytes = target.bytes(&input);
        if bytes.len() > LARGEST {
            continue;
        }
        tried += 1;
        watch.trying(tried, &bytes);
        let began = own_time();
        let Some(ending) = checked(target, &bytes) else {
            let steps = fewest(steps, |some| {
                checked(target, &target.bytes(&made(some))).is_none()
            });
            let bytes = target.bytes(&made(&steps));
            panic!("input {tried} fails, {}", kept(T::NAME, seed, &bytes));
        };
        longest = longest.max((own_time() - began, tried));
        accepted += u64::from(ending.accepted);
        if kinds.insert(ending.kind()) && ending.accepted && inputs.len() < KEPT {
            inputs.push(input);
        }
    }
    let seconds = started.elapsed().as_secs_f64();
    println!(
        "{}: {tried} inputs in {seconds:.1} s ({:.0}/s), {accepted} of them made a report; {} \
         different endings; the slowest, number {}, took {:?} of CPU",
        T::NAME,
        tried as f64 / seconds,
        kinds.len(),
        longest.1,
        longest.0,
    );
    assert!(
        tried < 100 || (accepted > 0 && kinds.len() > 5),
        "{}: nothing was tried",
        T::NAME
    );
    proof::record(&Line::Witness {
        part: Part::Damage,
        what: T::NAME,
        provoked: "made at random from good ones, checksums and syntax mended",
        witness: "no panic, bounded memory; what is accepted adds up and fits its schema",
        asked: tried,
        agreed: tried,
    })
    .expect("to be written down");
}

fn checked<T: Target>(target: &T, bytes: &[u8]) -> Option<Ending> {
    catch_unwind(AssertUnwindSafe(|| target.check(bytes))).ok()
}

/// Leaves out what is not needed.
fn fewest(mut steps: Vec<u64>, fails: impl Fn(&[u64]) -> bool) -> Vec<u64> {
    let mut at = 0;
    while at < steps.len() && steps.len() > 1 {
        let mut fewer = steps.clone();
        fewer.remove(at);
        if fails(&fewer) {
            steps = fewer;
        } else {
            at += 1;
        }
    }
    steps
}

/// Writes an input where it can be looked at, and says where.
fn kept(name: &str, seed: u64, bytes: &[u8]) -> String {
    const SHOWN: usize = 4096;
    let file = format!("fuzz-{}-{seed}", name.replace(' ', "-"));
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(file);
    let written = std::fs::write(&path, bytes);
    let mut text = format!(
        "{SEED}={seed}; its {} bytes are in {} ({written:?}):\n",
        bytes.len(),
        path.display()
    );
    for byte in bytes.iter().take(SHOWN) {
        let _ = write!(text, "{byte:02x}");
    }
    if bytes.len() > SHOWN {
        text.push('…');
    }
    text
}

/// Ends the program if an input hangs, and says which.
struct Watch {
    now: Arc<Mutex<(u64, Vec<u8>)>>,
    _alive: mpsc::Sender<()>,
}

impl Watch {
    fn new(name: &'static str, seed: u64) -> Self {
        let now = Arc::new(Mutex::new((0, Vec::new())));
        let (alive, ended) = mpsc::channel();
        let seen = Arc::clone(&now);
        thread::spawn(move || {
            let mut last = 0;
            while ended.recv_timeout(HANGS) == Err(mpsc::RecvTimeoutError::Timeout) {
                let now = seen.lock().expect("nobody panics with it");
                if now.0 == last {
                    eprintln!("input {last} hangs, {}", kept(name, seed, &now.1));
                    std::process::abort();
                }
                last = now.0;
            }
        });
        Self { now, _alive: alive }
    }

    fn trying(&self, number: u64, bytes: &[u8]) {
        let mut now = self.now.lock().expect("nobody panics with it");
        now.0 = number;
        now.1.clear();
        now.1.extend_from_slice(bytes);
    }
}

#[test]
fn only_the_steps_that_matter_are_left() {
    let fails = |steps: &[u64]| steps.contains(&3) && steps.contains(&5);
    assert_eq!(fewest(vec![1, 3, 2, 5, 4], fails), [3, 5]);
}
