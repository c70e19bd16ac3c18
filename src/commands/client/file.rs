//! A client's configuration in JSON, edited so that its comments and its order stay.
//!
//! A link is followed and stays a link. A copy of the file as it was is made beside it.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use jsonc_parser::ParseOptions;
use jsonc_parser::cst::{CstInputValue, CstObject, CstObjectProp, CstRootNode};
use serde_json::{Map, Value};

use super::entry::NAME;
use crate::guards::encoding::{self, BYTE_ORDER_MARK};

/// The largest configuration that is read, in bytes.
const LARGEST: u64 = 64 * 1024 * 1024;

/// The number of copies that may stand beside a file.
const COPIES_MAX: u32 = 1000;

/// A reason why a configuration cannot be edited. Its text follows the path.
#[derive(Debug, thiserror::Error)]
pub enum NotEdited {
    /// The file cannot be read or written.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// It is no JSON, not even with comments.
    #[error("it is not JSON: {0}")]
    NotJson(String),
    /// The place of the entries holds something else.
    #[error("'{0}' in it is not an object")]
    NoObject(&'static str),
    /// Somebody else wrote it after it was read.
    #[error("it was changed while the question was open; run this command again")]
    Meanwhile,
    /// The whole of it is a list or a single value.
    #[error("it is not an object")]
    NoObjectAtAll,
    /// A member is there twice, and each client takes another one.
    #[error("'{0}' is in it twice; remove one of them")]
    Twice(&'static str),
    /// The text has two bytes a character.
    #[error("it is in UTF-16; save it as UTF-8 and run this command again")]
    Utf16,
    /// Codex has an entry and does not tell it.
    #[error(
        "it has an entry of the name '{NAME}', and 'codex mcp get {NAME} --json' does not tell it; run that command to see why"
    )]
    NotTold,
    /// The edited text does not hold the entry.
    #[error("the entry would not be read from it as it was meant")]
    Changed,
}

/// A configuration as it was read.
pub struct Configuration {
    path: PathBuf,
    text: Option<String>,
}

impl Configuration {
    /// Reads the file. One that does not exist has no entries. Fails if it is there and cannot be read as text.
    pub fn read(path: &Path) -> Result<Self, NotEdited> {
        let text = match fs::metadata(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && !path.is_symlink() => None,
            Err(error) => return Err(error.into()),
            Ok(data) if !data.is_file() || data.len() > LARGEST => {
                return Err(io::Error::other("it is no file of a usual size").into());
            }
            Ok(_) => Some(decoded(fs::read(path)?)?),
        };
        Ok(Self {
            path: path.to_owned(),
            text,
        })
    }

    /// Tells if the file exists.
    pub fn exists(&self) -> bool {
        self.text.is_some()
    }

    /// Makes sure that the file is still as it was read.
    ///
    /// # Errors
    /// Somebody else has changed it, or it cannot be read any more.
    pub fn is_unchanged(&self) -> Result<(), NotEdited> {
        match Self::read(&self.path)?.text == self.text {
            true => Ok(()),
            false => Err(NotEdited::Meanwhile),
        }
    }

    /// Tells if the text, which is TOML, seems to have an entry of this server.
    pub fn seems_to_have_entry(&self, root: &str) -> bool {
        let text = self.text().replace(['"', '\'', ' ', '\t'], "");
        let mut lines = text.lines();
        text.contains(&format!("{root}.{NAME}"))
            || text.contains(root) && lines.any(|line| line.starts_with(NAME))
    }

    /// The entry of this server under the member `root`. Fails if the text or `root` is no JSON object, or one of the two
    /// names is there twice.
    pub fn entry(&self, root: &'static str) -> Result<Option<Value>, NotEdited> {
        let document = self.parse()?;
        let Some(members) = document.object_value() else {
            return match document.value() {
                Some(_) => Err(NotEdited::NoObjectAtAll),
                None => Ok(None),
            };
        };
        let Some(entries) = only(&members, root)? else {
            return Ok(None);
        };
        let entries = entries.object_value().ok_or(NotEdited::NoObject(root))?;
        let entry = only(&entries, NAME)?;
        Ok(entry.and_then(|entry| entry.value()?.to_serde_value()))
    }

    /// The text with the entry set under the member `root`, and nothing else changed. Fails if the text or `root` is no
    /// JSON object.
    pub fn with_entry(&self, root: &'static str, entry: &Value) -> Result<String, NotEdited> {
        let document = self.parse()?;
        let members = document.object_value_or_create();
        let members = members.ok_or(NotEdited::NoObjectAtAll)?;
        let entries = members.object_value_or_create(root);
        set(&entries.ok_or(NotEdited::NoObject(root))?, entry);
        // Some editors on Windows write a mark, which stays.
        let has_mark = self.text().starts_with(BYTE_ORDER_MARK);
        let mark = if has_mark { BYTE_ORDER_MARK } else { "" };
        let mut text = format!("{mark}{document}");
        if !text.ends_with('\n') && self.text.is_none() {
            text.push('\n');
        }
        let edited = Self {
            path: self.path.clone(),
            text: Some(text),
        };
        match edited.entry(root)?.as_ref() == Some(entry) {
            true => Ok(edited.text.unwrap_or_default()),
            false => Err(NotEdited::Changed),
        }
    }

