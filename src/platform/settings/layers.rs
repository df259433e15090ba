//! Layers of settings laid over each other: built in, a file, variables, flags; and where each value came from.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use toml::{Table, Value};

use super::{
    BadSettings, Origin, Problem, Settings,
    print::values,
    section::{Section, Shape, Wrong},
    value::value_of,
};

/// Where settings are taken from, beside what is built in.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// A TOML file.
    pub file: Option<PathBuf>,
    /// Variables of the environment; only those that begin with `FANFARE_` are looked at.
    pub environment: Vec<(String, String)>,
    /// What the command line says.
    pub flags: Vec<Flag>,
    /// Whether nobody is let in with them, so that no secret is needed for it.
    pub lets_nobody_in: bool,
}

/// A flag of the command line that stands for a setting.
#[derive(Clone, Debug)]
pub struct Flag {
    /// As it is typed: `--port`.
    pub flag: &'static str,
    /// The setting: `http_server.port`.
    pub key: &'static str,
    /// The value, as in a variable.
    pub text: String,
}

/// Settings that are good, and where each came from.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// What holds.
    pub settings: Settings,
    /// Where each key came from that is not as built in.
    pub origins: BTreeMap<String, Origin>,
}

/// The variable that names the settings file.
const CONFIG: &str = "FANFARE_CONFIG";

/// What comes after `FANFARE_` in variables that are no settings: read by verbs, or by tests.
const OTHER: [&str; 4] = ["CONFIG", "FAILPOINTS", "LOAD_", "MUTANT"];

impl Sources {
    /// The file of a flag or else of `FANFARE_CONFIG`, and the environment.
    pub fn new(
        file: Option<PathBuf>,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Self {
        let mut environment: Vec<_> = environment.into_iter().collect();
        environment.sort();
        let named = environment.iter().find(|(name, value)| name == CONFIG && !value.is_empty());
        let file = file.or_else(|| named.map(|(_, path)| path.into()));
        Self { file, environment, ..Self::default() }
    }
}

/// Lays all sources over the built-in settings and checks the outcome.
///
/// Everything that is wrong is told at once.
pub fn load(sources: &Sources) -> Result<Loaded, BadSettings> {
    let mut laying = Laying::default();
    if let Some(path) = &sources.file {
        laying.file(path);
    }
    for (name, text) in &sources.environment {
        laying.variable(name, text);
    }
    for Flag { flag, key, text } in &sources.flags {
        laying.text(key, text, &Origin::Flag(flag));
    }
    if laying.problems.is_empty() {
        laying.check(sources.lets_nobody_in);
    }
    match laying {
        Laying { settings, origins, problems } if problems.is_empty() => {
            Ok(Loaded { settings, origins })
        }
        Laying { problems, .. } => Err(BadSettings(problems)),
    }
}

#[derive(Default)]
struct Laying {
    settings: Settings,
    origins: BTreeMap<String, Origin>,
    problems: Vec<Problem>,
}

impl Laying {
    fn file(&mut self, path: &Path) {
        let refuse = |why| Problem::File { path: path.into(), why };
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) => {
                return self.problems.push(refuse(format!("expected a settings file: {error}")));
            }
        };
        match text.parse::<Table>() {
            Ok(table) => self.over(|section, over| {
                over.table(section, &table, "", &Origin::File(path.into()));
            }),
            Err(error) => {
                let at = error.span().map_or(0, |span| span.start);
                let line = text.bytes().take(at).filter(|byte| *byte == b'\n').count() + 1;
                self.problems.push(refuse(format!("line {line} is no TOML: {}", error.message())));
            }
        }
    }

    fn variable(&mut self, name: &str, text: &str) {
        let Some(rest) = name.strip_prefix("FANFARE_") else { return };
        if !OTHER.iter().any(|other| rest.starts_with(other)) && !is_service_link(name, text) {
            let key = rest.to_lowercase().replace("__", ".");
            self.text(&key, text, &Origin::Variable(name.into()));
        }
    }

    fn text(&mut self, key: &str, text: &str, origin: &Origin) {
        let path: Vec<&str> = key.split('.').collect();
        self.over(|section, over| over.text(section, &path, key, text, origin));
    }

    fn over(&mut self, lay: impl FnOnce(&mut dyn Section, &mut Over<'_>)) {
        let mut over = Over { origins: &mut self.origins, problems: &mut self.problems };
        lay(&mut self.settings, &mut over);
    }

    fn check(&mut self, lets_nobody_in: bool) {
        let mut wrong = Vec::new();
        check(&mut self.settings, "", &mut wrong);
        if !lets_nobody_in {
            let mut lacking = Wrong::default();
            self.settings.check_secrets(&mut lacking);
            wrong.extend(lacking.0);
        }
        let values = values(&self.settings);
        for (key, expected) in wrong {
            let got = values.get(&key).cloned().unwrap_or_default();
            let origin = self.origins.get(&key).cloned().unwrap_or(Origin::BuiltIn);
            self.problems.push(Problem::Bad { key, got, origin, expected });
        }
    }
}

