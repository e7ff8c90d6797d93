//! Lists, sets, intervals, tuples, relations, and what brackets mean.

use std::cmp::Ordering;

use super::names::is_symbol;
use super::terms::{negated, scalar};
use super::tokens::Token;
use super::{ParseError, Parser};
use crate::math::expression::{Expression, Interval, NumberSet, Relation};
use crate::math::reals;

/// A list between brackets or of the whole text, by semicolons and then by commas.
struct List {
    groups: Vec<Vec<Expression>>,
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
        let mut elements = self.list()?.elements();
        if elements.len() == 1 {
            return elements.pop().ok_or_else(|| self.unexpected());
        }
        // `x = 1, 2` is one equation with two values.
        let shared = matches!(&elements[0], Expression::Relation(Relation::Equal, sides)
            if matches!(sides[0], Expression::Symbol(_) | Expression::Tuple(_)))
            && !elements[1..].iter().any(is_relation);
        if !shared {
            return Ok(Expression::Set(elements));
        }
        let first = std::mem::replace(&mut elements[0], Expression::Tuple(Vec::new()));
        let Expression::Relation(relation, sides) = first else { return Err(self.unexpected()) };
        let [left, right] = *sides;
        elements[0] = right;
        Ok(Expression::Relation(relation, Box::new([left, Expression::Set(elements)])))
    }

    fn list(&mut self) -> Result<List, ParseError> {
        let mut groups = vec![Vec::with_capacity(2)];
        loop {
            let item = self.relations()?;
            let last = groups.len() - 1;
            match item {
                Expression::Set(pair)
                    if std::mem::take(&mut self.plus_minus) && !self.is_alone(&groups) =>
                {
                    groups[last].extend(pair);
                }
                item => groups[last].push(item),
            }
            if self.accept(';') {
                groups.push(Vec::with_capacity(2));
            } else if !self.accept(',') {
                return Ok(List { groups });
            }
        }
    }

    /// Whether the item just read is the only one of the text.
    fn is_alone(&self, groups: &[Vec<Expression>]) -> bool {
        self.at == self.end && groups.len() == 1 && groups[0].is_empty()
    }

    /// One side, or several joined by signs of relation.
    fn relations(&mut self) -> Result<Expression, ParseError> {
        self.plus_minus = false;
        let mut left = self.side()?;
        if self.next_is_command("approx") {
            return self.approximation(left);
        }
        let Some(mut relation) = self.relation() else { return Ok(left) };
        left = left_side(left)?;
        let mut links = Vec::new();
        loop {
            let right = self.side()?;
            if matches!(left, Expression::Applied(..)) && right.is_collection() {
                return Err(self.unexpected());
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
            (left, relation) = (right, next);
        }
    }

    /// Drops what is only approximate; but symbols that are approximately a value have that value.
    fn approximation(&mut self, left: Expression) -> Result<Expression, ParseError> {
        let mut value = left;
        while self.accept_command("approx") {
            let right = self.side()?;
            if is_symbolic(&value) {
                value = right;
            }
        }
        Ok(value)
    }

    fn relation(&mut self) -> Option<Relation> {
        let relation = match self.peek()? {
            Token::Sign('=') | Token::Command("equiv" | "in") => Relation::Equal,
            Token::Sign('<') => Relation::Less,
            Token::Sign('>') => Relation::Greater,
            Token::Command("le" | "leq" | "leqslant") => Relation::LessOrEqual,
            Token::Command("ge" | "geq" | "geqslant") => Relation::GreaterOrEqual,
            Token::Command("ne" | "neq" | "notin") => Relation::NotEqual,
            _ => return None,
        };
        self.at += 1;
        Some(relation)
    }

    /// A value or a set, with the operations of sets.
    fn side(&mut self) -> Result<Expression, ParseError> {
        let mut left = self.union()?;
        while self.accept_command("setminus") {
            self.chain()?;
            let right = self.union()?;
            left = Expression::Complement(Box::new([set(left)?, set(right)?]));
        }
        Ok(left)
    }

    fn union(&mut self) -> Result<Expression, ParseError> {
        let mut left = self.intersection()?;
        while self.accept_command("cup") {
            self.chain()?;
            let right = self.intersection()?;
            left = Expression::Union(vec![set(left)?, set(right)?]);
        }
        Ok(left)
    }

    fn intersection(&mut self) -> Result<Expression, ParseError> {
        let mut left = self.plus_minus()?;
        while self.accept_command("cap") {
            self.chain()?;
            let right = self.plus_minus()?;
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
        let list = self.list()?;
        self.bars = bars;
        let right_open = self.accept(')');
        if !right_open {
            self.expect(']')?;
        }
        let parted = list.groups.len() > 1;
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
        let list = self.list()?;
        self.bars = bars;
        let mut elements = list.elements();
        if elements.len() == 1 && self.accept_command("choose") {
            let upper = elements.pop().ok_or_else(|| self.unexpected())?;
            let lower = self.sum()?;
            self.expect('}')?;
            return Ok(self.binomial(scalar(upper, "choose")?, scalar(lower, "choose")?));
        }
        if close(self) { Ok(Expression::Set(elements)) } else { Err(self.unexpected()) }
    }

    /// What stands in round brackets after the name of a function.
    pub(super) fn arguments(&mut self) -> Result<Vec<Expression>, ParseError> {
        self.expect('(')?;
        let bars = std::mem::take(&mut self.bars);
        let list = self.list()?;
        self.bars = bars;
        self.expect(')')?;
        Ok(list.groups.into_iter().flatten().collect())
    }

    /// Whether the round brackets ahead hold what makes the symbol before them a function: several things,
    /// or a single number or symbol.
    pub(super) fn is_application_ahead(&self) -> bool {
        let token = |at: usize| if at < self.end { Some(&self.tokens[at].token) } else { None };
        let mut at = self.at + 1;
        let first = token(at);
        at += 1;
        let simple = match first {
            Some(Token::Number(_)) => {
                at += usize::from(token(at) == Some(&Token::Sign('%')));
                return token(at) == Some(&Token::Sign(')')) || self.has_comma_ahead();
            }
            Some(Token::Letter('e')) => false,
            Some(Token::Letter(_) | Token::Name(_)) => true,
            Some(Token::Command(name)) => is_symbol(name) || matches!(*name, "pi" | "infty"),
            _ => false,
        };
        while simple && matches!(token(at), Some(Token::Sign('_' | '^'))) {
            at = self.group_end(at + 1);
        }
        (simple && token(at) == Some(&Token::Sign(')'))) || self.has_comma_ahead()
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

    fn has_comma_ahead(&self) -> bool {
        let mut depth = 0_usize;
        for spanned in &self.tokens[self.at..self.end] {
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
        Expression::Decimal(_) => Expression::Mul(vec![Expression::integer(-1), value]),
        Expression::Mul(mut factors) if factors[0].as_integer().is_some() => {
            let first = std::mem::replace(&mut factors[0], Expression::integer(1));
            factors[0] = negated(first);
            Expression::Mul(factors)
        }
        value => negated(value),
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

/// Whether there is nothing but symbols in a value.
fn is_symbolic(value: &Expression) -> bool {
    match value {
        Expression::Symbol(_) => true,
        Expression::Add(parts) | Expression::Mul(parts) | Expression::Tuple(parts) => {
            parts.iter().all(is_symbolic)
        }
        Expression::Relation(_, sides) => sides.iter().all(is_symbolic),
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
