//! Groups of all kinds: what begins with a bracket.

use super::PatternError;
use super::translator::{Group, Parsed, Piece, Translator, item, nothing};

/// How deep groups may be nested; Python's parser ends near this as well.
const DEPTH_MAX: usize = 100;

impl Translator {
    pub(super) fn group(&mut self, start: usize) -> Parsed {
        if self.depth >= DEPTH_MAX {
            return Err(Self::unsupported("groups nested more than 100 deep"));
        }
        self.depth += 1;
        let piece = if self.take('?') { self.extension(start) } else { self.capture(start, None) };
        self.depth -= 1;
        piece
    }

    /// The inside of a group, to its end.
    fn inside(&mut self, start: usize) -> Parsed {
        let outer = self.mode;
        let inside = self.alternation()?;
        self.mode = outer;
        if self.take(')') {
            Ok(inside)
        } else {
            Err(self.error("missing ), unterminated subpattern", start))
        }
    }

    fn capture(&mut self, start: usize, name: Option<String>) -> Parsed {
        let index = self.groups.len();
        self.groups.push(Group { name, width: None });
        let inside = self.inside(start)?;
        self.groups[index].width = Some(inside.width);
        Ok(item(format!("({})", inside.text), inside.width))
    }

    /// What follows upon `(?`.
    fn extension(&mut self, start: usize) -> Parsed {
        let Some(next) = self.next() else {
            return Err(self.error("unexpected end of pattern", self.at));
        };
        match next {
            ':' => {
                self.inside(start).map(|inside| item(format!("(?:{})", inside.text), inside.width))
            }
            '>' => {
                self.inside(start).map(|inside| item(format!("(?>{})", inside.text), inside.width))
            }
            '=' | '!' => self.inside(start).map(|inside| look(&format!("?{next}"), &inside)),
            '<' => self.lookbehind(start),
            'P' => self.named(start),
            '#' => {
                while let Some(next) = self.next() {
                    if next == ')' {
                        return Ok(nothing());
                    }
                }
                Err(self.error("missing ), unterminated comment", start))
            }
            '(' => self.conditional(start),
            _ => {
                self.at -= 1;
                self.scoped_flags(start)
            }
        }
    }

    fn lookbehind(&mut self, start: usize) -> Parsed {
        let sign = match self.next() {
            Some(sign @ ('=' | '!')) => sign,
            Some(other) => {
                return Err(self.error(format!("unknown extension ?<{other}"), start + 1));
            }
            None => return Err(self.error("unexpected end of pattern", self.at)),
        };
        let inside = self.inside(start)?;
        if inside.width.0 != inside.width.1 {
            return Err(self.error("look-behind requires fixed-width pattern", start));
        }
        Ok(look(&format!("?<{sign}"), &inside))
    }

    /// `(?P<name>…)` and `(?P=name)`.
    fn named(&mut self, start: usize) -> Parsed {
        match self.next() {
            Some('<') => {
                let at = self.at;
                let name = self.until('>', "group name")?;
                self.check_name(&name, at)?;
                if self.groups.iter().any(|group| group.name.as_deref() == Some(&*name)) {
                    let message = format!("redefinition of group name '{name}'");
                    return Err(self.error(message, at));
                }
                self.capture(start, Some(name))
            }
            Some('=') => {
                let at = self.at;
                let name = self.until(')', "group name")?;
                self.check_name(&name, at)?;
                let group = self.group_named(&name, at)?;
                self.reference(group, at)
            }
            Some(other) => Err(self.error(format!("unknown extension ?P{other}"), start + 1)),
            None => Err(self.error("unexpected end of pattern", self.at)),
        }
    }

    fn check_name(&self, name: &str, at: usize) -> Result<(), PatternError> {
        let starts = |c: char| c == '_' || c.is_alphabetic();
        let is_name = name.starts_with(starts) && name.chars().all(|c| starts(c) || c.is_numeric());
        let message = || format!("bad character in group name '{name}'");
        if is_name { Ok(()) } else { Err(self.error(message(), at)) }
    }

    fn group_named(&self, name: &str, at: usize) -> Result<usize, PatternError> {
        let found = self.groups.iter().position(|group| group.name.as_deref() == Some(name));
        found.ok_or_else(|| self.error(format!("unknown group name '{name}'"), at))
    }

    /// `(?(group)yes|no)`.
    fn conditional(&mut self, start: usize) -> Parsed {
        let at = self.at;
        let name = self.until(')', "group name")?;
        let group = match name.parse::<usize>() {
            Ok(0) => return Err(self.error("bad group number", at)),
            Ok(group) => {
                self.conditions.push((group, at));
                group
            }
            Err(_) => {
                self.check_name(&name, at)?;
                self.group_named(&name, at)?
            }
        };
        let outer = self.mode;
        let yes = self.sequence()?;
        let no = if self.take('|') { self.sequence()? } else { nothing() };
        self.mode = outer;
        if self.peek() == Some('|') {
            return Err(self.error("conditional backref with more than two branches", self.at));
        }
        if !self.take(')') {
            return Err(self.error("missing ), unterminated subpattern", start));
        }
        let width = (yes.width.0.min(no.width.0), yes.width.1.max(no.width.1));
        Ok(item(format!("(?({group}){}|{})", yes.text, no.text), width))
    }

    /// `(?i-s:…)`.
    fn scoped_flags(&mut self, start: usize) -> Parsed {
        let on = self.flag_letters();
        let off = if self.take('-') { self.flag_letters() } else { Vec::new() };
        match self.next() {
            Some(':') if !on.is_empty() || !off.is_empty() => {}
            Some(')') if !on.is_empty() => {
                let message = "global flags not at the start of the expression";
                return Err(self.error(message, start));
            }
            Some(other) => {
                return Err(self.error(format!("unknown extension ?{other}"), start + 1));
            }
            None => return Err(self.error("missing -, : or )", self.at)),
        }
        let outer = self.mode;
        self.set(&on, true, start)?;
        self.set(&off, false, start)?;
        let case = if self.mode.flags.ignore_case { "i" } else { "-i" };
        let inside = self.inside(start)?;
        self.mode = outer;
        Ok(item(format!("(?{case}:{})", inside.text), inside.width))
    }
}

/// Lookaround, which can be repeated although it matches no character.
fn look(sign: &str, inside: &Piece) -> Piece {
    item(format!("({sign}{})", inside.text), (0, 0))
}
