//! The selection of an account by the user, where a call names a place alone.
//! Deletes nothing: a yes-or-no question about the selected account follows.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use super::consent::{Cause, DISAPPEARED, known_place, still_the_same};
use super::failures::{declined, listed, nobody_answered, nothing_seen, nothing_there, refused};
use super::find;
use crate::apc::operations::Listing;
use crate::apc::{Place, ServiceAccount, ServiceAccountId};
use crate::guards::text::harmless;
use crate::tools::places::Gaps;
use crate::tools::user::{Answer, Form, Question, Selection};
use crate::tools::{Call, Code, Failure, NoResult};

const CHOICES: usize = 100;

/// The first choice, since some clients preselect that. Its value cannot be an id.
const NONE: (&str, &str) = ("none of these", "None of these");

/// The longest title of a choice, in characters. Clients cut longer ones.
const TITLE_MAX: usize = 48;

const ROLE_MAX: usize = 20;

/// The numbers of an id's last characters that may stand in a title.
const ENDINGS: RangeInclusive<usize> = 6..=16;

/// Asks the user which account of the place is meant, or finds the one that was selected in an earlier round.
pub(super) async fn select(
    call: &mut Call,
    place: &Place,
) -> Result<(ServiceAccount, Selection), NoResult> {
    let key = format!("select:{}", place.id());
    let account = match call.user.selected(&key) {
        Some(id) => selected(call, place, &id).await?,
        None => choose(call, place, key.clone()).await?,
    };
    let value = account.id.as_str().to_owned();
    Ok((account, Selection { key, value }))
}

async fn selected(call: &Call, place: &Place, id: &str) -> Result<ServiceAccount, Failure> {
    let id = ServiceAccountId::verbatim(id.to_owned());
    let found = find(call, &id, place).await;
    found.map_err(|failure| match failure.code() {
        Code::NotFound => declined("the account has disappeared since it was selected")
            .about_account(&id)
            .about_place(place),
        _ => failure,
    })
}

async fn choose(call: &mut Call, place: &Place, key: String) -> Result<ServiceAccount, NoResult> {
    let listing = call.list(place, |_| true).await?;
    let unread = unread(place, &listing);
    let accounts = listing.accounts;
    match (accounts.is_empty(), listing.is_complete) {
        (true, true) => return Err(nothing_there(place).into()),
        (true, false) => return Err(nothing_seen(place, &unread).into()),
        (false, _) => {}
    }
    let may_answer = call.user.brings_answer() || call.user.can_be_asked();
    if accounts.len() > CHOICES || !may_answer {
        return Err(listed(place, &accounts, &unread).into());
    }
    let question = Question {
        key,
        message: format!(
            "Which service account of {} do you want to delete? You are asked once more before it is deleted.{unread}",
            known_place(call, place).await
        ),
        facts: String::new(),
        form: Form::Select {
            title: "Service account to delete".to_owned(),
            choices: choices(&accounts),
        },
        selection: None,
    };
    match call.ask(&question).await {
        Answer::Yes(value) if value == NONE.0 => {
            let failure = declined("the user chose none of the accounts");
            Err(failure.about_place(place).into())
        }
        Answer::Yes(id) => {
            let mut accounts = accounts.into_iter();
            let chosen = accounts.find(|account| account.id.as_str() == id);
            let chosen = chosen.ok_or_else(|| declined(DISAPPEARED))?;
            still_the_same(call, &chosen).await?;
            Ok(chosen)
        }
        Answer::InputRequired(question) => Err(NoResult::InputRequired(question)),
        Answer::No(refusal) => Err(refused(refusal).about_place(place).into()),
        Answer::NoPerson(machine) => {
            let what = "select an account";
            let failure = nobody_answered(machine, what, Cause::Selection, call.policy());
            Err(failure.about_place(place).into())
        }
        Answer::CannotAsk => Err(listed(place, &accounts, &unread).into()),
    }
}

fn unread(place: &Place, listing: &Listing) -> String {
    let mut gaps = Gaps::default();
    gaps.add_unreadable_accounts(place, listing);
    let notes = gaps.into_notes().into_iter().flatten();
    notes.map(|note| format!(" {note}")).collect()
}

fn choices(accounts: &[ServiceAccount]) -> Vec<(String, String)> {
    let none = (NONE.0.to_owned(), NONE.1.to_owned());
    let ids = accounts.iter().map(|account| account.id.to_string());
    let named = ids.zip(titles(accounts));
    std::iter::once(none).chain(named).collect()
}

/// A title for each account. Titles that would be equal end with as much of the id as tells them apart.
fn titles(accounts: &[ServiceAccount]) -> Vec<String> {
    let plain: Vec<_> = accounts.iter().map(|account| title(account, 0)).collect();
    let is_shared = |title: &String| plain.iter().filter(|other| *other == title).count() > 1;
    let with_endings = |length| -> Vec<String> {
        let both = accounts.iter().zip(&plain);
        both.map(|(account, plain)| match is_shared(plain) {
            true => title(account, length),
            false => plain.clone(),
        })
        .collect()
    };
    let differ = |titles: &Vec<String>| titles.iter().collect::<BTreeSet<_>>().len() == plain.len();
    let found = ENDINGS.map(with_endings).find(differ);
    found.unwrap_or_else(|| with_endings(*ENDINGS.end()))
}

/// Label, role, and so many of the last characters of the id. The question that follows tells the rest.
fn title(account: &ServiceAccount, ending: usize) -> String {
    let role = fitting(account.role().unwrap_or("role unknown"), ROLE_MAX);
    let id = account.id.as_str();
    let beginning = id.chars().count().saturating_sub(ending);
    let last: String = id.chars().skip(beginning).collect();
    let behind = match ending {
        0 => role,
        _ => format!("{role}, …{}", fitting(&last, ending)),
    };
    let room = TITLE_MAX.saturating_sub("'', ".len() + behind.chars().count());
    let label = fitting(account.label.as_deref().unwrap_or_default(), room);
    format!("'{label}', {behind}")
}

/// As much of a text as takes no more characters than this. Escapes take several each.
fn fitting(text: &str, room: usize) -> String {
    let cuts = (0..=room).rev().map(|longest| harmless(text, longest));
    let mut fit = cuts.filter(|cut| cut.chars().count() <= room);
    fit.next().unwrap_or_default()
}
