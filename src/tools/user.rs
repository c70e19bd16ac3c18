//! The user behind a call, as a tool sees them: a question, and the answer to it.
//! Knows no protocol; the session puts the question to the client.

use futures_util::future::BoxFuture;
use rmcp::model::InputRequiredResult;
use serde::{Deserialize, Serialize};

/// A question to the user.
#[derive(Debug, Clone)]
pub struct Question {
    /// The subject, for instance `delete:<id>`. An answer to another subject is no answer to this.
    pub key: String,
    /// The text that the user reads.
    pub message: String,
    /// The facts that a yes is about. A yes is void if they are others by the time it arrives.
    pub facts: String,
    /// The form that the user fills in.
    pub form: Form,
    /// The selection that led to this question.
    pub selection: Option<Selection>,
}

/// A value that the user selected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Selection {
    /// The key of the question that offered the value.
    pub key: String,
    /// The value.
    pub value: String,
}

/// The form of an answer.
#[derive(Debug, Clone)]
pub enum Form {
    /// A box to tick.
    Confirm { title: String },
    /// One of several values.
    Select {
        title: String,
        /// The values, each with the text that stands for it.
        choices: Vec<(String, String)>,
    },
}

/// The answer to a question.
#[derive(Debug)]
pub enum Answer {
    /// The user ticked the box, or selected this value, which was offered.
    Yes(String),
    /// Everything else that a person may have answered.
    No(Unanswered),
    /// An answer, and not from a person.
    NoPerson(MachineSign),
    /// The client cannot ask.
    CannotAsk,
    /// The call ends with the question; a second call will bring the answer.
    InputRequired(Box<InputRequiredResult>),
}

/// The reasons why a question was not answered with a yes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unanswered {
    /// The user said no.
    Declined,
    /// The user closed the question.
    Cancelled,
    /// The user accepted without ticking the box.
    NotTicked,
    /// The answer is a value that was not offered.
    NotOffered,
    /// The answer belongs to another question.
    OtherQuestion,
    /// The facts have changed since the question.
    Changed,
    /// The user did not answer in time.
    TimedOut,
    /// The call was taken back, or the session ended.
    CallEnded,
}

/// The signs that an answer did not come from a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MachineSign {
    /// The client said no faster than a person can.
    AtOnce,
    /// The client sent an error in place of an answer.
    Error,
    /// The client sent something that is no answer.
    Unreadable,
    /// The answer came with a state that this process did not issue for this call, or too long ago.
    ForeignState,
}

/// The user behind a call, and the client through which they are reached.
pub trait User: Send + Sync {
    /// The client's name and version, in its own words.
    fn client(&self) -> String;

    /// Tells whether the client can show a question.
    fn can_be_asked(&self) -> bool;

    /// Tells whether the call brings an answer, valid or not: then it follows a question, and is no first call.
    fn brings_answer(&self) -> bool;

    /// The value that the user selected from the question of this key, in an earlier round of this call.
    fn selected(&self, key: &str) -> Option<String>;

    /// Tells the client how far the call has come, if it wants to hear of it.
    fn report(&self, done: u64, total: u64, message: String) -> BoxFuture<'_, ()>;

    /// Asks the user, or takes the answer that the call brings.
    fn ask<'a>(&'a self, question: &'a Question) -> BoxFuture<'a, Answer>;
}
