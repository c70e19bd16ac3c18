//! Measures the server beside a hand-written floor and a raw HTTP client, all in one run:
//! `cargo bench --bench cost`, or with `-- --quick` for fewer rounds, or with `-- --executable PATH` for a server that is
//! built already, such as a static one.
//!
//! Prints one table and judges it; a figure over its budget is marked, and that is all. A megabyte is
//! 1,000,000 bytes. What is measured against something is measured in turns with it.

// It is for people at a terminal, and what fails here fails before their eyes.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr
)]

mod api;
#[allow(dead_code, reason = "each benchmark needs its part of it")]
mod session;

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use api::{ACCOUNTS, Api, DEPLOYMENTS, FEW, MANY, TOKEN, UNUSED, WORKSPACES};
use session::{Program, Session};

/// The number of concurrent calls in the rows with many.
const IN_FLIGHT: u32 = 64;

/// The latency of an API that is as far away as a real one.
const FAR: Duration = Duration::from_millis(20);

/// The number of repetitions of each measurement.
struct Effort {
    rounds: usize,
    lives: usize,
    calls: usize,
    lists: usize,
    far_calls: u32,
    idle: Duration,
}

const FULL: Effort = Effort {
    rounds: 5,
    lives: 40,
    calls: 1_000,
    lists: 11,
    far_calls: 6_400,
    idle: Duration::from_secs(5),
};

const QUICK: Effort = Effort {
    rounds: 2,
    lives: 10,
    calls: 200,
    lists: 5,
    far_calls: 1_280,
    idle: Duration::from_secs(1),
};

fn main() -> io::Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let effort = match arguments.iter().any(|argument| argument == "--quick") {
        true => QUICK,
        false => FULL,
    };
    let mut named = arguments.iter().skip_while(|one| *one != "--executable");
    let directory = tempfile::tempdir()?;
    let api = Api::start()?;
    let floor = Program::new(build_floor(directory.path())?);
    let home = directory.path().to_string_lossy();
    let executable = match named.nth(1) {
        Some(path) => session::copied(Path::new(path), directory.path())?,
        None => session::build_released(directory.path())?,
    };
    let server = Program::new(&executable)
        .env("HOME", home.clone())
        .env("APC_API_URL", api.url())
        .env("APC_API_TOKEN", TOKEN);
    let large = Api::start_large()?;
    large.set_latency(FAR);
    let large = Program::new(&executable)
        .env("HOME", home)
        .env("APC_API_URL", large.url())
        .env("APC_API_TOKEN", TOKEN);
    let stage = Stage {
        api,
        server,
        floor,
        large,
    };
    let mut rounds = Vec::new();
    for number in 1..=effort.rounds {
        eprintln!("round {number} of {}", effort.rounds);
        rounds.push(stage.round(&effort)?);
    }
    let wake_ups = stage.wake_ups(effort.idle)?;
    println!(
        "{} processors, load {}, medians of {} rounds\n",
        thread::available_parallelism()?,
        std::fs::read_to_string("/proc/loadavg")?
            .split(' ')
            .next()
            .unwrap_or_default(),
        effort.rounds
    );
    let size_mb = std::fs::metadata(&executable)?.len() as f64 / 1e6;
    print(&table(&rounds, wake_ups, size_mb, &stage.words()?));
    Ok(())
}

fn build_floor(directory: &Path) -> io::Result<PathBuf> {
    let program = directory.join("floor");
    let status = Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()))
        .args([
            "--edition=2024",
            "-O",
            "-Cstrip=symbols",
            "-Cpanic=abort",
            "-o",
        ])
        .args([
            &program,
            &Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/floor.rs"),
        ])
        .status()?;
    match status.success() {
        true => Ok(program),
        false => Err(io::Error::other("the floor does not build")),
    }
}

/// All that takes part.
struct Stage {
    api: Api,
    server: Program,
    floor: Program,
    /// The server beside a large installation.
    large: Program,
}

