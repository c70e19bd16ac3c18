//! The two lines of releases that the sandbox can speak.

use std::fmt;
use std::str::FromStr;

/// A line of the API's releases. They differ in schema, refusals and order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Line {
    /// The releases that people run: 0.30 to 2.2, with `roleBindings`, `sysWorkspaces` and several bindings an account.
    #[default]
    Today,
    /// The releases around 0.16 of July 2020, with one `roleBinding` an account and a check for duplicate labels.
    Of2020,
}

impl Line {
    /// The name that [`Line::from_str`] reads.
    pub fn name(self) -> &'static str {
        match self {
            Line::Today => "today",
            Line::Of2020 => "2020",
        }
    }
}

impl fmt::Display for Line {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl FromStr for Line {
    type Err = UnknownLine;

    fn from_str(name: &str) -> Result<Line, UnknownLine> {
        let mut lines = [Line::Today, Line::Of2020].into_iter();
        let found = lines.find(|line| line.name() == name);
        found.ok_or_else(|| UnknownLine { name: name.into() })
    }
}

/// A name that is no line's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownLine {
    name: String,
}

impl fmt::Display for UnknownLine {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = &self.name;
        write!(
            formatter,
            "the sandbox speaks no line '{name}'; accepted: today, 2020"
        )
    }
}

impl std::error::Error for UnknownLine {}
