//! Values that nobody meant: placeholders that were not filled in, references that were not resolved, masks, quotes.
//!
//! Judges by form alone, and refuses no value that an installation could have: a token is 32 letters and digits or a
//! JWT, so neither a colon nor an asterisk is part of one.

use super::setting::API_TOKEN_FILE;
use super::values::shown;
use crate::guards::secret::is_secret_shaped;

/// The use of a value, which decides what a real one may look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ValueUse {
    /// An API token.
    Token,
    /// A path of this machine.
    Path,
    /// A domain, a URL or an id.
    Name,
    /// One of few words, or a number.
    Word,
}

/// A kind of value that nobody meant. Its text follows the name of the setting.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unmeant {
    #[error("is {value}, a placeholder that nobody filled in")]
    NotFilledIn { value: String },
    #[error("is {value}, a placeholder: the reference to a secret was not resolved")]
    NotResolved { value: String },
    #[error("is {value}, a placeholder that hides the value")]
    Hidden { value: String },
    #[error("is {value}, a placeholder of an example or of an empty value")]
    Example { value: String },
    #[error("is masked, a placeholder of which only a part shows; the whole value is needed")]
    Masked,
    #[error("is in quotes, which became a part of the value; remove them")]
    Quoted,
    #[error("begins with the name of a value; only the value after it is needed")]
    Assignment,
    #[error("is a path; set {API_TOKEN_FILE} to a file that holds the token")]
    PathOfToken,
    #[error("is {value}, a URL; only a path is needed")]
    Url { value: String },
}

/// The beginnings of references to a secret that something else has to resolve.
const REFERENCES: &[&str] = &[
    "op://",
    "bw://",
    "bws://",
    "vault:",
    "ref+",
    "secret:",
    "secrets:",
    "secretref:",
    "keychain:",
    "keyring:",
    "keeper:",
    "doppler:",
    "infisical:",
    "lpass:",
    "conjur:",
    "chamber:",
    "berglas:",
    "sops:",
    "ssm:",
    "sm://",
    "aws-sm:",
    "aws-ssm:",
    "arn:aws",
    "gcp-sm:",
    "akv:",
    "azkv:",
    "env:",
    "input:",
    "cmd:",
    "exec:",
    "@microsoft.keyvault(",
    "!secret ",
    "!env ",
];

/// Words that stand for no value, in whichever setting.
const FILLERS: &[&str] = &[
    "null",
    "nil",
    "none",
    "undefined",
    "changeme",
    "replaceme",
    "placeholder",
    "redacted",
    "todo",
    "tbd",
    "fixme",
];

/// The characters that programs write in place of a secret.
pub(super) const MASKS: &[char] = &['*', '•', '●', '∙', '·', '█'];

/// The pairs of quotes that are pasted around a value.
const QUOTES: &[(char, char)] = &[('"', '"'), ('\'', '\''), ('`', '`'), ('“', '”'), ('‘', '’')];

/// The words in Windows' lists of hosts that stand for names without a dot, and for no name.
const WORDS_OF_WINDOWS: &[&str] = &["<local>", "<-loopback>"];

/// Finds out that a value is one that nobody meant.
pub(super) fn find(text: &str, kind: ValueUse) -> Option<Unmeant> {
    let text = text.trim();
    let unquoted = without_quotes(text);
    let inside = unquoted.unwrap_or(text);
    let found = [variable, mistaken, reference, mask, url, example]
        .iter()
        .find_map(|form| form(inside, kind));
    let is_quoted =
        unquoted.is_some() || kind == ValueUse::Token && text.contains(['"', '\'', '`']);
    found.or_else(|| is_quoted.then_some(Unmeant::Quoted))
}

/// Finds a placeholder in a list of hosts, between commas, semicolons or blanks. A host may have a name that is a
/// reference or a mask elsewhere, such as `vault:8200`, and Windows lists `<local>`.
pub(super) fn find_in_hosts(text: &str) -> Option<Unmeant> {
    let text = text.trim();
    let text = without_quotes(text).unwrap_or(text);
    let is_one = |host: &str| is_enclosed(host) || pieces(host, ValueUse::Word).any(is_variable);
    let mut hosts = text
        .split([',', ';', ' '])
        .filter(|host| !WORDS_OF_WINDOWS.contains(&host.to_ascii_lowercase().as_str()));
    let found = has_reference(text) || hosts.any(is_one);
    found.then(|| Unmeant::NotFilledIn { value: shown(text) })
}