/// Every figure once. Each is a median itself where that makes sense.
struct Round {
    life: Life,
    floor_life: Life,
    idle: Idle,
    floor_idle: Idle,
    call_us: f64,
    raw_call_us: f64,
    cpu_s_per_1000: f64,
    peak_mb: f64,
    far_rate: f64,
    raw_far_rate: f64,
    long: LongList,
    places: AllPlaces,
}

struct Life {
    initialized_ms: f64,
    first_call_ms: f64,
    cpu_ms: f64,
    exit_ms: f64,
}

struct Idle {
    resident_mb: f64,
    anonymous_mb: f64,
    threads: f64,
}

struct LongList {
    page_100_ms: f64,
    page_100_peak_mb: f64,
    page_200_ms: f64,
    raw_ms: f64,
}

struct AllPlaces {
    seconds: f64,
    peak_mb: f64,
}

/// The texts that a model has to read.
struct Words {
    tools: usize,
    unused_50: usize,
    used_50: usize,
}

impl Stage {
    fn round(&self, effort: &Effort) -> io::Result<Round> {
        let mut lives = Vec::new();
        let mut floor_lives = Vec::new();
        for _ in 0..effort.lives {
            lives.push(life(&self.server)?);
            floor_lives.push(life(&self.floor)?);
        }
        let (call_us, raw_call_us) = self.one_call(effort.calls)?;
        let (cpu_s_per_1000, peak_mb) = self.many_calls()?;
        let (far_rate, raw_far_rate) = self.far_calls(effort.far_calls)?;
        Ok(Round {
            life: Life::median(&lives),
            floor_life: Life::median(&floor_lives),
            idle: idle(&self.server)?,
            floor_idle: idle(&self.floor)?,
            call_us,
            raw_call_us,
            cpu_s_per_1000,
            peak_mb,
            far_rate,
            raw_far_rate,
            long: self.long_list(effort.lists)?,
            places: self.all_places()?,
        })
    }

    /// One call after the other, in turns with the request that it makes.
    fn one_call(&self, number: usize) -> io::Result<(f64, f64)> {
        let mut session = self.server.open()?;
        let mut raw = self.api.raw_client(FEW)?;
        session.calls(&few(), 50, 1)?;
        let (mut calls, mut requests) = (Vec::new(), Vec::new());
        for _ in 0..number {
            calls.push(micros(|| session.call(&few()).map(drop))?);
            requests.push(micros(|| raw.ask())?);
        }
        session.end()?;
        Ok((median(calls), median(requests)))
    }

    fn many_calls(&self) -> io::Result<(f64, f64)> {
        let mut session = self.server.open()?;
        session.calls(&few(), 500, IN_FLIGHT)?;
        let before = session.cpu()?;
        session.calls(&few(), 5_000, IN_FLIGHT)?;
        let cpu = session.cpu()? - before;
        let peak = megabytes(session.status("VmHWM")?);
        session.end()?;
        Ok((cpu.as_secs_f64() / 5.0, peak))
    }

    /// Calls a second where the API is far away.
    fn far_calls(&self, number: u32) -> io::Result<(f64, f64)> {
        let mut session = self.server.open()?;
        session.calls(&few(), 500, IN_FLIGHT)?;
        self.api.set_latency(FAR);
        let since = Instant::now();
        session.calls(&few(), number, IN_FLIGHT)?;
        let rate = f64::from(number) / since.elapsed().as_secs_f64();
        let raw_rate = self.raw_rate(number);
        self.api.set_latency(Duration::ZERO);
        session.end()?;
        Ok((rate, raw_rate?))
    }

    fn raw_rate(&self, number: u32) -> io::Result<f64> {
        let clients: io::Result<Vec<_>> =
            (0..IN_FLIGHT).map(|_| self.api.raw_client(FEW)).collect();
        let since = Instant::now();
        let asking = clients?.into_iter().map(|mut client| {
            thread::spawn(move || (0..number / IN_FLIGHT).try_for_each(|_| client.ask()))
        });
        for asked in asking.collect::<Vec<_>>() {
            asked.join().unwrap()?;
        }
        Ok(f64::from(number) / since.elapsed().as_secs_f64())
    }

