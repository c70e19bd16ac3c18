//! The state that a client carries from a question to its answer in the stateless era.
//! Only the process that sealed a state opens it, for the same call, for ten minutes, and for one answer.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::{SecureRandom, SystemRandom};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::tools::user::{Form, Question, Selection};

/// The time for which a state can be opened.
pub(super) const LIFETIME: Duration = Duration::from_secs(600);

/// The number of used states that are remembered. Beyond it no state serves until older ones have expired.
const USED_MAX: usize = 10_000;

/// The number that makes each state another one.
type NonceBytes = [u8; NONCE_LEN];

/// The key that seals the states of one process.
pub struct Seal {
    /// Nothing where the system has no random numbers. Then nothing can be asked.
    key: Option<LessSafeKey>,
    random: SystemRandom,
    began: Instant,
    /// The states that have served, with the times of their questions.
    used: Mutex<HashMap<NonceBytes, u64>>,
}

/// A state that this process sealed for the call that brings it.
pub(super) struct OpenedState {
    pub(super) asked: SealedQuestion,
    pub(super) age: Duration,
    number: NonceBytes,
}

/// The question that a user saw, as far as the answer depends on it.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct SealedQuestion {
    pub(super) key: String,
    facts: String,
    choices: Vec<(String, String)>,
    pub(super) selection: Option<Selection>,
    /// The time of the question, in milliseconds since the seal was made.
    at: u64,
}

impl SealedQuestion {
    /// Tells whether the user saw the same facts, and the same text for this value.
    pub(super) fn showed(&self, question: &Question, value: &str) -> bool {
        let now = choices(&question.form).iter();
        let mut now = now.filter(|(choice, _)| choice == value);
        self.facts == question.facts && now.all(|choice| self.choices.contains(choice))
    }
}

fn choices(form: &Form) -> &[(String, String)] {
    match form {
        Form::Confirm { .. } => &[],
        Form::Select { choices, .. } => choices,
    }
}

impl Default for Seal {
    fn default() -> Self {
        let random = SystemRandom::new();
        let mut bytes = [0; 32];
        let key = random.fill(&mut bytes);
        let key = key.and_then(|()| UnboundKey::new(&CHACHA20_POLY1305, &bytes));
        Self {
            key: key.ok().map(LessSafeKey::new),
            random,
            began: Instant::now(),
            used: Mutex::default(),
        }
    }
}

impl Seal {
    /// Seals a question that is put now, for this call.
    pub(super) fn seal(&self, call: &[u8], question: &Question) -> Option<String> {
        let asked = SealedQuestion {
            key: question.key.clone(),
            facts: question.facts.clone(),
            choices: choices(&question.form).to_vec(),
            selection: question.selection.clone(),
            at: self.now(),
        };
        let mut nonce = [0; NONCE_LEN];
        self.random.fill(&mut nonce).ok()?;
        let mut sealed = serde_json::to_vec(&asked).ok()?;
        let unique = Nonce::assume_unique_for_key(nonce);
        let key = self.key.as_ref()?;
        key.seal_in_place_append_tag(unique, Aad::from(call), &mut sealed)
            .ok()?;
        Some(URL_SAFE_NO_PAD.encode([&nonce[..], &sealed].concat()))
    }

    /// The question in a state that this process sealed for this call.
    pub(super) fn open(&self, call: &[u8], state: &str) -> Option<OpenedState> {
        let state = URL_SAFE_NO_PAD.decode(state).ok()?;
        let (number, sealed) = state.split_first_chunk()?;
        let nonce = Nonce::assume_unique_for_key(*number);
        let mut sealed = sealed.to_vec();
        let key = self.key.as_ref()?;
        let opened = key.open_in_place(nonce, Aad::from(call), &mut sealed);
        let asked: SealedQuestion = serde_json::from_slice(opened.ok()?).ok()?;
        let age = Duration::from_millis(self.now().checked_sub(asked.at)?);
        let number = *number;
        (age < LIFETIME).then_some(OpenedState { asked, age, number })
    }

    /// Uses a state for an answer, and tells whether it is the first one.
    pub(super) fn spend(&self, state: &OpenedState) -> bool {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        if used.len() >= USED_MAX {
            let now = Duration::from_millis(self.now());
            used.retain(|_, at| now.saturating_sub(Duration::from_millis(*at)) < LIFETIME);
        }
        used.len() < USED_MAX && used.insert(state.number, state.asked.at).is_none()
    }

