//! A metric family: one name, its labels, its unit and its meaning, written down once.
//!
//! The number of labels and the kind of handle are part of the type, so a forgotten label or a
//! gauge used as a counter does not compile. Registering goes to the recorder directly and not
//! through the macros of `metrics`, whose names could be spelled anywhere.

use std::{fmt, marker::PhantomData, sync::Arc};

use metrics::{Counter, Gauge, Histogram, Key, Label, Level, Metadata, Recorder, Unit};

static METADATA: Metadata<'static> = Metadata::new("rehearsal", Level::INFO, Some(module_path!()));

/// One metric name, whose series hand out an `H` and carry `N` labels.
pub(super) struct Family<H, const N: usize> {
    name: &'static str,
    labels: [&'static str; N],
    unit: Option<Unit>,
    meaning: &'static str,
    buckets: &'static [f64],
    handle: PhantomData<H>,
}

impl<const N: usize> Family<Counter, N> {
    pub(super) const fn counter(
        name: &'static str,
        labels: [&'static str; N],
        meaning: &'static str,
    ) -> Self {
        let unit = Some(Unit::Count);
        Self { name, labels, unit, meaning, buckets: &[], handle: PhantomData }
    }

    /// Registers the series with these label values, or finds it if it exists.
    pub(super) fn with(&self, values: [&str; N]) -> Counter {
        let key = self.key(values);
        metrics::with_recorder(|recorder| recorder.register_counter(&key, &METADATA))
    }

    pub(super) const fn description(&'static self) -> Description {
        self.described_as(Kind::Counter)
    }
}

impl<const N: usize> Family<Gauge, N> {
    pub(super) const fn gauge(
        name: &'static str,
        labels: [&'static str; N],
        meaning: &'static str,
    ) -> Self {
        let unit = Some(Unit::Count);
        Self { name, labels, unit, meaning, buckets: &[], handle: PhantomData }
    }

    /// Registers the series with these label values, or finds it if it exists.
    pub(super) fn with(&self, values: [&str; N]) -> Gauge {
        let key = self.key(values);
        metrics::with_recorder(|recorder| recorder.register_gauge(&key, &METADATA))
    }

    pub(super) const fn description(&'static self) -> Description {
        self.described_as(Kind::Gauge)
    }
}

impl<const N: usize> Family<Histogram, N> {
    pub(super) const fn histogram(
        name: &'static str,
        labels: [&'static str; N],
        buckets: &'static [f64],
        meaning: &'static str,
    ) -> Self {
        Self { name, labels, unit: None, meaning, buckets, handle: PhantomData }
    }

    /// Registers the series with these label values, or finds it if it exists.
    pub(super) fn with(&self, values: [&str; N]) -> Histogram {
        let key = self.key(values);
        metrics::with_recorder(|recorder| recorder.register_histogram(&key, &METADATA))
    }

    pub(super) const fn description(&'static self) -> Description {
        self.described_as(Kind::Histogram(self.buckets))
    }
}

impl<H, const N: usize> Family<H, N> {
    /// The same family, measured in this unit.
    pub(super) const fn measured_in(self, unit: Unit) -> Self {
        let Self { name, labels, meaning, buckets, .. } = self;
        Self { name, labels, unit: Some(unit), meaning, buckets, handle: PhantomData }
    }

    fn key(&self, values: [&str; N]) -> Key {
        let pairs = self.labels.into_iter().zip(values);
        let labels: Vec<Label> =
            pairs.map(|(label, value)| Label::new(label, value.to_owned())).collect();
        Key::from_parts(self.name, labels)
    }

    const fn described_as(&'static self, kind: Kind) -> Description {
        Description {
            name: self.name,
            kind,
            labels: &self.labels,
            unit: self.unit,
            meaning: self.meaning,
        }
    }
}

/// What a metric is, as the recorder and `docs/metrics.md` tell it.
#[derive(Debug)]
pub(super) struct Description {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    #[cfg_attr(not(test), expect(dead_code, reason = "only the documentation is checked for it"))]
    pub(super) labels: &'static [&'static str],
    pub(super) unit: Option<Unit>,
    pub(super) meaning: &'static str,
}

/// How the values of a metric add up; a histogram carries its upper bounds.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    Counter,
    Gauge,
    Histogram(&'static [f64]),
}

impl Description {
    pub(super) fn tell(&self, recorder: &dyn Recorder) {
        let name = self.name.into();
        let meaning = self.meaning.into();
        match self.kind {
            Kind::Counter => recorder.describe_counter(name, self.unit, meaning),
            Kind::Gauge => recorder.describe_gauge(name, self.unit, meaning),
            Kind::Histogram(_) => recorder.describe_histogram(name, self.unit, meaning),
        }
    }
}

/// The counters that differ in one label only: its known values are registered at once, so that
/// they start at zero and cost one atomic operation; any other value is registered when it comes.
#[derive(Clone)]
pub(super) struct CounterSet {
    known: Arc<[(&'static str, Counter)]>,
    register: Arc<dyn Fn(&'static str) -> Counter + Send + Sync>,
}

impl CounterSet {
    pub(super) fn new(
        known: &[&'static str],
        register: impl Fn(&'static str) -> Counter + Send + Sync + 'static,
    ) -> Self {
        let known = known.iter().map(|value| (*value, register(value))).collect();
        Self { known, register: Arc::new(register) }
    }

    pub(super) fn increment(&self, value: &'static str) {
        match self.known.iter().find(|(known, _)| *known == value) {
            Some((_, counter)) => counter.increment(1),
            None => (self.register)(value).increment(1),
        }
    }
}

impl fmt::Debug for CounterSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.known.iter().map(|(value, _)| value)).finish()
    }
}
