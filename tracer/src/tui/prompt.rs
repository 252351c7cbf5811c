//! What is typed below the list: a filter, a text to look for, the name of a file. With completion, and mistakes where
//! they are.

use std::ops::Range;

use crossterm::event::{Event, KeyCode, KeyEvent, KeyModifiers};
use ioctl_registry::Registry;
use tui_input::{Input, backend::crossterm::EventHandler as _};

use crate::{
    errno,
    field::{FieldId, Kind},
    filter::Filter,
};

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question {
    /// A filter for the stream.
    Filter,
    /// A text to look for.
    Search,
    /// A file that calls are written to from now on.
    Write,
    /// A file for the calls that are shown.
    Save,
}

impl Question {
    /// What stands before the line.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Filter => "filter: ",
            Self::Search => "/",
            Self::Write => "write calls to: ",
            Self::Save => "save these calls to: ",
        }
    }
}

/// Words offered at most.
const CHOICES: usize = 64;

/// A line that is being typed.
#[derive(Clone, Debug)]
pub struct Prompt {
    /// What is asked for.
    pub question: Question,
    /// The line.
    pub input: Input,
    /// What is wrong with it, and where, in bytes.
    pub mistake: Option<(String, Range<usize>)>,
    /// Words that complete the one at the cursor, and which of them is taken.
    pub choices: Vec<String>,
    /// See the one before.
    pub choice: Option<usize>,
    /// The line, up to the word that is completed, and what stands behind it.
    around: (String, String),
}

/// What a key came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It is still being typed.
    Typing,
    /// This is the answer.
    Given(String),
    /// There is none.
    Dropped,
}

impl Prompt {
    /// Asks, with an answer to begin with.
    #[must_use]
    pub fn new(question: Question, text: &str, registry: &'static Registry) -> Self {
        let around = (String::new(), String::new());
        let input = Input::new(text.to_owned());
        let mut prompt = Self { question, input, mistake: None, choices: Vec::new(), choice: None, around };
        prompt.check(registry);
        prompt
    }

    /// Takes a key.
    pub fn key(&mut self, key: &KeyEvent, registry: &'static Registry) -> Answer {
        match (key.code, key.modifiers) {
            (KeyCode::Esc, _) => return Answer::Dropped,
            (KeyCode::Char('c'), KeyModifiers::CONTROL) => return Answer::Dropped,
            // What is wrong is not taken.
            (KeyCode::Enter, _) if self.mistake.is_none() => {
                return Answer::Given(self.input.value().trim().to_owned());
            }
            (KeyCode::Enter, _) => {}
            (KeyCode::Tab | KeyCode::Down, _) => self.complete(1, registry),
            (KeyCode::BackTab | KeyCode::Up, _) => self.complete(-1, registry),
            _ => {
                if self.input.handle_event(&Event::Key(*key)).is_some_and(|changed| changed.value) {
                    self.choices.clear();
                    self.choice = None;
                }
            }
        }
        self.check(registry);
        Answer::Typing
    }

    /// Finds out what is wrong.
    fn check(&mut self, registry: &'static Registry) {
        let text = self.input.value();
        let wrong = (self.question == Question::Filter && !text.trim().is_empty())
            .then(|| Filter::parse(text, registry).err())
            .flatten();
        self.mistake = wrong.map(|error| (error.message().to_owned(), error.span().clone()));
    }

    /// Puts the next word in, or the one before.
    fn complete(&mut self, step: isize, registry: &'static Registry) {
        if self.question != Question::Filter {
            return;
        }
        if self.choices.is_empty() {
            let text = self.input.value();
            let cursor = text.char_indices().nth(self.input.cursor()).map_or(text.len(), |(at, _)| at);
            let (before, after) = text.split_at(cursor);
            let start = before.rfind(|c: char| !is_word(c)).map_or(0, |at| at + 1);
            // A character that is no word may take several bytes.
            let start =
                (start..=before.len()).find(|at| before.is_char_boundary(*at)).unwrap_or(before.len());
            let (head, word) = before.split_at(start);
            self.choices = choices(head, word, registry);
            self.around = (head.to_owned(), after.to_owned());
        }
        let count = self.choices.len();
        let next = match self.choice {
            _ if count == 0 => return,
            Some(choice) => (choice + count).saturating_add_signed(step) % count,
            None if step > 0 => 0,
            None => count - 1,
        };
        self.choice = Some(next);
        let Some(word) = self.choices.get(next) else { return };
        let (head, tail) = &self.around;
        let cursor = head.chars().count() + word.chars().count();
        self.input = Input::new(format!("{head}{word}{tail}")).with_cursor(cursor);
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '.' | '*' | '[' | ']')
}

