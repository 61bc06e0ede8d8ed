//! Calls as people type them: `acme:math/ops.add(1, "a, b", @photo.png)`.

use super::super::{Type, Value};
use super::{WaveError, parse};

/// A function's name, and its arguments as they were typed.
///
/// The name is not looked up and the arguments are not read here: that needs the function's type,
/// and files. See [`resolve`](crate::wit::resolve) and [`parse`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// The function, as it was typed.
    pub name: String,
    /// The arguments; none if there were no parentheses, so `add` and `add()` can be told apart.
    pub args: Option<Vec<Arg>>,
}

/// An argument of a [`Call`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Arg {
    /// A value, in WAVE.
    Wave(String),
    /// The content of a file, `@path`. The path `-` is the standard input.
    File(String),
}

impl Call {
    /// Reads `name`, or `name(arg, ..)`.
    ///
    /// An argument that starts with `@` is a file. Its path ends at the next comma or closing
    /// parenthesis, with parentheses inside it in pairs; any other path is quoted, `@"a, b"`.
    ///
    /// ```
    /// use homestar_core::wit::wave::{Arg, Call};
    ///
    /// let call = Call::parse(r#"acme:math/ops.add(1, "a, b", @photo (2).png)"#)?;
    /// assert_eq!(call.name, "acme:math/ops.add");
    /// let args = [
    ///     Arg::Wave("1".into()),
    ///     Arg::Wave("\"a, b\"".into()),
    ///     Arg::File("photo (2).png".into()),
    /// ];
    /// assert_eq!(call.args.as_deref(), Some(&args[..]));
    /// # Ok::<(), homestar_core::wit::wave::WaveError>(())
    /// ```
    pub fn parse(text: &str) -> Result<Self, WaveError> {
        let mut scanner = Scanner { text, at: 0 };
        let name = scanner.name()?;
        let args = match scanner.eat('(') {
            true => Some(scanner.args()?),
            false => None,
        };
        scanner.end()?;
        Ok(Self { name, args })
    }
}

