//! Tokens into a tree. No name is looked up here.

use std::ops::Range;

use super::{
    error::Mistake,
    token::{Number, Symbol, Token, tokens},
};

/// Bytes of an expression.
const MAX_LENGTH: usize = 4_096;
/// Parentheses and negations within each other.
const MAX_DEPTH: usize = 64;

/// Something, and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Spanned<T> {
    pub value: T,
    pub span: Range<usize>,
}

/// An expression.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Tree {
    All(Vec<Tree>),
    Any(Vec<Tree>),
    Not(Box<Tree>),
    Test(Test),
    Constant(bool),
}

/// A field, and what is asked of it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Test {
    pub field: Spanned<String>,
    /// Nothing for a field that stands alone.
    pub operator: Option<Spanned<Operator>>,
    pub operands: Vec<Spanned<Operand>>,
}

/// What can be asked of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    Equal,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    Glob,
    Regex,
    Has,
    In,
    NotIn,
    Exists,
}

/// What a field is compared with.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Operand {
    /// A name without quotes: a constant, or a text.
    Word(String),
    /// A text in quotes, as bytes.
    Text(Vec<u8>),
    Number(Number),
    /// Names and numbers joined by `|`.
    Bits(Vec<Spanned<String>>, u64),
}

/// Reads an expression.
pub(super) fn parse(text: &str) -> Result<Tree, Mistake> {
    if text.len() > MAX_LENGTH {
        let message = format!("the expression is longer than {MAX_LENGTH} bytes");
        return Err(Mistake::new(&(0..0), message));
    }
    let mut parser = Parser { tokens: tokens(text)?, next: 0, end: text.len(), depth: 0 };
    if parser.tokens.is_empty() {
        return Err(Mistake::new(&(0..0), "the expression is empty; an example is `ret < 0`"));
    }
    let tree = parser.any()?;
    match parser.peek() {
        None => Ok(tree),
        Some(Token::Symbol(Symbol::Close)) => Err(parser.mistake("no parenthesis is open here")),
        Some(_) => Err(parser.mistake("`and` or `or` is expected here")),
    }
}

struct Parser {
    tokens: Vec<Spanned<Token>>,
    next: usize,
    end: usize,
    depth: usize,
}

