//! Lists, sets, intervals, tuples, relations, and what brackets mean.

use std::cmp::Ordering;

use super::names::is_symbol;
use super::terms::{negated, scalar};
use super::tokens::Token;
use super::{ParseError, Parser};
use crate::math::expression::{Constant, Expression, Interval, NumberSet, Relation};
use crate::math::reals;

/// A list between brackets or of the whole text, by semicolons and then by commas.
struct List {
    groups: Vec<Vec<Expression>>,
    /// Whether its only element was made by an operation of sets.
    operated: bool,
    /// Whether two of its elements are those of `\pm`.
    paired: bool,
}

/// Where an element of a list stands.
#[derive(Clone, Copy, PartialEq)]
enum Place {
    /// It begins the text.
    Start,
    /// Anywhere else.
    Inside,
}

/// A sign of relation.
struct Sign {
    relation: Relation,
    /// Whether a name may be related to sets by it: `=`, `\in` and `\notin`.
    of_sets: bool,
    /// Whether it relates names to sets alone: `\in` and `\notin`.
    only_sets: bool,
}

impl List {
    /// Whether semicolons part groups of several elements.
    fn is_nested(&self) -> bool {
        self.groups.len() > 1 && self.groups.iter().any(|group| group.len() > 1)
    }

    /// The elements; groups are tuples if one of them has several elements.
    fn elements(self) -> Vec<Expression> {
        if self.is_nested() {
            return self.groups.into_iter().map(Expression::Tuple).collect();
        }
        self.groups.into_iter().flatten().collect()
    }
}