/// A place in the text, at a character's first byte.
struct Scanner<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Scanner<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let character = self.peek()?;
        self.at += character.len_utf8();
        Some(character)
    }

    fn eat(&mut self, expected: char) -> bool {
        let found = self.peek() == Some(expected);
        if found {
            self.next();
        }
        found
    }

    fn error(&self, message: &str) -> WaveError {
        self.error_at(self.at, message)
    }

    fn error_at(&self, offset: usize, message: &str) -> WaveError {
        WaveError::new(self.text, offset, message)
    }

    /// Skips white space and comments, which WAVE begins with `//`.
    fn skip_blank(&mut self) {
        loop {
            let rest = self.rest();
            self.at += rest.len() - rest.trim_start().len();
            if !self.skip_comment() {
                return;
            }
        }
    }

    fn skip_comment(&mut self) -> bool {
        let rest = self.rest();
        let found = rest.starts_with("//");
        if found {
            self.at += rest.find('\n').unwrap_or(rest.len());
        }
        found
    }

    /// Everything up to the parenthesis or the end.
    fn name(&mut self) -> Result<String, WaveError> {
        let rest = self.rest();
        let name = &rest[..rest.find('(').unwrap_or(rest.len())];
        let leading = name.len() - name.trim_start().len();
        let odd = |c: char| c.is_whitespace() || c.is_control() || "\"'{},)".contains(c);
        if name.trim().is_empty() {
            return Err(self.error_at(leading, "expected the name of a function"));
        }
        if let Some(offset) = name.trim().find(odd) {
            return Err(self.error_at(
                leading + offset,
                "unexpected character in a function's name",
            ));
        }
        self.at += name.len();
        Ok(name.trim().to_owned())
    }

    /// Everything from after the opening parenthesis to after the closing one. As in WAVE, a comma
    /// may follow the last argument.
    fn args(&mut self) -> Result<Vec<Arg>, WaveError> {
        let mut args = Vec::new();
        loop {
            self.skip_blank();
            if self.eat(')') {
                return Ok(args);
            }
            args.push(self.arg()?);
            self.skip_blank();
            if self.eat(')') {
                return Ok(args);
            }
            if !self.eat(',') {
                return Err(self.error("expected `,` or `)`"));
            }
        }
    }

    fn arg(&mut self) -> Result<Arg, WaveError> {
        match self.peek() {
            Some('@') => self.file().map(Arg::File),
            Some(',') => Err(self.error("expected an argument")),
            _ => self.wave().map(Arg::Wave),
        }
    }

    fn file(&mut self) -> Result<String, WaveError> {
        let start = self.at;
        self.next();
        let path = match self.peek() {
            Some('"') => self.quoted_path()?,
            _ => self.bare_path(),
        };
        match path.is_empty() {
            true => Err(self.error_at(start, "expected a path after `@`")),
            false => Ok(path),
        }
    }

    fn quoted_path(&mut self) -> Result<String, WaveError> {
        let start = self.at;
        self.string()?;
        let quoted = &self.text[start..self.at];
        match parse(quoted, &Type::String) {
            Ok(Value::String(path)) => Ok(path),
            _ => Err(self.error_at(start, "invalid string")),
        }
    }

    fn bare_path(&mut self) -> String {
        let start = self.at;
        let mut depth = 0_usize;
        while let Some(character) = self.peek() {
            match character {
                ',' if depth == 0 => break,
                ')' if depth == 0 => break,
                '(' => depth += 1,
                ')' => depth -= 1,
                _ => {}
            }
            self.next();
        }
        self.text[start..self.at].trim_end().to_owned()
    }

    /// Everything up to a comma or a closing parenthesis that belongs to the call.
    fn wave(&mut self) -> Result<String, WaveError> {
        let start = self.at;
        let mut open: Vec<(usize, char)> = Vec::new();
        while let Some(character) = self.peek() {
            match character {
                ',' | ')' if open.is_empty() => {
                    return Ok(self.text[start..self.at].trim_end().to_owned());
                }
                '"' => self.string()?,
                '\'' => self.character()?,
                '(' | '[' | '{' => {
                    open.push((self.at, closing(character)));
                    self.next();
                }
                ')' | ']' | '}' => self.close(open.pop(), character)?,
                '/' if self.skip_comment() => {}
                _ => {
                    self.next();
                }
            }
        }
        match open.pop() {
            Some((offset, closing)) => {
                Err(self.error_at(offset, &format!("no `{closing}` for what opens")))
            }
            None => Err(self.error("expected `,` or `)`")),
        }
    }

    fn close(&mut self, open: Option<(usize, char)>, found: char) -> Result<(), WaveError> {
        match open {
            Some((_, expected)) if expected != found => {
                Err(self.error(&format!("expected `{expected}`, found `{found}`")))
            }
            Some(_) => {
                self.next();
                Ok(())
            }
            None => Err(self.error(&format!("unexpected `{found}`"))),
        }
    }

    /// A string in `"` or in `"""`, where nothing is escaped.
    fn string(&mut self) -> Result<(), WaveError> {
        const LONG: &str = "\"\"\"";
        match self.rest().strip_prefix(LONG) {
            Some(inner) => {
                let end = inner
                    .find(LONG)
                    .ok_or_else(|| self.error("a string has no end"))?;
                self.at += LONG.len() + end + LONG.len();
                Ok(())
            }
            None => self.delimited("a string has no end"),
        }
    }

    fn character(&mut self) -> Result<(), WaveError> {
        self.delimited("a character has no end")
    }

    /// Everything to the next character like this one, unless escaped. Stops at a line's end, as
    /// WAVE does.
    fn delimited(&mut self, endless: &str) -> Result<(), WaveError> {
        let start = self.at;
        let delimiter = self.next();
        loop {
            match self.next() {
                None | Some('\n') => return Err(self.error_at(start, endless)),
                Some('\\') => {
                    self.next();
                }
                found if found == delimiter => return Ok(()),
                Some(_) => {}
            }
        }
    }

    fn end(&mut self) -> Result<(), WaveError> {
        self.skip_blank();
        match self.rest().is_empty() {
            true => Ok(()),
            false => Err(self.error("expected nothing after the call")),
        }
    }
}

fn closing(open: char) -> char {
    match open {
        '(' => ')',
        '[' => ']',
        _ => '}',
    }
}