fn without_quotes(text: &str) -> Option<&str> {
    let inside = |(open, close): &(char, char)| text.strip_prefix(*open)?.strip_suffix(*close);
    QUOTES.iter().find_map(inside)
}

/// `${NAME}`, `$NAME`, `%NAME%`, `{env:NAME}`, `{{ NAME }}`, `<name>`, `[name]` and their relatives.
fn variable(text: &str, kind: ValueUse) -> Option<Unmeant> {
    let is_one = is_enclosed(text)
        || has_reference(text)
        || (kind == ValueUse::Path && has_variable_of_path(text))
        || (kind != ValueUse::Path
            && kind != ValueUse::Token
            && (has_between(text, "{", "}") || has_between(text, "<", ">")))
        || pieces(text, kind).any(is_variable);
    is_one.then(|| Unmeant::NotFilledIn { value: shown(text) })
}

/// Tells if a whole text is a name in brackets. An IPv6 address in brackets is none.
fn is_enclosed(text: &str) -> bool {
    let is_name = |text: &str| {
        let mut letters = text.chars();
        letters.all(|letter| letter.is_ascii_alphanumeric() || " _-*".contains(letter))
    };
    let within = |open, close| text.strip_prefix(open)?.strip_suffix(close);
    within('[', ']').is_some_and(is_name)
        || within('(', ')').is_some_and(is_name)
        || within('{', '}').is_some_and(|text| !text.contains('"'))
        || within('<', '>').is_some()
        || within('@', '@').is_some_and(is_name)
        || text
            .strip_prefix("__")
            .is_some_and(|text| text.ends_with("__"))
}

/// Tells if a text has a reference to a variable in it whose form is nothing else.
fn has_reference(text: &str) -> bool {
    // Also where the closing brace is missing.
    text.contains("${")
        || text.contains("{env:")
        || has_between(text, "$(", ")")
        || has_between(text, "#{", "}")
        || has_between(text, "{{", "}}")
}

/// Tells if a path has `$NAME`, `%NAME%`, `%(NAME)s` or a command in backticks in it. A share of Windows, such as `C$`, and
/// characters that are encoded, such as `%AB`, are none.
fn has_variable_of_path(path: &str) -> bool {
    let is_letter = |letter: char| letter.is_ascii_alphabetic() || letter == '_';
    let mut after_dollars = path.split('$').skip(1);
    let within_percents = path.split_once('%');
    let within_percents = within_percents.and_then(|(_, rest)| rest.rsplit_once('%'));
    let is_name = |name: &str| name.len() > 2 && is_identifier(name);
    path.contains('`')
        || has_between(path, "%(", ")")
        || after_dollars.any(|after| after.starts_with(is_letter))
        || within_percents.is_some_and(|(names, _)| names.split('%').any(is_name))
}

fn has_between(text: &str, open: &str, close: &str) -> bool {
    let after = text.split_once(open);
    after.is_some_and(|(_, after)| after.contains(close))
}

/// The parts of a value of which each could be a variable by itself.
fn pieces(text: &str, kind: ValueUse) -> impl Iterator<Item = &str> {
    let separators: &'static [char] = match kind {
        ValueUse::Token | ValueUse::Path => &['/', '\\'],
        ValueUse::Name | ValueUse::Word => &['/', '\\', ':', '.', ',', '@', ' '],
    };
    text.split(separators)
}

/// `$NAME`, `$env:NAME`, `%NAME%` or `<name>`.
fn is_variable(piece: &str) -> bool {
    let percent = piece
        .strip_prefix('%')
        .and_then(|rest| rest.strip_suffix('%'));
    let angle = piece
        .strip_prefix('<')
        .and_then(|rest| rest.strip_suffix('>'));
    let dollar = piece.strip_prefix('$');
    let dollar = dollar.map(|name| name.strip_prefix("env:").unwrap_or(name));
    percent.or(dollar).is_some_and(is_identifier) || angle.is_some()
}

fn is_identifier(name: &str) -> bool {
    let mut letters = name.chars();
    letters
        .next()
        .is_some_and(|first| first.is_ascii_alphabetic() || first == '_')
        && letters.all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
}