impl Parser<'_> {
    /// The whole text.
    pub(super) fn top(&mut self) -> Result<Expression, ParseError> {
        let mut elements = self.list(Place::Start)?.elements();
        if elements.len() == 1 {
            return elements.pop().ok_or_else(|| self.unexpected());
        }
        // `x = 1, 2` is one equation with two values.
        let shared = matches!(&elements[0], Expression::Relation(Relation::Equal, sides)
            if is_named(&sides[0]))
            && self.of_sets
            && !elements[1..].iter().any(is_relation);
        if !shared {
            let of_sets = matches!(&elements[0], Expression::Relation(_, sides)
                if sides.iter().any(Expression::is_collection));
            if of_sets && !self.lenient {
                return Err(ParseError::Operands { operation: "=" });
            }
            return Ok(Expression::Set(elements));
        }
        let first = std::mem::replace(&mut elements[0], Expression::Tuple(Vec::new()));
        let Expression::Relation(relation, sides) = first else { return Err(self.unexpected()) };
        let [left, right] = *sides;
        match right {
            Expression::Set(pair) if self.first_pair => {
                elements.splice(..1, pair);
            }
            right => elements[0] = right,
        }
        Ok(Expression::Relation(relation, Box::new([left, Expression::Set(elements)])))
    }

    fn list(&mut self, mut place: Place) -> Result<List, ParseError> {
        let mut groups = vec![Vec::with_capacity(2)];
        let (mut operated, mut paired) = (false, false);
        loop {
            self.operated = false;
            let item = self.relations(place)?;
            operated |= std::mem::take(&mut self.operated);
            place = Place::Inside;
            let last = groups.len() - 1;
            match item {
                Expression::Set(pair)
                    if std::mem::take(&mut self.plus_minus) && !self.is_alone(&groups) =>
                {
                    groups[last].extend(pair);
                    paired = true;
                }
                item => groups[last].push(item),
            }
            let is_list =
                self.next_is(';') || self.next_is(',') || groups.len() + groups[0].len() > 2;
            if operated && is_list && !self.lenient {
                return Err(self.unexpected());
            }
            if self.accept(';') {
                groups.push(Vec::with_capacity(2));
            } else if !self.accept(',') {
                return Ok(List { groups, operated, paired });
            }
        }
    }

    /// Whether the item just read is the only one of the text.
    fn is_alone(&self, groups: &[Vec<Expression>]) -> bool {
        self.at == self.end && groups.len() == 1 && groups[0].is_empty()
    }

    /// One side, or several joined by signs of relation.
    fn relations(&mut self, place: Place) -> Result<Expression, ParseError> {
        self.plus_minus = false;
        let mut left = self.side()?;
        if self.next_is_command("approx") {
            left = self.approximation(scalar(left, "approx")?)?;
        }
        let Some(Sign { mut relation, of_sets, mut only_sets }) = self.relation() else {
            return Ok(left);
        };
        let mut of_sets = of_sets && place == Place::Start && is_named(&left);
        self.of_sets = of_sets;
        left = left_side(left)?;
        let mut links = Vec::new();
        loop {
            let mut right = self.side()?;
            self.first_pair |= place == Place::Start && self.plus_minus;
            if !of_sets && !self.lenient {
                if only_sets {
                    return Err(self.unexpected());
                }
                left = scalar(left, "=")?;
                right = scalar(right, "=")?;
            }
            self.plus_minus = false;
            if self.next_is_command("approx") {
                links.push(Expression::Relation(relation, Box::new([left, right])));
                return self.approximation(linked(links));
            }
            let Some(next) = self.relation() else {
                links.push(Expression::Relation(relation, Box::new([left, right])));
                return Ok(linked(links));
            };
            links.push(Expression::Relation(relation, Box::new([left, right.clone()])));
            of_sets &= next.of_sets && is_named(&right);
            (left, relation, only_sets) = (right, next.relation, next.only_sets);
        }
    }

    /// Drops what is only approximate; but symbols that are approximately a value have that value.
    fn approximation(&mut self, left: Expression) -> Result<Expression, ParseError> {
        let mut value = left;
        while self.accept_command("approx") {
            let right = scalar(self.side()?, "approx")?;
            if value.is_symbolic() {
                value = right;
            }
        }
        Ok(value)
    }

    fn relation(&mut self) -> Option<Sign> {
        let token = self.peek()?;
        let only_sets = matches!(token, Token::Command("in" | "notin"));
        let of_sets = only_sets || *token == Token::Sign('=');
        let relation = match token {
            Token::Sign('=') | Token::Command("equiv" | "in") => Relation::Equal,
            Token::Sign('<') => Relation::Less,
            Token::Sign('>') => Relation::Greater,
            Token::Command("le" | "leq" | "leqslant") => Relation::LessOrEqual,
            Token::Command("ge" | "geq" | "geqslant") => Relation::GreaterOrEqual,
            Token::Command("ne" | "neq" | "notin") => Relation::NotEqual,
            _ => return None,
        };
        self.at += 1;
        Some(Sign { relation, of_sets, only_sets })
    }

    /// A value or a set, with the operations of sets.
    fn side(&mut self) -> Result<Expression, ParseError> {
        let mut left = self.union()?;
        while self.accept_command("setminus") {
            self.chain()?;
            let right = self.union()?;
            self.operated = true;
            left = Expression::Complement(Box::new([set(left)?, set(right)?]));
        }
        Ok(left)
    }

    fn union(&mut self) -> Result<Expression, ParseError> {
        let mut left = self.intersection()?;
        while self.accept_command("cup") {
            self.chain()?;
            let right = self.intersection()?;
            self.operated = true;
            left = Expression::Union(vec![set(left)?, set(right)?]);
        }
        Ok(left)
    }

    fn intersection(&mut self) -> Result<Expression, ParseError> {
        let mut left = self.plus_minus()?;
        while self.accept_command("cap") {
            self.chain()?;
            let right = self.plus_minus()?;
            self.operated = true;
            left = Expression::Intersection(vec![set(left)?, set(right)?]);
        }
        Ok(left)
    }

    fn plus_minus(&mut self) -> Result<Expression, ParseError> {
        let sign = |parser: &mut Self| parser.accept_command("pm") || parser.accept_command("mp");
        if sign(self) {
            let value = scalar(self.sum()?, "pm")?;
            self.plus_minus = true;
            return Ok(Expression::Set(vec![less(value.clone()), value]));
        }
        let left = self.sum()?;
        if !sign(self) {
            return Ok(left);
        }
        let left = scalar(left, "pm")?;
        let right = scalar(self.sum()?, "pm")?;
        self.plus_minus = true;
        let lower = Expression::Add(vec![left.clone(), less(right.clone())]);
        Ok(Expression::Set(vec![Expression::Add(vec![left, right]), lower]))
    }

    /// Round or square brackets: a value, an interval or a tuple.
    pub(super) fn bracketed(&mut self) -> Result<Expression, ParseError> {
        let left_open = self.accept('(');
        if !left_open {
            self.expect('[')?;
        }
        let bars = std::mem::take(&mut self.bars);
        let list = self.list(Place::Inside)?;
        self.bars = bars;
        if list.operated && !left_open && !self.lenient {
            return Err(self.unexpected());
        }
        let right_open = self.accept(')');
        if !right_open {
            self.expect(']')?;
        }
        let parted = list.groups.len() > 1 || list.paired;
        let mut elements = list.elements();
        let same = left_open == right_open;
        match elements.len() {
            1 if same => elements.pop().ok_or_else(|| self.unexpected()),
            2 if !parted && !elements.iter().any(Expression::is_collection) => {
                self.interval(elements, left_open, right_open)
            }
            count if count > 1 && same => Ok(Expression::Tuple(elements)),
            _ => Err(self.unexpected()),
        }
    }

    /// Braces, with or without backslashes: a set. Of one element, they may as well group a value.
    pub(super) fn braces(&mut self) -> Result<Expression, ParseError> {
        let escaped = self.next_is_command("{");
        self.at += 1;
        let close = |parser: &mut Self| {
            if escaped { parser.accept_command("}") } else { parser.accept('}') }
        };
        if close(self) {
            return Ok(Expression::NumberSet(NumberSet::Empty));
        }
        let bars = std::mem::take(&mut self.bars);
        let list = self.list(Place::Inside)?;
        self.bars = bars;
        if list.operated && !self.lenient {
            return Err(self.unexpected());
        }
        let mut elements = list.elements();
        if elements.len() == 1 && self.accept_command("choose") {
            let upper = elements.pop().ok_or_else(|| self.unexpected())?;
            let lower = self.sum()?;
            self.expect('}')?;
            return Ok(self.binomial(scalar(upper, "choose")?, scalar(lower, "choose")?));
        }
        if close(self) { Ok(Expression::Set(elements)) } else { Err(self.unexpected()) }
    }

    /// What stands in round or square brackets after the name of a function.
    pub(super) fn arguments(&mut self) -> Result<Vec<Expression>, ParseError> {
        let is_round = self.accept('(');
        if !is_round {
            self.expect('[')?;
        }
        let bars = std::mem::take(&mut self.bars);
        let list = self.list(Place::Inside)?;
        self.bars = bars;
        self.expect(if is_round { ')' } else { ']' })?;
        Ok(list.groups.into_iter().flatten().collect())
    }

    /// Whether brackets ahead, perhaps behind a brace, hold what makes the symbol before them a function:
    /// several things, or a single number or symbol.
    pub(super) fn is_application_ahead(&self, braced: bool) -> bool {
        let token = |at: usize| if at < self.end { Some(&self.tokens[at].token) } else { None };
        let open = self.at + usize::from(braced);
        let close = match token(open) {
            Some(Token::Sign('(')) => Token::Sign(')'),
            Some(Token::Sign('[')) => Token::Sign(']'),
            _ => return false,
        };
        let mut at = open + 1;
        let first = token(at);
        at += 1;
        let simple = match first {
            Some(Token::Number(_)) => {
                at += usize::from(token(at) == Some(&Token::Sign('%')));
                return token(at) == Some(&close) || self.has_comma_ahead(open);
            }
            Some(Token::Letter('e')) => false,
            Some(Token::Letter(_) | Token::Name(_)) => true,
            Some(Token::Command(name)) => is_symbol(name) || *name == "infty",
            _ => false,
        };
        while simple && matches!(token(at), Some(Token::Sign('_' | '^'))) {
            at = self.group_end(at + 1);
        }
        (simple && token(at) == Some(&close)) || self.has_comma_ahead(open)
    }

    /// Behind the token at `at`, or behind the closing brace if it is an opening one.
    fn group_end(&self, at: usize) -> usize {
        let mut depth = 0_usize;
        for position in at..self.end {
            match self.tokens[position].token {
                Token::Sign('{') => depth += 1,
                Token::Sign('}') => depth = depth.saturating_sub(1),
                _ => {}
            }
            if depth == 0 {
                return position + 1;
            }
        }
        self.end
    }

    fn has_comma_ahead(&self, open: usize) -> bool {
        let mut depth = 0_usize;
        for spanned in &self.tokens[open..self.end] {
            match spanned.token {
                Token::Sign('(' | '[' | '{') | Token::Command("{") => depth += 1,
                Token::Sign(')' | ']' | '}') | Token::Command("}") => {
                    depth = depth.saturating_sub(1)
                }
                Token::Sign(',' | ';') if depth == 1 => return true,
                _ => {}
            }
            if depth == 0 {
                return false;
            }
        }
        false
    }
}

