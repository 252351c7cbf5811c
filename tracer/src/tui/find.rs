//! What keys do about finding calls: filters, searches, jumps.

use ioctl_registry::DeviceKind;

use super::{
    detail::{Line, quoted},
    finder::{Goal, Seek, Sieve, Sought},
    keymap::View,
    model::{Mode, Model},
    msg::{Effect, Saved},
    prompt::{Answer, Prompt, Question},
    sheet::{Needle, RowId},
    tables,
};
use crate::{
    errno,
    escape::escaped,
    event::{Event, kind_name},
    redact::OF_REDACTED,
};

impl Model {
    /// Asks for something below the list.
    pub fn ask(&mut self, question: Question) {
        let text = match (question, &self.sieve, &self.needle) {
            (Question::Filter, Some(sieve), _) => sieve.text.clone(),
            (Question::Search, _, Some(needle)) => needle.clone(),
            (Question::Write | Question::Save, ..) => {
                let time = self.clock.local_second(self.clock.epoch(self.moment_ns()).0);
                format!("ioctl-trace-{}.jsonl", time.replace(':', ""))
            }
            _ => String::new(),
        };
        self.prompt = Some(Prompt::new(question, &text, self.decoder.registry()));
        self.mode = Mode::Prompt;
    }

    /// Takes what the prompt came to.
    pub fn answer(&mut self, question: Question, answer: Answer) {
        if answer == Answer::Typing {
            return;
        }
        self.prompt = None;
        self.mode = Mode::Watch;
        let Answer::Given(text) = answer else { return };
        match question {
            Question::Filter => self.filter(&text),
            Question::Write | Question::Save if text.is_empty() => {}
            Question::Write => self.effects.push(Effect::Write(text.into())),
            Question::Save => {
                let calls = self.picture.calls.clone();
                let found = self.sieve.as_ref().map(|sieve| sieve.found.clone());
                self.effects.push(Effect::Save(text.into(), Saved { calls, found }));
            }
            Question::Search if text.is_empty() => self.needle = None,
            Question::Search => {
                self.needle = Some(text);
                // From the newest call there is only one way.
                self.search(self.view != View::Stream || self.standing.cursor.is_some());
            }
        }
    }

    /// Shows only calls that match; all of them if there is no expression.
    pub fn filter(&mut self, text: &str) {
        if text.is_empty() {
            self.sieve = None;
            return;
        }
        match Sieve::new(text, &self.decoder, &self.clock) {
            Ok(sieve) if self.redacted && sieve.asks_what_is_redacted() => {
                self.say(format!("filter: {OF_REDACTED}"), 0);
            }
            Ok(sieve) => {
                self.sieve = Some(sieve);
                self.view = View::Stream;
            }
            Err(error) => self.say(format!("filter: {}", error.message()), 0),
        }
    }

    /// Filters by what is under the cursor, and by what was filtered by before if that is wanted.
    pub fn filter_by_this(&mut self, also: bool) {
        let Some(this) = self.this() else {
            return self.say("there is nothing to filter by here".to_owned(), 0);
        };
        match self.sieve.as_ref().filter(|_| also) {
            Some(sieve) => self.filter(&format!("({}) && {this}", sieve.text)),
            None => self.filter(&this),
        }
    }

    /// Follows the descriptor of the call under the cursor.
    pub fn follow(&mut self) {
        if let Some(event) = self.chosen() {
            self.filter(&format!("pid == {} && fd == {}", event.call.pid, event.call.fd));
        }
    }

    /// What calls have in common with what is under the cursor, as an expression.
    fn this(&self) -> Option<String> {
        if let (true, Some(detail), Some(page)) = (self.in_detail(), &self.detail, &self.page) {
            return page.lines.get(detail.cursor).and_then(Line::filter).map(str::to_owned);
        }
        let store = |id: RowId| usize::try_from(id).ok();
        match self.view {
            View::Stream | View::InFlight => self.chosen().map(request_of),
            View::Processes => Some(match tables::task_of(self.sheet.selected?) {
                (pid, None) => format!("pid == {pid}"),
                (_, Some(tid)) => format!("tid == {tid}"),
            }),
            View::Requests | View::Latency | View::Devices | View::Errors => {
                let place = store(self.sheet.selected?)?;
                (self.picture.filter.0 == Some(place)).then(|| self.picture.filter.1.clone())
            }
        }
    }