/// `op://vault/item`, `vault:path` and their relatives. A name with a port, such as `vault:8443`, is none. For a token it
/// may be any name: a colon is in no token.
fn reference(text: &str, kind: ValueUse) -> Option<Unmeant> {
    let lower = text.to_ascii_lowercase();
    let rest = REFERENCES
        .iter()
        .find_map(|start| lower.strip_prefix(start));
    let has_host = matches!(kind, ValueUse::Name | ValueUse::Word);
    let is_port = |rest: &str| has_host && rest.starts_with(|c: char| c.is_ascii_digit());
    let is_one = rest.is_some_and(|rest| !is_port(rest))
        || kind == ValueUse::Token
            && (has_name_before_colon(text) || lower.starts_with("secrets."));
    is_one.then(|| Unmeant::NotResolved { value: shown(text) })
}

fn has_name_before_colon(text: &str) -> bool {
    let is_of_name = |letter: char| letter.is_ascii_alphanumeric() || "-_+.".contains(letter);
    let name = text.split_once(':').map(|(name, _)| name);
    name.is_some_and(|name| !name.is_empty() && name.chars().all(is_of_name))
}

/// `file:///path`, where a path is meant.
fn url(text: &str, kind: ValueUse) -> Option<Unmeant> {
    let after = text.split_once(':').map(|(_, after)| after);
    let is_url = has_name_before_colon(text) && after.is_some_and(|after| after.starts_with("//"));
    (is_url && kind == ValueUse::Path).then(|| Unmeant::Url { value: shown(text) })
}

/// `********`, `xxxx`, `0a1b2c****`, `eyJhbG...`.
fn mask(text: &str, kind: ValueUse) -> Option<Unmeant> {
    let is_row = |letters: &[char], least: usize| {
        text.chars().count() >= least && text.chars().all(|letter| letters.contains(&letter))
    };
    let is_token = kind == ValueUse::Token;
    let hides = is_row(MASKS, if is_token { 1 } else { 2 })
        || kind != ValueUse::Path && is_row(&['x', 'X'], 3)
        || is_token && is_row(&['.', '-', '_'], 3);
    if hides {
        return Some(Unmeant::Hidden { value: shown(text) });
    }
    // In a signature anything may stand. It is between dots.
    let has_row = kind != ValueUse::Path
        && !text.contains('.')
        && text.to_ascii_lowercase().contains("xxxxxxxx");
    let ends_open = text.ends_with("...") || text.ends_with('…');
    let is_cut = is_token && (text.contains(MASKS) || ends_open);
    (has_row || is_cut).then_some(Unmeant::Masked)
}

/// `changeme`, `YOUR_TOKEN_HERE`, `undefined`.
fn example(text: &str, kind: ValueUse) -> Option<Unmeant> {
    // Of a word, the accepted words say more.
    if kind == ValueUse::Word || kind == ValueUse::Token && has_form_of_token(text) {
        return None;
    }
    let lower = text.to_ascii_lowercase();
    let letters: String = lower.chars().filter(char::is_ascii_alphanumeric).collect();
    let bare: String = lower.chars().filter(|c| !"_- ".contains(*c)).collect();
    let is_filler = letters == bare && FILLERS.contains(&letters.as_str());
    let starts_with_your = lower.starts_with("your_") || lower.starts_with("your-");
    let is_yours = kind != ValueUse::Path && !text.contains('.') && starts_with_your;
    let asks =
        kind == ValueUse::Token && (letters.contains("redacted") || asks_for_a_token(&letters));
    (is_filler || is_yours || asks).then(|| Unmeant::Example { value: shown(text) })
}

/// Tells if the letters of a text ask for a token, as in `yourtoken`, `changemeplease` or `pastetokenhere`.
fn asks_for_a_token(letters: &str) -> bool {
    let names_it = ["token", "key", "secret"]
        .iter()
        .any(|name| letters.contains(name));
    let asks = ["your", "paste", "insert", "replacewith"];
    let asks = asks.iter().any(|verb| letters.starts_with(verb)) || letters.ends_with("here");
    names_it && asks || letters.starts_with("changeme")
}

/// Tells if a text is a JWT, or 32 letters and digits.
fn has_form_of_token(text: &str) -> bool {
    let is_key = text.len() == 32
        && text.chars().all(|c| c.is_ascii_alphanumeric())
        && text.contains(|c: char| c.is_ascii_digit());
    is_key || text.starts_with("eyJ") && is_secret_shaped(text)
}