const fn is_relation(value: &Expression) -> bool {
    matches!(value, Expression::Relation(..) | Expression::Chain(_))
}

/// The value with a minus, which a number in front takes up unless it is a decimal.
fn less(value: Expression) -> Expression {
    match value {
        Expression::Number(_) => negated(value),
        value => Expression::Mul(vec![Expression::integer(-1), value]),
    }
}

/// Relations that follow each other; a single one is itself.
fn linked(mut links: Vec<Expression>) -> Expression {
    match links.pop() {
        Some(only) if links.is_empty() => only,
        Some(last) => {
            links.push(last);
            Expression::Chain(links)
        }
        None => Expression::Chain(links),
    }
}

/// The left side of a relation is a value or a tuple.
fn left_side(value: Expression) -> Result<Expression, ParseError> {
    match value {
        Expression::Interval(interval) if interval.left_open && interval.right_open => {
            let symbols = [&interval.start, &interval.end]
                .iter()
                .all(|end| matches!(end, Expression::Symbol(_)));
            if symbols {
                return Ok(Expression::Tuple(vec![interval.start, interval.end]));
            }
            Err(ParseError::Operands { operation: "=" })
        }
        tuple @ Expression::Tuple(_) => Ok(tuple),
        value => scalar(value, "="),
    }
}

