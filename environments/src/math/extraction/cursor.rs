//! A text as scanners see it: byte positions, and what is asked again and again kept in mind.
//!
//! Scanners try many starts, and several ask where the same run of spaces or the same environment ends.
//! Memos answer at once what was found out before, which keeps every scan linear in the text.

use std::cell::Cell;

use framework::environment::python::text::is_space;

/// A text, and what is known about it.
#[derive(Debug)]
pub(super) struct Cursor<'t> {
    text: &'t str,
    spaces: [Cell<(usize, usize)>; 4],
    oldest: Cell<usize>,
}

/// The next place of something, as far as it was looked for.
#[derive(Debug, Default)]
pub(super) struct Memo(Cell<Option<(usize, Option<usize>)>>);

impl Memo {
    /// The first place at or after `from`; `find` looks for it.
    pub(super) fn next(
        &self,
        from: usize,
        find: impl FnOnce(usize) -> Option<usize>,
    ) -> Option<usize> {
        if let Some((known_from, found)) = self.0.get()
            && known_from <= from
            && found.is_none_or(|found| found >= from)
        {
            return found;
        }
        let found = find(from);
        self.0.set(Some((from, found)));
        found
    }
}

impl<'t> Cursor<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self { text, spaces: Default::default(), oldest: Cell::new(0) }
    }

    pub(super) fn text(&self) -> &'t str {
        self.text
    }

    pub(super) fn len(&self) -> usize {
        self.text.len()
    }

    pub(super) fn byte(&self, at: usize) -> Option<u8> {
        self.text.as_bytes().get(at).copied()
    }

    pub(super) fn byte_before(&self, at: usize) -> Option<u8> {
        at.checked_sub(1).and_then(|before| self.byte(before))
    }

    pub(super) fn character(&self, at: usize) -> Option<char> {
        let byte = self.byte(at)?;
        if byte.is_ascii() { Some(char::from(byte)) } else { self.text[at..].chars().next() }
    }

    pub(super) fn character_before(&self, at: usize) -> Option<char> {
        self.text[..at].chars().next_back()
    }

    /// The position behind `prefix`, if it stands at a position.
    pub(super) fn behind(&self, at: usize, prefix: &str) -> Option<usize> {
        let stands = self.text.as_bytes()[at..].starts_with(prefix.as_bytes());
        stands.then_some(at + prefix.len())
    }

    pub(super) fn has(&self, at: usize, prefix: &str) -> bool {
        self.behind(at, prefix).is_some()
    }

    /// The position behind a space at a position.
    pub(super) fn behind_space(&self, at: usize) -> Option<usize> {
        let character = self.character(at).filter(|character| is_space(*character))?;
        Some(at + character.len_utf8())
    }

    /// Where the spaces that begin at a position end; the position itself without any.
    pub(super) fn spaces_end(&self, at: usize) -> usize {
        let Some(next) = self.behind_space(at) else { return at };
        // Most spaces stand alone.
        if self.byte(next).is_some_and(|byte| byte.is_ascii_graphic()) {
            return next;
        }
        let known =
            self.spaces.iter().map(Cell::get).find(|(start, end)| (*start..*end).contains(&at));
        if let Some((_, end)) = known {
            return end;
        }
        let start = self.text[..at].trim_end_matches(is_space).len();
        let length = self.text[at..].find(|character| !is_space(character));
        let end = length.map_or(self.len(), |length| at + length);
        let slot = self.oldest.get();
        self.spaces[slot].set((start, end));
        self.oldest.set((slot + 1) % self.spaces.len());
        end
    }

    /// Where the spaces before a position begin; the position itself without any.
    pub(super) fn spaces_start(&self, at: usize) -> usize {
        self.text[..at].trim_end_matches(is_space).len()
    }

    /// The next `is` behind a space that is not before `from`, and of which more holds.
    pub(super) fn next_is(&self, from: usize, holds: impl Fn(usize) -> bool) -> Option<usize> {
        let rest = self.text.get(from..)?;
        let places = rest.match_indices("is").map(|(index, _)| from + index);
        let mut places = places.filter(|at| self.character_before(*at).is_some_and(is_space));
        places.find(|at| holds(*at))
    }

    /// Where the last of the spaces before a position begins, if it is not before `from`.
    pub(super) fn last_space(&self, from: usize, at: usize) -> Option<usize> {
        let character = self.character_before(at).filter(|character| is_space(*character))?;
        at.checked_sub(character.len_utf8()).filter(|start| *start >= from)
    }

    /// Where the digits that begin at a position end.
    pub(super) fn digits_end(&self, at: usize) -> usize {
        let digits = self.text.as_bytes()[at..].iter().take_while(|byte| byte.is_ascii_digit());
        at + digits.count()
    }
}

/// Whether a text has so many characters at most.
pub(super) fn is_short(text: &str, most: usize) -> bool {
    text.len() <= most || (text.len() <= 4 * most && text.chars().count() <= most)
}
