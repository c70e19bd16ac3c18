//! Everyday requests, fulfilled with nothing but what the server says: `tests/tasks/` holds them as data.
//!
//! `cargo test --test it tasks -- --nocapture` prints calls and characters of the scripted player. A model is put behind
//! the same requests by the command line of its client, as CONTRIBUTING.md shows.

#[cfg(unix)]
mod command;
mod scripted;
mod task;
mod world;

use task::Task;
use world::World;

/// The most characters of results that all requests together may take.
const CHARACTERS_MAX: usize = 45_000;

/// The variable that holds the command line of a player.
#[cfg(unix)]
const PLAYER: &str = "TASKS_PLAYER";

/// A task that was played.
pub struct Played {
    calls: usize,
    characters: usize,
    /// The words of the player; the scripted one repeats all that it has read.
    answer: String,
}

/// The figures of several tasks.
#[derive(Default)]
struct Sum {
    calls: usize,
    needed: usize,
    characters: usize,
    failures: Vec<String>,
}

impl Sum {
    fn add(&mut self, task: &Task, played: &Played, faults: &[String]) {
        println!(
            "{:24} {:2} calls of {:2} needed {:6} characters  {}",
            task.name,
            played.calls,
            task.calls,
            played.characters,
            if faults.is_empty() {
                "ok".to_owned()
            } else {
                faults.join("; ")
            }
        );
        self.calls += played.calls;
        self.needed += task.calls;
        self.characters += played.characters;
        let named = faults.iter().map(|fault| format!("{}: {fault}", task.name));
        self.failures.extend(named);
    }

    fn print(&self) {
        println!(
            "{} calls of {} needed, {} characters, {} failures",
            self.calls,
            self.needed,
            self.characters,
            self.failures.len()
        );
    }
}

#[tokio::test]
async fn the_scripted_player_fulfils_every_request_with_the_calls_it_needs() {
    let mut sum = Sum::default();
    for task in task::all() {
        let world = World::of(&task).await;
        let played = scripted::play(&task, world.program(&task)).await;
        sum.add(&task, &played, &world.faults(&task, &played.answer));
    }
    sum.print();
    assert_eq!(sum.failures, Vec::<String>::new());
    assert!(sum.needed >= 20);
    assert_eq!(sum.calls, sum.needed);
    assert!(sum.characters <= CHARACTERS_MAX, "{}", sum.characters);
}

#[cfg(unix)]
#[tokio::test]
#[ignore = "needs a client with a model: see CONTRIBUTING.md"]
async fn a_player_behind_a_command_line_fulfils_every_request() {
    let player = std::env::var(PLAYER).unwrap_or_else(|_| panic!("{PLAYER} is not set"));
    let mut sum = Sum::default();
    for task in task::all() {
        let world = World::of(&task).await;
        let played = command::play(&player, &task, &world.program(&task)).await;
        sum.add(&task, &played, &world.faults(&task, &played.answer));
    }
    sum.print();
    assert_eq!(sum.failures, Vec::<String>::new());
}

/// A shell is a poor player, but its one call counts.
#[cfg(unix)]
#[tokio::test]
async fn the_calls_of_a_player_behind_a_command_line_are_counted() {
    let tasks = task::all();
    let task = tasks.iter().find(|task| task.name == "oldest").unwrap();
    let player = r#"{
        echo '{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"sh","version":"1"}}}'
        echo '{"jsonrpc":"2.0","method":"notifications/initialized"}'
        echo '{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"get_service_accounts","arguments":{"limit":1}}}'
    } | sh -c "$MCP_SERVER""#;
    let world = World::of(task).await;
    let played = command::play(player, task, &world.program(task)).await;
    assert_eq!(played.calls, 1, "{}", played.answer);
    assert!(played.characters > 200, "{}", played.answer);
    assert_eq!(world.faults(task, &played.answer), Vec::<String>::new());
    assert_eq!(
        world.faults(task, "I do not know."),
        ["the answer does not say migration-2024"]
    );
}