/// `NAME=value`, `Name: value` and `/path/of/token`, where a token is meant.
fn mistaken(text: &str, kind: ValueUse) -> Option<Unmeant> {
    if kind != ValueUse::Token {
        return None;
    }
    if is_path_of_token(text) {
        return Some(Unmeant::PathOfToken);
    }
    let text = text.strip_prefix("export ").unwrap_or(text);
    let is_name = |name: &str| is_identifier(&name.replace('-', "_"));
    let is_value = |value: &str| value.starts_with(' ') || is_secret_shaped(value);
    let is_assigned = match (text.split_once('='), text.split_once(':')) {
        (Some((name, value)), _) if is_name(name) => !value.trim_matches('=').is_empty(),
        (_, Some((name, value))) => is_name(name) && is_value(value),
        _ => false,
    };
    is_assigned.then_some(Unmeant::Assignment)
}

/// `/run/secrets/token`, `~/token`, `C:\token` and their relatives.
fn is_path_of_token(text: &str) -> bool {
    let starts = ["/", "~/", "./", "../", "@/"];
    let drive = text.split_once(':');
    starts.iter().any(|start| text.starts_with(start))
        || drive.is_some_and(|(drive, rest)| drive.len() == 1 && rest.starts_with(['\\', '/']))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assert_all(kind: ValueUse, texts: &[&str], expected: impl Fn(&Unmeant) -> bool) {
        for text in texts {
            let found = find(text, kind);
            assert!(
                found.as_ref().is_some_and(&expected),
                "{kind:?} {text}: {found:?}"
            );
        }
    }

    #[test]
    fn a_placeholder_is_one_in_whichever_setting() {
        let texts = [
            "${NAME}",
            "${NAME:-x}",
            "${env:NAME}",
            "${input:x}",
            "${{ secrets.X }}",
            "$NAME",
            "$env:NAME",
            "%NAME%",
            "{env:NAME}",
            "{file:~/x}",
            "{NAME}",
            "{{NAME}}",
            "{{ secrets.X }}",
            "<your-token>",
            "<NAME>",
            "[REDACTED]",
            "[your token]",
            "(redacted)",
            "#{NAME}#",
            "__NAME__",
            "@NAME@",
            "$(cat token)",
            " ${NAME} ",
            "'${NAME}'",
            "\"$NAME\"",
        ];
        for kind in [
            ValueUse::Token,
            ValueUse::Path,
            ValueUse::Name,
            ValueUse::Word,
        ] {
            assert_all(kind, &texts, |found| {
                matches!(found, Unmeant::NotFilledIn { .. })
            });
            let references = [
                "op://vault/item/field",
                "vault:secret/data/apc#token",
                "ref+vault://x",
                "env:NAME",
            ];
            assert_all(kind, &references, |found| {
                matches!(found, Unmeant::NotResolved { .. })
            });
            let masks = ["********", "**", "••••••••"];
            assert_all(kind, &masks, |found| {
                matches!(found, Unmeant::Hidden { .. })
            });
        }
        for kind in [ValueUse::Token, ValueUse::Path, ValueUse::Name] {
            let fillers = [
                "undefined",
                "null",
                "None",
                "changeme",
                "CHANGE_ME",
                "todo",
                "REDACTED",
            ];
            assert_all(kind, &fillers, |found| {
                matches!(found, Unmeant::Example { .. })
            });
            assert_all(
                kind,
                &["\"value\"", "'value'", "`value`", "“value”"],
                |found| *found == Unmeant::Quoted,
            );
        }
    }

    #[test]
    fn a_part_of_a_value_may_be_the_placeholder() {
        let paths = [
            "${HOME}/keys",
            "$HOME/keys",
            "/srv/$USER/keys",
            "%USERPROFILE%\\keys",
            "/srv/<you>/keys",
            "keys-$USER",
            "$PWD-k",
            "$HOME.k",
            "${HOME/k",
            "%(HOME)s/k",
            "keys-%USERNAME%",
            "`pwd`/k",
        ];
        assert_all(ValueUse::Path, &paths, |found| {
            matches!(found, Unmeant::NotFilledIn { .. })
        });
        let names = [
            "https://houston.${DOMAIN}/v1",
            "https://$HOST/v1",
            "houston.$DOMAIN",
            "https://houston.<base-domain>/v1",
            "https://houston.{domain}/v1",
            "ck1,${MORE}",
            "https://%HOST%:443/v1",
        ];
        assert_all(ValueUse::Name, &names, |found| {
            matches!(found, Unmeant::NotFilledIn { .. })
        });
    }

    #[test]
    fn a_token_that_nobody_meant_is_told_from_one() {
        let examples = [
            "YOUR_TOKEN_HERE",
            "your-token",
            "yourApiKey",
            "paste your token here",
            "INSERT_KEY_HERE",
            "change-me-please",
        ];
        assert_all(ValueUse::Token, &examples, |found| {
            matches!(found, Unmeant::Example { .. })
        });
        let masked = [
            "429b85**************************",
            "429b85…",
            "eyJhbGciOi...",
            "429b85xxxxxxxxxxxxxxxxxxxxxxxxxx",
        ];
        assert_all(ValueUse::Token, &masked, |found| *found == Unmeant::Masked);
        assert_all(
            ValueUse::Token,
            &["xxxx", "XXXXXXXX", "---", "..."],
            |found| matches!(found, Unmeant::Hidden { .. }),
        );
        assert_all(
            ValueUse::Token,
            &["https://acme.dev/token", "aws-sm://x"],
            |found| matches!(found, Unmeant::NotResolved { .. }),
        );
        assert_all(
            ValueUse::Token,
            &["APC_API_TOKEN=0123456789", "export TOKEN=0123456789"],
            |found| *found == Unmeant::Assignment,
        );
        assert_all(
            ValueUse::Token,
            &["/run/secrets/token", "~/token", "@/run/token"],
            |found| *found == Unmeant::PathOfToken,
        );
        assert_all(
            ValueUse::Token,
            &["\"0123456789abcdef", "{\"token\": \"x\"}"],
            |found| *found == Unmeant::Quoted,
        );
    }

    #[test]
    fn a_list_of_hosts_may_have_every_name_that_a_host_has() {
        for hosts in [
            "vault:8200,.svc",
            "vault:*",
            "keeper:443;ssm:80",
            "localhost;127.*;<local>",
            "<LOCAL>",
            "<-loopback>",
            "*",
            "[::1], 10.0.0.0/8",
            "xxx.acme.dev null",
            "'localhost'",
        ] {
            assert_eq!(find_in_hosts(hosts), None, "{hosts}");
        }
        for hosts in [
            "${NO_PROXY}",
            "localhost,${X}",
            "localhost;$X",
            "localhost %X%",
            ".$DOMAIN",
            "localhost,${{ secrets.X }}",
            "{env:NO_PROXY}",
            "\"$NO_PROXY\"",
            "<hosts>",
        ] {
            assert!(find_in_hosts(hosts).is_some(), "{hosts}");
        }
    }

    #[test]
    fn a_value_that_may_be_real_is_none() {
        let tokens = [
            "0123456789abcdef0123456789abcdef",
            "00000000000000000000000000000000",
            "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJzb21lYm9keSIsImV4cCI6MX0.c2ln-bmF0_dXJlxxxxxxxxxw",
            "some-token-of-a-user",
            "my-token-for-tests",
            "enterprise-token-1",
            "Zm9vYmFyYmF6cXV4cXV1eA==",
        ];
        let paths = [
            "/srv/me/keys",
            "keys",
            "..",
            "./x",
            "xxx",
            "C:\\Users\\me\\keys",
            "\\\\host\\C$\\keys",
            "/srv/the boys'",
            "/data/a,b",
            "~/keys",
            "/tmp/[x]/keys",
            "/data/{team}/keys",
            "/a%20b",
            "/a%AB%CD%20b",
            "/100%/x",
            "/half%done",
            "/data$/x$1",
            "C:/keys",
        ];
        let names = [
            "acme.dev",
            "yourcompany.io",
            "your-move.co.uk",
            "vault:8443",
            "secrets.acme.dev",
            "[::1]",
            "https://[::1]:8443/v1",
            "https://houston.acme.dev/v1%AB%CD",
            "http://127.0.0.1:8871/v1",
            "ck1,ck2",
            "*",
            "x",
            "20",
            "2.5 s",
            "WORKSPACE_EDITOR",
            "cmf3ana1y00010h6analytics",
            "environment.dev",
            "none.dev",
        ];
        for (kind, texts) in [
            (ValueUse::Token, &tokens[..]),
            (ValueUse::Path, &paths),
            (ValueUse::Name, &names),
        ] {
            for text in texts {
                assert_eq!(find(text, kind), None, "{kind:?} {text}");
            }
        }
    }
}