    /// Looks for the text, from the cursor on.
    pub fn search(&mut self, forward: bool) {
        match &self.needle {
            Some(needle) if self.view != View::Stream => {
                self.sought = Some(Needle { text: needle.to_lowercase(), forward });
            }
            Some(needle) => self.jump(Goal::Text(needle.to_lowercase()), forward),
            None => self.say("nothing to look for: `/` asks for it".to_owned(), 0),
        }
    }

    /// Jumps to the next call of the request under the cursor.
    pub fn jump_request(&mut self, forward: bool) {
        if let Some(number) = self.chosen().map(|event| event.call.request) {
            self.jump(Goal::Request(number), forward);
        }
    }

    /// Jumps to the next call on the descriptor under the cursor.
    pub fn jump_descriptor(&mut self, forward: bool) {
        if let Some((pid, fd)) = self.chosen().map(|event| (event.call.pid, event.call.fd)) {
            self.jump(Goal::Descriptor(pid, fd), forward);
        }
    }

    /// Jumps to the next call of a kind.
    pub fn jump(&mut self, goal: Goal, forward: bool) {
        if self.view != View::Stream {
            return;
        }
        let lines = self.lines();
        // While it follows, the cursor is below the newest call.
        let at = self.standing.cursor.map_or(lines.len(), |cursor| lines.place(cursor));
        let next = if forward { at.checked_add(1) } else { at.checked_sub(1) };
        match next.and_then(|place| lines.number(place)) {
            Some(next) => self.seek = Some(Seek { goal, forward, next }),
            None => self.say(format!("no further {}", goal.title()), 0),
        }
    }

    /// Goes on with what is under way: a piece of it.
    pub fn go_on(&mut self) {
        if let Some(sieve) = &mut self.sieve {
            sieve.advance(&self.picture.calls, &mut self.decoder);
        }
        let Some(mut seek) = self.seek.take() else { return };
        match seek.advance(self.lines(), &self.decoder) {
            Sought::At(place) => {
                let window = self.standing.window(self.lines(), self.list_size().1).0;
                self.standing = self.standing.to(place, self.lines(), window);
            }
            Sought::Nowhere => self.say(format!("no further {}", seek.goal.title()), 0),
            Sought::Unknown => self.seek = Some(seek),
        }
    }

    /// Whether anything is under way.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        self.seek.is_some() || self.sieve.as_ref().is_some_and(|sieve| sieve.left(&self.picture.calls) > 0)
    }
}

/// Calls of the same request.
#[must_use]
pub fn request_of(event: &Event) -> String {
    match event.certain() {
        Some(request) if request.name().bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') => {
            format!("request == {}", request.name())
        }
        _ => format!("number == {:#x}", event.call.request),
    }
}

/// Calls on the same device.
#[must_use]
pub fn device_of(event: &Event) -> String {
    match event.call.target.file() {
        Some(file) if event.call.control.is_some() => format!("path == {}", quoted(&escaped(&file.target))),
        None if event.call.control.is_some() => format!("handle == {}", event.call.descriptor()),
        None => "notes has \"fd not open\"".to_owned(),
        Some(file) => {
            let kind = kind_name(file.kind);
            let handler = event.device().and_then(|device| device.handler.as_deref());
            match (file.numbers, handler, file.kind) {
                (Some((major, minor)), ..) => {
                    format!("kind == {kind} && major == {major} && minor == {minor}")
                }
                (None, _, DeviceKind::Char | DeviceKind::Block) => format!("kind == {kind} && not major"),
                // As the device's name tells these apart.
                (
                    None,
                    Some(handler),
                    DeviceKind::AnonInode | DeviceKind::Regular | DeviceKind::Directory,
                ) => {
                    format!("kind == {kind} && handler == {}", quoted(&escaped(handler.as_bytes())))
                }
                _ => format!("kind == {kind}"),
            }
        }
    }
}

/// Calls that failed alike.
#[must_use]
pub fn error_of(number: i32) -> String {
    let name = errno::name(number);
    if number < 0 {
        return format!("status == {name}");
    }
    // Numbers without a name are no word.
    if name.contains(' ') { format!("errno == {number}") } else { format!("errno == {name}") }
}
