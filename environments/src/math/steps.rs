//! Work is counted, so that it ends, and at the same place on every machine.
//!
//! A step is an operation on numbers of 192 bits, which takes about half a microsecond. Whatever grows with
//! the length of numbers is paid by their bits before it is done.

/// How much work a comparison may take.
pub(super) const STEPS_MAX: u64 = 40_000;

/// Work that is left.
#[derive(Clone, Debug)]
pub(super) struct Steps {
    left: u64,
}

impl Steps {
    pub(super) const fn new(limit: u64) -> Self {
        Self { left: limit }
    }

    /// Takes steps. If there are not as many, none are left.
    #[must_use]
    pub(super) fn spend(&mut self, count: u64) -> bool {
        let left = self.left.checked_sub(count);
        self.left = left.unwrap_or(0);
        left.is_some()
    }

    /// Whether none are left, as after more was asked for than there was.
    pub(super) const fn are_spent(&self) -> bool {
        self.left == 0
    }

    /// Lends at most so many to a method that may fail, so that others can be tried after it.
    pub(super) fn lend<T>(&mut self, limit: u64, method: impl FnOnce(&mut Self) -> T) -> T {
        let lent = limit.min(self.left);
        let mut part = Self::new(lent);
        let result = method(&mut part);
        self.left -= lent - part.left;
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_lent_and_not_used_comes_back() {
        let mut steps = Steps::new(100);
        assert!(!steps.lend(60, |steps| steps.spend(20) && steps.spend(50)));
        assert!(steps.lend(60, |steps| steps.spend(30)));
        assert_eq!(steps.left, 10);
        assert!(!steps.are_spent() && !steps.spend(11) && steps.are_spent());
    }
}
