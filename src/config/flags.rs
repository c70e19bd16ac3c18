//! The settings that were typed on the command line, not parsed yet.

use std::io;

use super::setting::{Setting, ValueForm};
use super::values;

/// The settings that were typed as flags, each with its text.
#[derive(Debug, Clone, Default)]
pub struct Flags(Vec<(&'static Setting, String)>);

impl Flags {
    /// The settings that were typed. An empty text is no setting.
    pub(crate) fn new(typed: impl IntoIterator<Item = (&'static Setting, String)>) -> Self {
        let typed = typed.into_iter();
        Self(typed.filter(|(_, text)| !text.is_empty()).collect())
    }

    /// The text of a setting; a repeated one has commas, as in its variable.
    pub(super) fn text(&self, setting: &Setting) -> Option<String> {
        let texts = self.0.iter().filter(|(typed, _)| *typed == setting);
        let texts: Vec<_> = texts.map(|(_, text)| text.as_str()).collect();
        (!texts.is_empty()).then(|| texts.join(","))
    }

    /// The flags as they can be typed again, in any directory.
    ///
    /// # Errors
    /// A path is relative and there is no current directory.
    pub fn arguments(&self) -> io::Result<Vec<String>> {
        let typed_again = |(setting, text): &(&'static Setting, String)| {
            let flag = setting.name();
            // In one piece, so that a value may begin with a hyphen.
            Ok(match setting.form {
                ValueForm::Switch => flag.to_owned(),
                ValueForm::Text(_) | ValueForm::List(_) => format!("{flag}={text}"),
                ValueForm::Path(_) => {
                    let path = values::path(text).map_err(io::Error::other)?;
                    format!("{flag}={}", std::path::absolute(path)?.display())
                }
            })
        };
        self.0.iter().map(typed_again).collect()
    }
}