    /// Tells whether a state has served already.
    pub(super) fn is_spent(&self, state: &OpenedState) -> bool {
        let used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        used.contains_key(&state.number)
    }

    fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const CALL: &[u8] = b"delete a";

    fn question() -> Question {
        Question {
            key: "select:w".to_owned(),
            message: "Which one?".to_owned(),
            facts: "in Analytics".to_owned(),
            form: Form::Select {
                title: "Account".to_owned(),
                choices: vec![("a".to_owned(), "'ci'".to_owned())],
            },
            selection: None,
        }
    }

    #[test]
    fn a_state_is_opened_by_its_process_for_its_call_and_by_no_other() {
        let seal = Seal::default();
        let state = seal.seal(CALL, &question()).unwrap();
        let asked = seal.open(CALL, &state).unwrap().asked;
        assert_eq!(asked.key, "select:w");
        assert!(seal.open(b"delete b", &state).is_none(), "another call");
        assert!(
            Seal::default().open(CALL, &state).is_none(),
            "another process"
        );
    }

    #[test]
    fn a_state_hides_what_it_holds_and_is_never_the_same() {
        let seal = Seal::default();
        let [first, second] = [(); 2].map(|()| seal.seal(CALL, &question()).unwrap());
        assert_ne!(first, second);
        let bytes = URL_SAFE_NO_PAD.decode(first).unwrap();
        assert!(!String::from_utf8_lossy(&bytes).contains("Analytics"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_state_expires_after_ten_minutes() {
        let seal = Seal::default();
        let state = seal.seal(CALL, &question()).unwrap();
        tokio::time::advance(LIFETIME - Duration::from_millis(1)).await;
        let opened = seal.open(CALL, &state).unwrap();
        assert_eq!(opened.age, LIFETIME - Duration::from_millis(1));
        tokio::time::advance(Duration::from_millis(1)).await;
        assert!(seal.open(CALL, &state).is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn a_state_serves_once_and_those_that_have_served_take_bounded_memory() {
        let seal = Seal::default();
        let fresh = || {
            let state = seal.seal(CALL, &question()).unwrap();
            seal.open(CALL, &state).unwrap()
        };
        for _ in 0..USED_MAX {
            let state = fresh();
            assert!(!seal.is_spent(&state));
            assert!(seal.spend(&state));
            assert!(seal.is_spent(&state));
            assert!(!seal.spend(&state));
        }
        assert!(
            !seal.spend(&fresh()),
            "none is forgotten while it can be opened"
        );
        tokio::time::advance(LIFETIME).await;
        assert!(seal.spend(&fresh()));
        assert_eq!(seal.used.lock().unwrap().len(), 1);
    }

    #[test]
    fn a_question_that_reads_otherwise_was_not_shown() {
        let seal = Seal::default();
        let state = seal.seal(CALL, &question()).unwrap();
        let asked = seal.open(CALL, &state).unwrap().asked;
        assert!(asked.showed(&question(), "a"));
        let mut renamed = question();
        renamed.form = Form::Select {
            title: "Account".to_owned(),
            choices: vec![("a".to_owned(), "'production'".to_owned())],
        };
        assert!(!asked.showed(&renamed, "a"));
        let mut moved = question();
        moved.facts = "in Data Science".to_owned();
        assert!(!asked.showed(&moved, "a"));
    }

    proptest! {
        #[test]
        fn a_state_that_was_altered_is_not_opened(at in 0_usize..2000, flip in 1_u8..) {
            let seal = Seal::default();
            let state = seal.seal(CALL, &question()).unwrap();
            let mut bytes = URL_SAFE_NO_PAD.decode(&state).unwrap();
            let at = at % bytes.len();
            bytes[at] ^= flip;
            prop_assert!(seal.open(CALL, &URL_SAFE_NO_PAD.encode(&bytes)).is_none());
            prop_assert!(seal.open(CALL, &URL_SAFE_NO_PAD.encode(&bytes[..at])).is_none());
            prop_assert!(seal.open(CALL, &state[..state.len() - 1]).is_none());
        }

        #[test]
        fn a_state_that_was_invented_is_not_opened(state in ".{0,200}") {
            prop_assert!(Seal::default().open(CALL, &state).is_none());
        }
    }
}
