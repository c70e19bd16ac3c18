//! The selection of an account by the user, where a call names a place alone.
//! Deletes nothing: a yes-or-no question about the selected account follows.

use super::consent::{known_place, still_the_same};
use super::failures::{declined, listed, nobody_selected, nothing_seen, nothing_there, refused};
use super::find;
use crate::apc::operations::Listing;
use crate::apc::{Place, ServiceAccount, ServiceAccountId};
use crate::guards::text::harmless;
use crate::tools::NoResult;
use crate::tools::context::Call;
use crate::tools::failure::{Code, Failure};
use crate::tools::places::Gaps;
use crate::tools::user::{Answer, Form, Question, Selection};

/// The number of accounts that a user is given to choose from.
const CHOICES: usize = 100;

/// The first choice, since some clients preselect that. Its value cannot be an id.
const NONE: (&str, &str) = ("none of these", "None of these");

/// The longest title of a choice, in characters. Clients cut longer ones.
const TITLE_MAX: usize = 48;

/// The longest role in a title, in characters.
const ROLE_MAX: usize = 20;

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

/// The account that was selected in an earlier round.
async fn selected(call: &Call, place: &Place, id: &str) -> Result<ServiceAccount, Failure> {
    let id = ServiceAccountId::verbatim(id.to_owned());
    find(call, &id, place)
        .await
        .map_err(|failure| match failure.code() {
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
            Err(declined("the user chose none of the accounts")
                .about_place(place)
                .into())
        }
        Answer::Yes(id) => {
            let chosen = accounts
                .into_iter()
                .find(|account| account.id.as_str() == id);
            let chosen = chosen.ok_or_else(|| {
                declined("the account has disappeared since the question was asked")
            })?;
            Ok(still_the_same(call, chosen).await?)
        }
        Answer::InputRequired(question) => Err(NoResult::InputRequired(question)),
        Answer::No(refusal) => Err(refused(refusal).about_place(place).into()),
        Answer::NoPerson(machine) => Err(nobody_selected(machine).about_place(place).into()),
        Answer::CannotAsk => Err(listed(place, &accounts, &unread).into()),
    }
}

/// The sentences on everything that the API could not read of the list.
fn unread(place: &Place, listing: &Listing) -> String {
    let mut gaps = Gaps::default();
    gaps.add_unreadable_accounts(place, listing);
    let notes = gaps.into_notes().into_iter().flatten();
    notes.map(|note| format!(" {note}")).collect()
}

fn choices(accounts: &[ServiceAccount]) -> Vec<(String, String)> {
    let none = (NONE.0.to_owned(), NONE.1.to_owned());
    let named = accounts
        .iter()
        .map(|account| (account.id.as_str().to_owned(), title(account)));
    std::iter::once(none).chain(named).collect()
}

/// Label and role. The question that follows tells the rest.
fn title(account: &ServiceAccount) -> String {
    let role = harmless(account.role().unwrap_or("role unknown"), ROLE_MAX);
    let label = account.label.as_deref().unwrap_or_default();
    let title = |longest| format!("'{}', {role}", harmless(label, longest));
    let fits = |title: &String| title.chars().count() <= TITLE_MAX;
    // Escapes take several characters each.
    let titles = (0..=TITLE_MAX).rev().map(title);
    titles.into_iter().find(fits).unwrap_or(role.clone())
}