/// Container schedulers put `FANFARE_PORT=tcp://...` and the like beside a service of that name.
fn is_service_link(name: &str, text: &str) -> bool {
    text.contains("://") && name.contains("_PORT")
        || name.ends_with("_SERVICE_HOST")
        || name.contains("_SERVICE_PORT")
        || name.contains("_PORT_") && ["_PROTO", "_ADDR", "_PORT"].iter().any(|e| name.ends_with(e))
}

struct Over<'a> {
    origins: &'a mut BTreeMap<String, Origin>,
    problems: &'a mut Vec<Problem>,
}

impl Over<'_> {
    fn table(&mut self, section: &mut dyn Section, table: &Table, at: &str, origin: &Origin) {
        for (name, value) in table {
            let key = join(at, name);
            match section.fields().into_iter().find(|field| field.name == name) {
                Some(field) => self.value(field.shape, value, &key, origin),
                None => self.unknown(key, origin),
            }
        }
    }

    fn value(&mut self, shape: Shape<'_>, value: &Value, key: &str, origin: &Origin) {
        match (shape, value) {
            (Shape::Leaf(leaf), _) => {
                let secret = leaf.is_secret();
                let outcome = leaf.set(value);
                self.noted(key, origin, outcome, || match serde_json::to_string(value) {
                    Ok(got) => shown(&got, secret),
                    Err(_) => "something else".into(),
                });
            }
            (Shape::Section(section), Value::Table(table)) => {
                self.table(section, table, key, origin);
            }
            (Shape::List(list), Value::Array(items)) => {
                list.reset(items.len());
                self.noted(key, origin, Ok(()), String::new);
                for (at, (section, item)) in list.items().into_iter().zip(items).enumerate() {
                    self.value(Shape::Section(section), item, &format!("{key}[{at}]"), origin);
                }
            }
            (shape, _) => {
                let expected = match shape {
                    Shape::List(_) => format!("a list of tables, [[{key}]]"),
                    _ => format!("a table, [{key}]"),
                };
                self.noted(key, origin, Err(expected), || "something else".into());
            }
        }
    }

    fn text(
        &mut self,
        section: &mut dyn Section,
        path: &[&str],
        key: &str,
        text: &str,
        origin: &Origin,
    ) {
        let [name, rest @ ..] = path else { return };
        let field = section.fields().into_iter().find(|field| field.name == *name);
        match (field.map(|field| field.shape), rest) {
            (Some(Shape::Leaf(leaf)), []) => {
                let secret = leaf.is_secret();
                let outcome = leaf.set_text(text);
                self.noted(key, origin, outcome, || shown(&format!("{text:?}"), secret));
            }
            (Some(shape), []) => self.value(shape, &value_of(text), key, origin),
            (Some(Shape::Section(section)), rest) => self.text(section, rest, key, text, origin),
            _ => self.unknown(key.into(), origin),
        }
    }

    fn noted(
        &mut self,
        key: &str,
        origin: &Origin,
        outcome: Result<(), String>,
        got: impl FnOnce() -> String,
    ) {
        match outcome {
            Ok(()) => {
                self.origins.insert(key.into(), origin.clone());
            }
            Err(expected) => {
                let (key, origin) = (key.into(), origin.clone());
                self.problems.push(Problem::Bad { key, got: got(), origin, expected });
            }
        }
    }

    fn unknown(&mut self, key: String, origin: &Origin) {
        let nearest = nearest(&key);
        self.problems.push(Problem::Unknown { key, origin: origin.clone(), nearest });
    }
}

fn shown(got: &str, secret: bool) -> String {
    if secret { "\"***\"".into() } else { got.into() }
}

fn join(at: &str, name: &str) -> String {
    if at.is_empty() { name.into() } else { format!("{at}.{name}") }
}

fn check(section: &mut dyn Section, at: &str, all: &mut Vec<(String, String)>) {
    let mut wrong = Wrong::default();
    section.check(&mut wrong);
    all.extend(wrong.0.into_iter().map(|(key, expected)| (join(at, &key), expected)));
    for field in section.fields() {
        let key = join(at, field.name);
        match field.shape {
            Shape::Leaf(_) => {}
            Shape::Section(section) => check(section, &key, all),
            Shape::List(list) => {
                for (at, item) in list.items().into_iter().enumerate() {
                    check(item, &format!("{key}[{at}]"), all);
                }
            }
        }
    }
}

/// The known key that was probably meant: the same name elsewhere, else the most similar one.
fn nearest(key: &str) -> Option<String> {
    let mut sample = Settings::default();
    sample.channel.namespaces.resize_with(1, Default::default);
    // Every item of a list looks like its first.
    let index = key.split_once('[').and_then(|(_, rest)| rest.split_once(']')).map(|(n, _)| n);
    let key = &index.map_or(key.to_owned(), |n| key.replace(&format!("[{n}]"), "[0]"));
    let name = |key: &str| key.rsplit('.').next().map(str::to_owned);
    let alike = |known: &str| {
        let whole = strsim::normalized_damerau_levenshtein(known, key);
        if name(known) == name(key) { whole + 1.0 } else { whole }
    };
    let known = values(&sample).into_keys().map(|known| (alike(&known), known));
    let best = known.filter(|(alike, _)| *alike > 0.6).max_by(|a, b| a.0.total_cmp(&b.0));
    best.map(|(_, known)| index.map_or(known.clone(), |n| known.replace("[0]", &format!("[{n}]"))))
}