/// Words that begin like this one and make sense behind what stands before it.
fn choices(head: &str, word: &str, registry: &'static Registry) -> Vec<String> {
    let begins = |name: &str| {
        name.len() >= word.len() && name.get(..word.len()).is_some_and(|b| b.eq_ignore_ascii_case(word))
    };
    let mut found: Vec<String> = match value_of(head).map(|field| (field, field.definition().kind)) {
        Some((_, Kind::Request)) => registry.requests().map(|request| request.name().to_owned()).collect(),
        Some((_, Kind::Errno)) => (1..134).map(|number| errno::name(number).into_owned()).collect(),
        Some((_, Kind::Word(words))) => words.iter().map(|&word| word.to_owned()).collect(),
        Some((FieldId::Family, _)) => registry.families().map(str::to_owned).collect(),
        Some(_) => Vec::new(),
        None => {
            let fields =
                FieldId::ALL.iter().flat_map(|field| field.names()).filter(|name| !name.contains('*'));
            fields.chain(["and", "or", "not"]).map(str::to_owned).collect()
        }
    };
    found.retain(|name| begins(name));
    found.sort_unstable();
    found.dedup();
    found.truncate(CHOICES);
    found
}

/// The field whose value is about to be written, if one is.
fn value_of(head: &str) -> Option<FieldId> {
    let head = head.trim_end();
    // Within a list, the field stands before it.
    let head = match head.rfind('(') {
        Some(open) if head.get(open..).is_some_and(|list| !list.contains(')')) => {
            head.get(..open)?.trim_end().strip_suffix("in")?
        }
        _ => head.trim_end_matches(['=', '!', '~', '<', '>']),
    };
    let head = head.trim_end();
    let head = head.strip_suffix("not").unwrap_or(head).trim_end();
    let field = head.rsplit(|c: char| !is_word(c)).next()?;
    FieldId::find(field)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(script: &str) -> Prompt {
        let registry = Registry::builtin();
        let mut prompt = Prompt::new(Question::Filter, "", registry);
        for c in script.chars() {
            let code = match c {
                '\t' => KeyCode::Tab,
                c => KeyCode::Char(c),
            };
            assert_eq!(prompt.key(&KeyEvent::new(code, KeyModifiers::NONE), registry), Answer::Typing);
        }
        prompt
    }

    #[test]
    fn words_are_completed_where_they_make_sense() {
        for (script, line) in [
            ("err\t", "errno"),
            ("errno == enot\t", "errno == ENOTBLK"),
            ("errno == enot\t\t", "errno == ENOTCONN"),
            ("errno in (EPERM, enott\t", "errno in (EPERM, ENOTTY"),
            ("request ~ tiocgw\t", "request ~ TIOCGWINSZ"),
            ("ret < 0 && kind == bl\t", "ret < 0 && kind == block"),
            ("dri\t == x", "driver == x"),
            ("zzz\t", "zzz"),
            ("ä dri\t", "ä driver"),
        ] {
            assert_eq!(typed(script).input.value(), line, "{script:?}");
        }
    }

    #[test]
    fn mistakes_are_where_they_are_and_not_taken() {
        let registry = Registry::builtin();
        let mut prompt = typed("drvier == x");
        let (message, span) = prompt.mistake.clone().expect("a mistake");
        assert_eq!((message.as_str(), span), ("there is no field `drvier`; did you mean `driver`?", 0..6));
        let enter = KeyEvent::new(KeyCode::Enter, KeyModifiers::NONE);
        assert_eq!(prompt.key(&enter, registry), Answer::Typing);
        let mut prompt = typed("ret < 0 ");
        assert_eq!(prompt.key(&enter, registry), Answer::Given("ret < 0".to_owned()));
        let escape = KeyEvent::new(KeyCode::Esc, KeyModifiers::NONE);
        assert_eq!(prompt.key(&escape, registry), Answer::Dropped);
    }
}