/// Whether this is a symbol, perhaps to a power, or a tuple of such.
fn is_named(value: &Expression) -> bool {
    match value {
        Expression::Symbol(_) | Expression::Constant(Constant::Pi | Constant::ImaginaryUnit) => {
            true
        }
        Expression::Power(sides) => is_named(&sides[0]),
        Expression::Tuple(parts) => parts.iter().all(is_named),
        Expression::Interval(interval) if interval.left_open && interval.right_open => {
            is_named(&interval.start) && is_named(&interval.end)
        }
        _ => false,
    }
}

fn set(value: Expression) -> Result<Expression, ParseError> {
    match value {
        Expression::Tuple(elements) => Ok(Expression::Set(elements)),
        Expression::Set(_)
        | Expression::Interval(_)
        | Expression::Union(_)
        | Expression::Intersection(_)
        | Expression::Complement(_)
        | Expression::NumberSet(_) => Ok(value),
        _ => Err(ParseError::Operands { operation: "set" }),
    }
}

impl Parser<'_> {
    /// The interval between two ends, or what stands for it when they are in the wrong order.
    fn interval(
        &mut self,
        elements: Vec<Expression>,
        left_open: bool,
        right_open: bool,
    ) -> Result<Expression, ParseError> {
        let [start, end] = <[Expression; 2]>::try_from(elements).map_err(|_| self.unexpected())?;
        let left_open = left_open || start == Expression::Constant(Constant::NegativeInfinity);
        let right_open = right_open || end == Expression::Constant(Constant::Infinity);
        let order = reals::compare(&end, &start, &mut self.steps);
        let point = order == Some(Ordering::Equal);
        Ok(match order {
            Some(Ordering::Less) if left_open == right_open => Expression::Tuple(vec![start, end]),
            Some(Ordering::Equal) if left_open && right_open => Expression::Tuple(vec![start, end]),
            Some(Ordering::Equal) if !left_open && !right_open => Expression::Set(vec![start]),
            Some(Ordering::Less | Ordering::Equal) if left_open != right_open || point => {
                Expression::NumberSet(NumberSet::Empty)
            }
            _ => Expression::Interval(Box::new(Interval { start, end, left_open, right_open })),
        })
    }
}
