//! Reads a call's arguments: every value is checked here, before anything is sent.
//! Takes nothing unknown, and names the argument, the value and what is accepted.

use rmcp::model::JsonObject;
use serde_json::Value;

use super::result::{Code, Failure};
use crate::apc::{Label, Role, ServiceAccountId, WorkspaceId};
use crate::guards::policy::Policy;
use crate::guards::secret::Secrets;
use crate::guards::text::quoted;

/// A type that an argument may have.
pub trait Argument: Sized {
    /// Reads the value.
    ///
    /// # Errors
    /// What is accepted, in words.
    fn read(value: &Value) -> Result<Self, String>;
}

/// The arguments of one call, taken out one by one.
pub struct Arguments<'a> {
    given: JsonObject,
    secrets: &'a Secrets,
}

impl<'a> Arguments<'a> {
    /// Arguments of the tool, all of them known to it. Null means omitted.
    ///
    /// # Errors
    /// An argument the tool does not have.
    pub fn new(
        given: Option<JsonObject>,
        tool: &str,
        known: &[&str],
        secrets: &'a Secrets,
    ) -> Result<Self, Failure> {
        let mut given = given.unwrap_or_default();
        if let Some(unknown) = given.keys().find(|name| !known.contains(&name.as_str())) {
            let unknown = quoted(&secrets.scrub(unknown));
            let known = known.join(", ");
            return Err(invalid(format!(
                "{unknown} is not an argument of {tool}; accepted: {known}"
            )));
        }
        given.retain(|_, value| !value.is_null());
        Ok(Self { given, secrets })
    }

    /// An argument that may be omitted.
    ///
    /// # Errors
    /// A value that is not accepted.
    pub fn optional<T: Argument>(&mut self, name: &str) -> Result<Option<T>, Failure> {
        let Some(value) = self.given.remove(name) else {
            return Ok(None);
        };
        let refused = |accepted| {
            invalid(format!(
                "{name} is {}; accepted: {accepted}",
                self.shown(&value)
            ))
        };
        T::read(&value).map(Some).map_err(refused)
    }

    /// An argument that must be given.
    ///
    /// # Errors
    /// A value that is not accepted, or none.
    pub fn required<T: Argument>(&mut self, name: &str) -> Result<T, Failure> {
        let missing = || {
            let accepted = T::read(&Value::Null).err().unwrap_or_default();
            invalid(format!("{name} is missing; accepted: {accepted}"))
        };
        self.optional(name)?.ok_or_else(missing)
    }
}

impl Arguments<'_> {
    /// A refused value, without secrets: they go before it is cut, or a part would stay.
    fn shown(&self, value: &Value) -> String {
        match value {
            Value::String(text) => quoted(&self.secrets.scrub(text)),
            Value::Number(_) | Value::Bool(_) => value.to_string(),
            Value::Array(_) => "an array".to_owned(),
            Value::Object(_) => "an object".to_owned(),
            Value::Null => "null".to_owned(),
        }
    }

    /// The role, where the policy has its say about what is accepted: of the roles that exist, those
    /// above the highest allowed are named with the setting that lifts it.
    ///
    /// # Errors
    /// Anything but the name of a role.
    pub fn role(&mut self, policy: &Policy) -> Result<Role, Failure> {
        let Some(value) = self.given.remove("role") else {
            return Ok(Role::default());
        };
        let allowed: Vec<_> = policy.roles().map(Role::name).collect();
        let off: Vec<_> = Role::ALL
            .into_iter()
            .filter(|role| *role > policy.max_role)
            .map(Role::name)
            .collect();
        let note = match off.is_empty() {
            true => String::new(),
            false => format!(
                " ({} switched off by --max-role, APC_MAX_ROLE)",
                off.join(", ")
            ),
        };
        let refused = || {
            invalid(format!(
                "role is {}; accepted: {}{note}",
                self.shown(&value),
                allowed.join(", ")
            ))
        };
        value.as_str().and_then(Role::named).ok_or_else(refused)
    }
}

fn invalid(what: String) -> Failure {
    Failure::new(
        Code::InvalidArguments,
        format!("{what}. Nothing was sent; call again with that changed."),
    )
}