    /// A page out of 10,000 accounts, in turns with the request that brings them all.
    fn long_list(&self, number: usize) -> io::Result<LongList> {
        let mut session = self.server.open()?;
        let mut raw = self.api.raw_client(MANY)?;
        session.call(&few())?;
        let (mut hundreds, mut two_hundreds, mut requests) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..number {
            hundreds.push(micros(|| session.call(&page_of(MANY, 100)).map(drop))?);
            requests.push(micros(|| raw.ask())?);
        }
        let page_100_peak_mb = megabytes(session.status("VmHWM")?);
        for _ in 0..number {
            two_hundreds.push(micros(|| session.call(&page_of(MANY, 200)).map(drop))?);
        }
        session.end()?;
        Ok(LongList {
            page_100_ms: median(hundreds) / 1e3,
            page_100_peak_mb,
            page_200_ms: median(two_hundreds) / 1e3,
            raw_ms: median(requests) / 1e3,
        })
    }

    /// Every workspace and deployment of a large installation that is far away, in one call.
    fn all_places(&self) -> io::Result<AllPlaces> {
        let mut session = self.large.open()?;
        let total = WORKSPACES * (1 + DEPLOYMENTS) * ACCOUNTS;
        let since = Instant::now();
        let found = session.call(r#"{"include_deployments":true}"#)?;
        let seconds = since.elapsed().as_secs_f64();
        if !found.contains(&format!(r#""total":{total}"#)) {
            return Err(io::Error::other("not every place was read"));
        }
        let peak_mb = megabytes(session.status("VmHWM")?);
        session.end()?;
        Ok(AllPlaces { seconds, peak_mb })
    }

    /// Counts the wake-ups of an idle server, before its first call and once its connections are gone.
    fn wake_ups(&self, idle: Duration) -> io::Result<f64> {
        let mut session = self.server.open()?;
        let before_any_call = switches_within(&session, idle)?;
        session.call(&few())?;
        // Connections are kept for 5 s.
        thread::sleep(Duration::from_secs(6));
        let after_one = switches_within(&session, idle)?;
        session.end()?;
        Ok(before_any_call + after_one)
    }

    fn words(&self) -> io::Result<Words> {
        let mut session = self.server.open()?;
        let tools = shown(&result(session.ask("tools/list", "{}")?)?);
        let unused_50 = length(&result(session.call(&page_of(UNUSED, 50))?)?);
        let used_50 = length(&result(session.call(&page_of(MANY, 50))?)?);
        session.end()?;
        Ok(Words {
            tools,
            unused_50,
            used_50,
        })
    }
}

/// The length of the tools without the parts that clients keep to themselves, in characters.
fn shown(list: &Value) -> usize {
    let tools = list["tools"].as_array().into_iter().flatten();
    let shown = |tool: &Value| {
        let parts = ["name", "description", "inputSchema"].map(|part| tool[part].to_string());
        parts.concat().chars().count()
    };
    tools.map(shown).sum()
}

/// The length of a result's text, in characters.
fn length(result: &Value) -> usize {
    let text = result["content"][0]["text"].as_str();
    text.unwrap_or_default().chars().count()
}

fn result(answer: &str) -> io::Result<Value> {
    Ok(serde_json::from_str::<Value>(answer)?["result"].take())
}

fn few() -> String {
    format!(r#"{{"workspace_id":"{FEW}"}}"#)
}

fn page_of(workspace: &str, limit: u32) -> String {
    format!(r#"{{"workspace_id":"{workspace}","limit":{limit}}}"#)
}

/// From start to end with one call between.
fn life(program: &Program) -> io::Result<Life> {
    let since = Instant::now();
    let mut session = program.open()?;
    let initialized = since.elapsed();
    session.call(&few())?;
    let first_call = since.elapsed();
    let end = session.end()?;
    Ok(Life {
        initialized_ms: millis(initialized),
        first_call_ms: millis(first_call),
        cpu_ms: millis(end.cpu),
        exit_ms: millis(end.took),
    })
}

impl Life {
    fn median(lives: &[Self]) -> Self {
        let of = |figure: fn(&Self) -> f64| median(lives.iter().map(figure).collect());
        Self {
            initialized_ms: of(|life| life.initialized_ms),
            first_call_ms: of(|life| life.first_call_ms),
            cpu_ms: of(|life| life.cpu_ms),
            exit_ms: of(|life| life.exit_ms),
        }
    }
}

/// Measures a server that has told its tools and waits.
fn idle(program: &Program) -> io::Result<Idle> {
    let mut session = program.open()?;
    session.ask("tools/list", "{}")?;
    thread::sleep(Duration::from_millis(100));
    let idle = Idle {
        resident_mb: megabytes(session.memory("Rss")?),
        anonymous_mb: megabytes(session.memory("Anonymous")?),
        threads: session.status("Threads")?,
    };
    session.end()?;
    Ok(idle)
}

fn switches_within(session: &Session, time: Duration) -> io::Result<f64> {
    thread::sleep(Duration::from_millis(100));
    let before = session.status("voluntary_ctxt_switches")?;
    thread::sleep(time);
    Ok(session.status("voluntary_ctxt_switches")? - before)
}

fn micros(work: impl FnOnce() -> io::Result<()>) -> io::Result<f64> {
    let since = Instant::now();
    work()?;
    Ok(since.elapsed().as_secs_f64() * 1e6)
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

/// The system counts in units of 1,024 bytes.
fn megabytes(kibibytes: f64) -> f64 {
    kibibytes * 1024.0 / 1e6
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_unstable_by(f64::total_cmp);
    figures[figures.len() / 2]
}

/// One line of the table.
struct Line {
    what: &'static str,
    measured: f64,
    beside: Option<(&'static str, f64)>,
    budget: Budget,
}

enum Budget {
    Most(f64),
    /// So many times what stands beside it.
    Times(f64),
    NoLessThanTimes(f64),
}

fn table(rounds: &[Round], wake_ups: f64, size_mb: f64, words: &Words) -> Vec<Line> {
    use Budget::{Most, NoLessThanTimes, Times};
    let of = |figure: fn(&Round) -> f64| median(rounds.iter().map(figure).collect());
    let floor = |figure: fn(&Round) -> f64| Some(("floor", of(figure)));
    let raw = |figure: fn(&Round) -> f64| Some(("raw", of(figure)));
    let line = |what, measured, beside, budget| Line {
        what,
        measured,
        beside,
        budget,
    };
    vec![
        line(
            "spawn → initialize answered, ms",
            of(|round| round.life.initialized_ms),
            floor(|round| round.floor_life.initialized_ms),
            Times(1.8),
        ),
        line(
            "spawn → first tools/call result, ms",
            of(|round| round.life.first_call_ms),
            floor(|round| round.floor_life.first_call_ms),
            Times(2.7),
        ),
        line(
            "CPU of one life (start, one call, exit), ms",
            of(|round| round.life.cpu_ms),
            floor(|round| round.floor_life.cpu_ms),
            Most(3.5),
        ),
        line(
            "end of input → exit, ms",
            of(|round| round.life.exit_ms),
            floor(|round| round.floor_life.exit_ms),
            Most(1.0),
        ),
        line(
            "one call minus the raw HTTP round trip, µs",
            of(|round| round.call_us - round.raw_call_us),
            raw(|round| round.raw_call_us),
            Most(150.0),
        ),
        line(
            "CPU s per 1,000 calls, 64 in flight",
            of(|round| round.cpu_s_per_1000),
            None,
            Most(0.05),
        ),
        line(
            "calls/s at 20 ms upstream latency",
            of(|round| round.far_rate),
            raw(|round| round.raw_far_rate),
            NoLessThanTimes(0.92),
        ),
        line(
            "10,000 accounts, a page of 100, ms",
            of(|round| round.long.page_100_ms),
            raw(|round| round.long.raw_ms),
            Most(15.0),
        ),
        line(
            "10,000 accounts, a page of 100, peak MB",
            of(|round| round.long.page_100_peak_mb),
            None,
            Most(19.0),
        ),
        line(
            "10,000 accounts, a page of 200, ms",
            of(|round| round.long.page_200_ms),
            raw(|round| round.long.raw_ms),
            Most(15.0),
        ),
        line(
            "200 workspaces × 10 deployments at 20 ms, one call, s",
            of(|round| round.places.seconds),
            None,
            Most(4.5),
        ),
        line(
            "200 workspaces × 10 deployments, peak MB",
            of(|round| round.places.peak_mb),
            None,
            Most(19.0),
        ),
        line(
            "idle, resident MB",
            of(|round| round.idle.resident_mb),
            floor(|round| round.floor_idle.resident_mb),
            Most(7.5),
        ),
        line(
            "idle, anonymous MB",
            of(|round| round.idle.anonymous_mb),
            floor(|round| round.floor_idle.anonymous_mb),
            Most(1.0),
        ),
        line(
            "peak after 5,000 calls, MB",
            of(|round| round.peak_mb),
            None,
            Most(13.0),
        ),
        line(
            "threads",
            of(|round| round.idle.threads),
            floor(|round| round.floor_idle.threads),
            Most(1.0),
        ),
        line("wake-ups while idle", wake_ups, None, Most(0.0)),
        line("executable, MB", size_mb, None, Most(9.0)),
        line(
            "the tools as a model sees them, characters",
            words.tools as f64,
            None,
            Most(3_900.0),
        ),
        line(
            "50 accounts never used, characters",
            words.unused_50 as f64,
            None,
            Most(12_500.0),
        ),
        line(
            "50 accounts with every date, characters",
            words.used_50 as f64,
            None,
            Most(12_500.0),
        ),
    ]
}

impl Line {
    fn is_kept(&self) -> bool {
        let beside = self.beside.map_or(f64::NAN, |(_, figure)| figure);
        match self.budget {
            Budget::Most(limit) => self.measured <= limit,
            Budget::Times(times) => self.measured <= times * beside,
            Budget::NoLessThanTimes(times) => self.measured >= times * beside,
        }
    }

    /// The budget, and how many times the figure is what it is held against.
    fn budget(&self) -> String {
        let (name, figure) = self.beside.unwrap_or(("", f64::NAN));
        let times = self.measured / figure;
        match self.budget {
            Budget::Most(limit) => format!("≤ {}", short(limit)),
            Budget::Times(limit) => format!("≤ {limit} × {name} (is {times:.2})"),
            Budget::NoLessThanTimes(limit) => format!("≥ {limit} × {name} (is {times:.2})"),
        }
    }
}

/// A table that reads as well in a document.
fn print(lines: &[Line]) {
    println!(
        "| {:43} | {:>8} | {:>12} | {:25} | {:4} |",
        "", "measured", "beside it", "budget", ""
    );
    println!(
        "|{:-<45}|{:->9}:|{:->13}:|{:-<27}|{:-<6}|",
        "", "", "", "", ""
    );
    for line in lines {
        let beside = line.beside.map_or(String::new(), |(name, figure)| {
            format!("{name} {}", short(figure))
        });
        println!(
            "| {:43} | {:>8} | {beside:>12} | {:25} | {:4} |",
            line.what,
            short(line.measured),
            line.budget(),
            if line.is_kept() { "ok" } else { "OVER" },
        );
    }
}

/// Three digits or so; more would be noise.
fn short(figure: f64) -> String {
    match figure.abs() {
        whole if whole.fract() == 0.0 || whole >= 100.0 => format!("{figure:.0}"),
        10.0.. => format!("{figure:.1}"),
        0.1.. => format!("{figure:.2}"),
        _ => format!("{figure:.4}"),
    }
}
