//! The user behind a call, as a tool sees them: a question, and the answer to it.
//! Knows no protocol; the session puts the question to the client.

use futures_util::future::BoxFuture;
use rmcp::model::InputRequiredResult;

/// A question to the user.
#[derive(Debug, Clone)]
pub struct Question {
    /// The subject, for instance `delete:<id>`. An answer to another subject is no answer to this.
    pub key: String,
    /// The text that the user reads.
    pub message: String,
    /// The form that the user fills in.
    pub form: Form,
}

/// The form of an answer.
#[derive(Debug, Clone)]
pub enum Form {
    /// A box to tick.
    Confirm {
        /// The text beside the box.
        title: String,
    },
    /// One of several values.
    Select {
        /// The text above the choices.
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
    /// Everything else: declined, cancelled, not ticked, not offered, too late.
    No(&'static str),
    /// The client cannot ask.
    CannotAsk,
    /// The call ends with the question; a second call will bring the answer.
    InputRequired(Box<InputRequiredResult>),
}

/// The user behind a call, and the client through which they are reached.
pub trait User: Send + Sync {
    /// The client's name and version, in its own words.
    fn client(&self) -> String;

    /// Whether the client can show a question.
    fn can_be_asked(&self) -> bool;

    /// Asks the user, or takes the answer that the call brings.
    fn ask<'a>(&'a self, question: &'a Question) -> BoxFuture<'a, Answer>;
}