    /// Copies the file as it was to a new file beside it, and returns the path of the copy.
    ///
    /// # Errors
    /// The copy cannot be made.
    pub fn copy(&self) -> Result<Option<PathBuf>, NotEdited> {
        let Some(text) = &self.text else {
            return Ok(None);
        };
        let mode = self.mode();
        for number in 1..=COPIES_MAX {
            let mut path = self.path.clone().into_os_string();
            path.push(format!(".before-{NAME}-{number}"));
            match create_new(Path::new(&path), mode.as_ref()) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error.into()),
                Ok(mut file) => {
                    file.write_all(text.as_bytes())?;
                    file.sync_all()?;
                    return Ok(Some(path.into()));
                }
            }
        }
        Err(io::Error::other("there are too many copies of it already").into())
    }

    /// Puts a text in the place of the whole file, at once. A link leads to the new text.
    ///
    /// # Errors
    /// The file, or the directory of a new one, cannot be written.
    pub fn replace(&self, text: &str) -> Result<(), NotEdited> {
        let target = match self.exists() {
            true => fs::canonicalize(&self.path)?,
            false => self.path.clone(),
        };
        let directory = target.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(directory)?;
        let mut file = tempfile::NamedTempFile::new_in(directory)?;
        file.write_all(text.as_bytes())?;
        if let Some(permissions) = self.mode() {
            file.as_file().set_permissions(permissions)?;
        }
        file.as_file().sync_all()?;
        file.persist(&target).map_err(|error| error.error)?;
        Ok(())
    }

    /// Puts the file back as it was.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn restore(&self) -> Result<(), NotEdited> {
        let text = self.text.as_ref();
        text.map_or(Ok(()), |text| self.replace(text))
    }

    fn text(&self) -> &str {
        self.text.as_deref().unwrap_or_default()
    }

    fn parse(&self) -> Result<CstRootNode, NotEdited> {
        let text = self.text().trim_start_matches(BYTE_ORDER_MARK);
        let parsed = CstRootNode::parse(text, &ParseOptions::default());
        parsed.map_err(|error| NotEdited::NotJson(error.to_string()))
    }

    /// The mode of the file, and its owner's rights to read and write in any case.
    #[cfg(unix)]
    fn mode(&self) -> Option<Permissions> {
        use std::os::unix::fs::PermissionsExt;

        let mode = fs::metadata(&self.path).ok()?.permissions().mode();
        Some(Permissions::from_mode((mode & 0o777) | 0o600))
    }

    #[cfg(not(unix))]
    fn mode(&self) -> Option<Permissions> {
        None
    }
}

fn decoded(bytes: Vec<u8>) -> Result<String, NotEdited> {
    if encoding::is_utf16(&bytes) {
        return Err(NotEdited::Utf16);
    }
    let text = String::from_utf8(bytes);
    text.map_err(|_| io::Error::other("it is not UTF-8 text").into())
}

/// The member of a name, which may be there once at most.
fn only(members: &CstObject, name: &'static str) -> Result<Option<CstObjectProp>, NotEdited> {
    let properties = members.properties().into_iter();
    let mut found = properties.filter(|property| property.decoded_name().as_deref() == Some(name));
    match (found.next(), found.next()) {
        (_, Some(_)) => Err(NotEdited::Twice(name)),
        (found, None) => Ok(found),
    }
}

fn set(entries: &CstObject, entry: &Value) {
    let Some(old) = entries.get(NAME) else {
        return drop(entries.append(NAME, input(entry)));
    };
    match (old.object_value(), entry.as_object()) {
        (Some(object), Some(members)) => set_members(&object, members),
        _ => old.set_value(input(entry)),
    }
}

/// Makes the members of an object these, and touches none that is right already.
fn set_members(object: &CstObject, members: &Map<String, Value>) {
    for property in object.properties() {
        let name = property.decoded_name().unwrap_or_default();
        let old = property.to_serde_value();
        match members.get(&name) {
            Some(new) if old.as_ref() != Some(new) => property.set_value(input(new)),
            None if old.is_some() => property.remove(),
            _ => {}
        }
    }
    for (name, value) in members {
        if object.get(name).is_none() {
            object.append(name, input(value));
        }
    }
}

fn input(value: &Value) -> CstInputValue {
    match value {
        Value::Null => CstInputValue::Null,
        Value::Bool(value) => CstInputValue::Bool(*value),
        Value::Number(value) => CstInputValue::Number(value.to_string()),
        Value::String(value) => CstInputValue::String(value.clone()),
        Value::Array(values) => CstInputValue::Array(values.iter().map(input).collect()),
        Value::Object(members) => {
            let members = members.iter();
            let members = members.map(|(name, value)| (name.clone(), input(value)));
            CstInputValue::Object(members.collect())
        }
    }
}

/// Creates a file that is private until it gets its mode.
fn create_new(path: &Path, mode: Option<&Permissions>) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path)?;
    if let Some(mode) = mode {
        file.set_permissions(mode.clone())?;
    }
    Ok(file)
}
