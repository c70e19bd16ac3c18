//! The scripted player. It takes every value from the request, from the tools' own words, or from what a call has answered;
//! a value from anywhere else fails its test, since a model could not know it either.

use serde_json::{Map, Value, json};

use super::Played;
use super::task::{Step, Task};
use crate::support::clients::{First, Question, REACTION, can_ask};
use crate::support::harness::{Era, Outcome, Program, Session};

/// A player in the middle of a task.
struct Player<'a> {
    task: &'a Task,
    session: Session,
    /// Everything that it has read.
    read: String,
    results: Vec<Outcome>,
    characters: usize,
}

/// Plays the script of a task.
pub async fn play(task: &Task, program: Program) -> Played {
    let capabilities = task.user.as_ref().map_or(json!({}), |_| can_ask());
    let mut session = program.capable(capabilities).spawn(Era::USUAL);
    let opened = session.open().await;
    let instructions = opened["instructions"].as_str().unwrap().to_owned();
    let tools = serde_json::to_string(&session.list_tools().await).unwrap();
    let mut player = Player {
        task,
        session,
        read: [&task.request, &instructions, &tools]
            .map(String::as_str)
            .join("\n"),
        results: Vec::new(),
        characters: 0,
    };
    for step in &task.script {
        player.step(step).await;
    }
    let texts = player.results.iter().map(Outcome::text);
    let answer: Vec<_> = [instructions.as_str()].into_iter().chain(texts).collect();
    Played {
        calls: player.results.len(),
        characters: player.characters,
        answer: answer.join("\n"),
    }
}

impl Player<'_> {
    async fn step(&mut self, step: &Step) {
        let Some(rows) = &step.for_each else {
            let arguments = self.arguments(&step.arguments, &Value::Null);
            return self.call(&step.tool, arguments).await;
        };
        let rows = self.value(rows, self.results.len() - 1);
        let wanted = step.only.as_ref();
        let wanted = wanted.map(|(field, path)| (field, self.value(path, self.results.len() - 1)));
        for row in rows.as_array().unwrap() {
            if wanted
                .as_ref()
                .is_none_or(|(field, value)| row[*field] == *value)
            {
                let arguments = self.arguments(&step.arguments, row);
                self.call(&step.tool, arguments).await;
            }
        }
    }

    async fn call(&mut self, tool: &str, arguments: Value) {
        self.check_known(tool, &arguments);
        let outcome = match self.session.first(tool, arguments).await {
            First::Outcome(outcome) => outcome,
            First::Question(question) => self.answer(*question).await,
        };
        self.characters += outcome.text().chars().count();
        self.read.push_str(outcome.text());
        self.results.push(outcome);
    }

    /// Answers as the user of the task does.
    async fn answer(&mut self, question: Question) -> Outcome {
        tokio::time::sleep(REACTION).await;
        let user = self.task.user.as_deref().unwrap();
        match user.split_once(' ') {
            Some((_, label)) => {
                let choices = question.choices();
                let chosen = choices.iter().find(|(_, title)| title.contains(label));
                let id = chosen.unwrap().0.clone();
                self.session.select(question, &id).await
            }
            None if user == "yes" => {
                let yes = question.accept(true);
                self.session.answer(question, yes).await
            }
            None => {
                let no = json!({"action": "decline"});
                self.session.answer(question, no).await
            }
        }
    }

    /// The arguments of a step, with the values that it takes from a row, a result or an error.
    fn arguments(&self, arguments: &Value, row: &Value) -> Value {
        let arguments = arguments.as_object().unwrap().iter();
        let filled = arguments.map(|(name, value)| (name.clone(), self.filled(value, row)));
        Value::Object(filled.collect::<Map<_, _>>())
    }

    fn filled(&self, value: &Value, row: &Value) -> Value {
        let last = self.results.len().wrapping_sub(1);
        if let Some(field) = value["row"].as_str() {
            return row[field].clone();
        }
        if let Some(path) = value["from"].as_str() {
            let step = value["step"].as_u64();
            let step = step.map_or(last, |step| usize::try_from(step).unwrap());
            return self.value(path, step);
        }
        match value["between"].as_array().map(Vec::as_slice) {
            Some([before, after]) => {
                let text = self.results[last].text();
                let rest = text.split_once(before.as_str().unwrap()).unwrap().1;
                json!(rest.split(after.as_str().unwrap()).next())
            }
            _ => value.clone(),
        }
    }

    /// A value of a result. `workspaces?label=Analytics` is the one of them with that label.
    fn value(&self, path: &str, step: usize) -> Value {
        let mut value = self.results[step].structured();
        for part in path.split('/').skip(1) {
            value = match part.split_once('?') {
                Some((list, wanted)) => {
                    let (field, wanted) = wanted.split_once('=').unwrap();
                    let mut items = value[list].as_array().unwrap().iter();
                    items.find(|item| item[field] == wanted).unwrap()
                }
                None => part
                    .parse()
                    .map_or(&value[part], |index: usize| &value[index]),
            };
        }
        assert!(!value.is_null(), "{}: no {path}", self.task.name);
        value.clone()
    }

    /// Every text in the arguments is known from somewhere.
    fn check_known(&self, tool: &str, arguments: &Value) {
        let texts = arguments.as_object().unwrap().iter();
        for (name, value) in texts.filter_map(|(name, value)| Some((name, value.as_str()?))) {
            let known = value.trim_end_matches('*');
            assert!(
                self.read.contains(known.trim_end_matches('-')),
                "{}: nobody has told the player {name} {value} of {tool}",
                self.task.name
            );
        }
    }
}