impl Parser {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.next).map(|token| &token.value)
    }

    /// Where the next token stands.
    fn span(&self) -> Range<usize> {
        self.tokens.get(self.next).map_or(self.end..self.end, |token| token.span.clone())
    }

    fn take(&mut self) -> Option<Spanned<Token>> {
        let token = self.tokens.get(self.next).cloned();
        self.next += 1;
        token
    }

    fn mistake(&self, message: impl Into<String>) -> Mistake {
        Mistake::new(&self.span(), message)
    }

    fn eat(&mut self, symbol: Symbol) -> bool {
        let found = self.peek() == Some(&Token::Symbol(symbol));
        self.next += usize::from(found);
        found
    }

    fn eat_word(&mut self, word: &str) -> bool {
        let found = matches!(self.peek(), Some(Token::Word(found)) if found == word);
        self.next += usize::from(found);
        found
    }

    fn any(&mut self) -> Result<Tree, Mistake> {
        let mut parts = vec![self.all()?];
        while self.eat(Symbol::Or) || self.eat_word("or") {
            parts.push(self.all()?);
        }
        Ok(one_or(parts, Tree::Any))
    }

    fn all(&mut self) -> Result<Tree, Mistake> {
        let mut parts = vec![self.not()?];
        while self.eat(Symbol::And) || self.eat_word("and") {
            parts.push(self.not()?);
        }
        Ok(one_or(parts, Tree::All))
    }

    fn not(&mut self) -> Result<Tree, Mistake> {
        if self.depth >= MAX_DEPTH {
            return Err(
                self.mistake(format!("more than {MAX_DEPTH} parentheses and negations within each other"))
            );
        }
        self.depth += 1;
        let tree = if self.eat(Symbol::Not) || self.eat_word("not") {
            self.not().map(|tree| Tree::Not(Box::new(tree)))
        } else {
            self.single()
        };
        self.depth -= 1;
        tree
    }

    fn single(&mut self) -> Result<Tree, Mistake> {
        let opened = self.span();
        if self.eat(Symbol::Open) {
            let tree = self.any()?;
            return if self.eat(Symbol::Close) {
                Ok(tree)
            } else if self.peek().is_none() {
                Err(Mistake::new(&opened, "this parenthesis is never closed"))
            } else {
                Err(self.mistake("`and`, `or` or `)` is expected here"))
            };
        }
        match self.peek() {
            Some(Token::Word(word)) => {
                let word = word.clone();
                if matches!(word.as_str(), "and" | "or" | "has" | "exists") {
                    return Err(self.mistake(format!("a field is expected before `{word}`")));
                }
                if word == "true" || word == "false" {
                    self.next += 1;
                    return Ok(Tree::Constant(word == "true"));
                }
                let field = Spanned { value: word, span: self.span() };
                self.next += 1;
                self.test(field).map(Tree::Test)
            }
            Some(Token::Text(_) | Token::Number(_)) => {
                Err(self.mistake("a field is expected here: it stands first, as in `ret < 0`"))
            }
            _ => Err(self.mistake("a field is expected here; `ioctl-trace fields` lists them")),
        }
    }

    fn test(&mut self, field: Spanned<String>) -> Result<Test, Mistake> {
        let span = self.span();
        let Some(operator) = self.operator()? else {
            return Ok(Test { field, operator: None, operands: Vec::new() });
        };
        let operands = match operator {
            Operator::Exists => Vec::new(),
            Operator::In | Operator::NotIn => self.list()?,
            _ => vec![self.operand()?],
        };
        let span = span.start..self.tokens.get(self.next.saturating_sub(1)).map_or(span.end, |_| span.end);
        Ok(Test { field, operator: Some(Spanned { value: operator, span }), operands })
    }

    fn operator(&mut self) -> Result<Option<Operator>, Mistake> {
        let operator = match self.peek() {
            Some(Token::Symbol(symbol)) => match symbol {
                Symbol::Equal => Operator::Equal,
                Symbol::NotEqual => Operator::NotEqual,
                Symbol::Less => Operator::Less,
                Symbol::LessEqual => Operator::LessEqual,
                Symbol::Greater => Operator::Greater,
                Symbol::GreaterEqual => Operator::GreaterEqual,
                Symbol::Glob => Operator::Glob,
                Symbol::Regex => Operator::Regex,
                Symbol::Bar => return Err(self.mistake("one `|` joins flags; `or` or `||` is meant perhaps")),
                Symbol::Not => {
                    return Err(self.mistake("`and` or `or` is expected here; `!` stands before a field"));
                }
                _ => return Ok(None),
            },
            Some(Token::Word(word)) => match word.as_str() {
                "has" => Operator::Has,
                "in" => Operator::In,
                "exists" => Operator::Exists,
                "not" => {
                    self.next += 1;
                    if !self.eat_word("in") {
                        return Err(self
                            .mistake("`in` is expected here: `not` stands before a field, or as `not in`"));
                    }
                    return Ok(Some(Operator::NotIn));
                }
                _ => return Ok(None),
            },
            _ => return Ok(None),
        };
        self.next += 1;
        Ok(Some(operator))
    }

    /// `(a, b)`
    fn list(&mut self) -> Result<Vec<Spanned<Operand>>, Mistake> {
        if !self.eat(Symbol::Open) {
            return Err(self.mistake("a list is expected here, such as `(1, 2)`"));
        }
        let mut operands = vec![self.operand()?];
        loop {
            if self.eat(Symbol::Close) {
                return Ok(operands);
            }
            if !self.eat(Symbol::Comma) {
                return Err(self.mistake("`,` or `)` is expected here"));
            }
            operands.push(self.operand()?);
        }
    }

    fn operand(&mut self) -> Result<Spanned<Operand>, Mistake> {
        let (first, span) = self.atom()?;
        if self.peek() != Some(&Token::Symbol(Symbol::Bar)) {
            return Ok(Spanned { value: first, span });
        }
        let (mut names, mut bits, mut end) = (Vec::new(), 0, span.end);
        let mut part = (first, span.clone());
        loop {
            end = end.max(part.1.end);
            match part.0 {
                Operand::Word(value) => names.push(Spanned { value, span: part.1 }),
                Operand::Number(Number::Integer(number)) if u64::try_from(number).is_ok() => {
                    bits |= u64::try_from(number).unwrap_or_default();
                }
                _ => return Err(Mistake::new(&part.1, "only names and numbers are joined by `|`")),
            }
            if !self.eat(Symbol::Bar) {
                return Ok(Spanned { value: Operand::Bits(names, bits), span: span.start..end });
            }
            part = self.atom()?;
        }
    }

    fn atom(&mut self) -> Result<(Operand, Range<usize>), Mistake> {
        let value = match self.peek() {
            Some(Token::Word(word)) if !matches!(word.as_str(), "and" | "or" | "not" | "in" | "has") => {
                Operand::Word(word.clone())
            }
            Some(Token::Text(bytes)) => Operand::Text(bytes.clone()),
            Some(Token::Number(number)) => Operand::Number(*number),
            Some(Token::Symbol(Symbol::Open)) => {
                return Err(
                    self.mistake("a value is expected here; a list goes with `in`, as in `ret in (0, 1)`")
                );
            }
            _ => return Err(self.mistake("a value is expected here: a number, a name, or a text in quotes")),
        };
        let span = self.span();
        self.take();
        Ok((value, span))
    }
}

fn one_or(mut parts: Vec<Tree>, several: fn(Vec<Tree>) -> Tree) -> Tree {
    match (parts.len(), parts.pop()) {
        (1, Some(only)) => only,
        (_, last) => {
            parts.extend(last);
            several(parts)
        }
    }
}