macro_rules! text_argument {
    ($type:ty) => {
        impl Argument for $type {
            fn read(value: &Value) -> Result<Self, String> {
                let accepted = <$type>::ACCEPTED;
                value
                    .as_str()
                    .ok_or(accepted)
                    .and_then(Self::parse)
                    .map_err(|accepted| accepted.0.to_owned())
            }
        }
    };
}

text_argument!(Label);
text_argument!(WorkspaceId);
text_argument!(ServiceAccountId);

/// A whole number from `MIN` to `MAX`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Whole<const MIN: u64, const MAX: u64>(pub u64);

impl<const MIN: u64, const MAX: u64> Argument for Whole<MIN, MAX> {
    fn read(value: &Value) -> Result<Self, String> {
        // JSON does not tell 10 from 10.0, and some clients send the latter.
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "checked to be whole and in range"
        )]
        let whole = value.as_u64().or_else(|| {
            let number = value.as_f64()?;
            (number.fract() == 0.0 && (0.0..9e15).contains(&number)).then_some(number as u64)
        });
        whole
            .filter(|number| (MIN..=MAX).contains(number))
            .map(Self)
            .ok_or_else(|| format!("a whole number from {MIN} to {MAX}"))
    }
}

/// Text to search for, taken as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Search(pub String);

impl Argument for Search {
    fn read(value: &Value) -> Result<Self, String> {
        let accepted = "text of 1 to 255 characters";
        let text = value.as_str().ok_or(accepted)?;
        let fits = (1..=crate::apc::TEXT_MAX).contains(&text.chars().count());
        if fits {
            Ok(Self(text.to_owned()))
        } else {
            Err(accepted.to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use super::*;
    use serde_json::json;

    type Limit = Whole<1, 1000>;

    fn arguments(given: Value) -> Result<Arguments<'static>, Failure> {
        static SECRETS: LazyLock<Secrets> = LazyLock::new(Secrets::default);
        let known = ["label", "limit", "role"];
        Arguments::new(given.as_object().cloned(), "tool", &known, &SECRETS)
    }

    #[test]
    fn an_unknown_argument_is_named_with_those_that_exist() {
        let failure = arguments(json!({"lable": "ci"})).err().unwrap();
        assert!(
            failure
                .text()
                .starts_with("'lable' is not an argument of tool; accepted: label, limit, role.")
        );
    }

    #[test]
    fn a_wrong_value_is_named_with_what_is_accepted() {
        for (value, expected) in [
            (
                json!("10"),
                "limit is '10'; accepted: a whole number from 1 to 1000.",
            ),
            (json!(0), "limit is 0; accepted"),
            (json!(1001), "limit is 1001; accepted"),
            (json!(1.5), "limit is 1.5; accepted"),
            (json!(-1), "limit is -1; accepted"),
            (json!(1e300), "limit is 1e+300; accepted"),
            (json!(true), "limit is true; accepted"),
            (json!([1]), "limit is an array; accepted"),
        ] {
            let failure = arguments(json!({"limit": value}))
                .and_then(|mut a| a.optional::<Limit>("limit"))
                .err()
                .unwrap();
            assert!(failure.text().starts_with(expected), "{}", failure.text());
        }
    }

    #[test]
    fn null_is_omitted_and_a_whole_float_is_whole() {
        let mut given = arguments(json!({"limit": 10.0, "label": null})).unwrap();
        assert_eq!(given.optional::<Limit>("limit").unwrap(), Some(Whole(10)));
        let failure = given.required::<Label>("label").err().unwrap();
        assert!(
            failure
                .text()
                .starts_with("label is missing; accepted: text of 1 to 255"),
            "{}",
            failure.text()
        );
    }

    #[test]
    fn a_role_is_refused_with_those_that_exist() {
        let failure = arguments(json!({"role": "ADMIN"}))
            .and_then(|mut a| a.role(&Policy::default()))
            .err()
            .unwrap();
        let expected =
            "role is 'ADMIN'; accepted: WORKSPACE_VIEWER, WORKSPACE_EDITOR, WORKSPACE_ADMIN.";
        assert!(failure.text().starts_with(expected), "{}", failure.text());
    }
}
