//! The task of one supervisor: turns what happens into events, and carries the actions out.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use crate::metrics;

use super::super::control::{Control, Order};
use super::super::decision::{
    Action, Afterlife, Asker, Decision, Event, Generation, Key, Moment, Refusal, Rules, StopOrder,
};
use super::super::exit::{Exit, StartFailure};
use super::super::mailbox::Vessel;
use super::super::placement::Relocation;
use super::super::report;
use super::super::spec::{ChildKind, ChildSpec, SupervisorSpec, check_significance};
use super::super::tree::{Board, ChildState};
use super::member::{Member, Running, Watch, launch_supervisor};
use super::probe::Probe;
use super::signal::{Command, Halt, Line, News, Reply, Signal, Superior};
use super::timers::Timers;
use super::undertaker::Undertaker;
use super::{ChildError, Stopped};

pub(super) struct Driver {
    name: Arc<str>,
    spec_rules: SupervisorSpec,
    decision: Decision,
    members: BTreeMap<Key, Member>,
    ids: HashMap<String, Key>,
    next_key: u64,
    timers: Timers,
    watch_every: Option<Duration>,
    watch_at: Option<Instant>,
    askers: HashMap<Asker, (String, Reply)>,
    next_asker: Asker,
    board: Arc<Board>,
    commands: mpsc::UnboundedReceiver<Command>,
    signals: mpsc::UnboundedReceiver<Signal>,
    signal_sender: mpsc::UnboundedSender<Signal>,
    /// Taken when it is told of the end.
    superior: Option<Superior>,
    last_end: Option<(Key, Exit)>,
    is_finished: bool,
}

impl Driver {
    pub(super) fn new(
        mut spec: SupervisorSpec,
        board: Arc<Board>,
        commands: mpsc::UnboundedReceiver<Command>,
        superior: Superior,
    ) -> Self {
        let (signal_sender, signals) = mpsc::unbounded_channel();
        spec.regime.afterlife = superior.afterlife();
        let mut driver = Self {
            name: spec.name.clone(),
            decision: Decision::new(spec.regime),
            members: BTreeMap::new(),
            ids: HashMap::new(),
            next_key: 0,
            timers: Timers::default(),
            watch_every: None,
            watch_at: None,
            askers: HashMap::new(),
            next_asker: 0,
            board,
            commands,
            signals,
            signal_sender,
            superior: Some(superior),
            last_end: None,
            is_finished: false,
            spec_rules: SupervisorSpec { children: Vec::new(), ..spec.clone() },
        };
        for child in spec.children {
            driver.admit(child);
        }
        driver
    }

    /// Runs the supervisor to its end.
    pub(super) async fn run(mut self) {
        let rules = |(key, member): (&Key, &Member)| (*key, member.spec.rules.clone());
        let children: Vec<(Key, Rules)> = self.members.iter().map(rules).collect();
        self.apply(Event::Boot { children });
        while !self.is_finished {
            let timer_at = earliest(self.timers.next_at(), self.watch_at);
            tokio::select! {
                biased;
                Some(command) = self.commands.recv() => self.obey(command),
                Some(signal) = self.signals.recv() => self.notice(signal),
                () = sleep_until(timer_at.unwrap_or_else(Instant::now)), if timer_at.is_some() => {}
            }
            self.fire_timers();
            self.look_for_hangs();
        }
    }

    /// Takes a spec in, without starting it.
    fn admit(&mut self, spec: ChildSpec) -> Key {
        let key = Key(self.next_key);
        self.next_key += 1;
        self.ids.insert(spec.id().to_owned(), key);
        self.board.admit(key, &spec);
        let watch = spec.hang_after.map(|limit| Watch { limit, progress: 0, stuck_since: None });
        if let Some(limit) = spec.hang_after {
            let every = (limit / 4).max(Duration::from_millis(1));
            self.watch_every = Some(self.watch_every.map_or(every, |known| known.min(every)));
            self.watch_at.get_or_insert_with(|| Instant::now() + every);
            if let ChildKind::Actor(actor) = &spec.kind {
                actor.vessel().cell().watch();
            }
        }
        self.members.insert(key, Member { spec, running: None, remains: Vec::new(), watch });
        key
    }

    fn apply(&mut self, event: Event) {
        let noise = rand::random_range(-1.0..=1.0);
        for action in self.decision.step(event, Moment { now: Instant::now(), noise }) {
            self.perform(action);
        }
    }

    fn fire_timers(&mut self) {
        while let Some((owner, ticket)) = self.timers.take_due(Instant::now()) {
            self.apply(Event::Timer { owner, ticket });
        }
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Start(spec, reply) => self.start_child(*spec, reply),
            Command::Terminate(id, reply) => {
                self.forward(id, reply, |key, asker| Event::Terminate { key, asker });
            }
            Command::Restart(id, reply) => {
                self.forward(id, reply, |key, asker| Event::Resume { key, asker });
            }
            Command::Delete(id, reply) => {
                self.forward(id, reply, |key, asker| Event::Delete { key, asker });
            }
            Command::Halt(Halt { exit, order, afterlife }) => {
                self.apply(Event::Halt { exit, order, afterlife });
            }
        }
    }

    fn start_child(&mut self, spec: ChildSpec, reply: Reply) {
        let id = spec.id().to_owned();
        if let Some(error) = self.objection(&spec) {
            answer(reply, Err(error));
            return;
        }
        let rules = spec.rules.clone();
        let key = self.admit(spec);
        let asker = self.enlist(id, reply);
        self.apply(Event::Add { key, rules, asker });
    }

    fn objection(&self, spec: &ChildSpec) -> Option<ChildError> {
        let auto_shutdown = self.spec_rules.regime.auto_shutdown;
        if let Err(error) = check_significance(&self.name, auto_shutdown, spec) {
            return Some(error.into());
        }
        let id = spec.id().to_owned();
        let key = *self.ids.get(&id)?;
        Some(match self.board.state(key) {
            Some(ChildState::Starting | ChildState::Up | ChildState::Stopping) => {
                ChildError::AlreadyStarted { id }
            }
            Some(ChildState::Restarting | ChildState::Stopped) | None => {
                ChildError::AlreadyPresent { id }
            }
        })
    }

    fn forward(&mut self, id: String, reply: Reply, event: impl FnOnce(Key, Asker) -> Event) {
        let Some(&key) = self.ids.get(&id) else {
            answer(reply, Err(ChildError::NotFound { supervisor: self.name.clone(), id }));
            return;
        };
        let asker = self.enlist(id, reply);
        self.apply(event(key, asker));
    }

    fn enlist(&mut self, id: String, reply: Reply) -> Asker {
        self.next_asker += 1;
        self.askers.insert(self.next_asker, (id, reply));
        self.next_asker
    }

    fn notice(&mut self, signal: Signal) {
        let Signal { key, generation, news } = signal;
        match news {
            News::Up => self.apply(Event::Up { key, generation }),
            News::Declined => self.apply(Event::Declined { key, generation }),
            News::Ended(exit, remains) => {
                self.bury(key, generation, remains);
                self.apply(Event::Ended { key, generation, exit });
            }
        }
        self.update_board(key);
    }

    /// Takes over what an ended child has left.
    fn bury(&mut self, key: Key, generation: Generation, remains: Vec<Arc<dyn Vessel>>) {
        let is_current = self.decision.generation(key) == Some(generation);
        let member = self.members.get_mut(&key).filter(|_| is_current);
        let Some(member) = member else {
            remains.iter().for_each(|vessel| vessel.close());
            return;
        };
        member.running = None;
        member.remains.extend(remains);
    }

    fn perform(&mut self, action: Action) {
        match action {
            Action::Start { key, generation, relocation } => {
                self.launch(key, generation, relocation);
            }
            Action::Stop { key, order, afterlife, .. } => self.stop(key, order, afterlife),
            Action::Kill { key, .. } => self.kill(key),
            Action::Abandon { key, .. } => self.abandon(key),
            Action::Retire { key } => self.retire(key),
            Action::Forget { key } => self.forget(key),
            Action::Timer { owner, ticket, at } => self.timers.set(owner, ticket, at),
            Action::Answer { asker, outcome } => self.answer(asker, outcome),
            Action::Ended { key, exit } => self.record_end(key, exit),
            Action::Restarting { key, exit } => self.record_restart(key, &exit),
            Action::Escalated => self.record_escalation(),
            Action::Booted => {
                self.superior.as_mut().into_iter().for_each(Superior::tell_started);
            }
            Action::Finish { exit, forced, abandoned, culprit } => {
                self.finish(Stopped { exit, forced, abandoned }, culprit);
            }
        }
    }

    fn launch(&mut self, key: Key, generation: Generation, relocation: Relocation) {
        let Some(member) = self.members.get_mut(&key) else { return };
        let line = Line::new(self.signal_sender.clone(), key, generation);
        if let Some(watch) = &mut member.watch {
            watch.stuck_since = None;
        }
        member.running = Some(match &member.spec.kind {
            ChildKind::Actor(actor) => {
                let control = Arc::new(Control::new());
                self.board.command(key, &control);
                let probe = actor.launch(relocation, control.clone(), line).map(Probe::new);
                Running::Actor { control, probe }
            }
            ChildKind::Supervisor(make) => {
                let Some(running) = launch_supervisor(make.as_ref(), line, &self.board, key) else {
                    return;
                };
                running
            }
        });
        self.update_board(key);
    }

    fn stop(&mut self, key: Key, order: StopOrder, afterlife: Afterlife) {
        let Some(member) = self.members.get(&key) else { return };
        match &member.running {
            Some(Running::Actor { control, .. }) => {
                if afterlife == Afterlife::Close {
                    member.vessels().for_each(|vessel| vessel.refuse());
                }
                control.give(match order {
                    StopOrder::Stop => Order::Stop,
                    StopOrder::Drain { .. } => Order::Drain,
                });
            }
            Some(Running::Supervisor { commands, .. }) => {
                let halt = Halt { exit: Exit::Shutdown, order, afterlife };
                // If nobody takes the command, its end is already on its way to us.
                let _ = commands.send(Command::Halt(halt));
            }
            None => {}
        }
        self.update_board(key);
    }

    fn kill(&mut self, key: Key) {
        if let Some(running) = self.members.get(&key).and_then(|member| member.running.as_ref()) {
            running.kill();
        }
        self.update_board(key);
    }

    fn abandon(&mut self, key: Key) {
        let Some(member) = self.members.get_mut(&key) else { return };
        member.running = None;
        member.vessels().for_each(|vessel| vessel.refit());
        tracing::warn!(supervisor = %self.name, child = member.spec.id(), "abandoned: it blocks its thread");
        self.update_board(key);
    }

    fn retire(&mut self, key: Key) {
        if let Some(member) = self.members.get_mut(&key) {
            member.vessels().for_each(|vessel| vessel.close());
            member.remains.clear();
        }
        self.update_board(key);
    }

    fn forget(&mut self, key: Key) {
        if let Some(member) = self.members.remove(&key) {
            self.ids.remove(member.spec.id());
        }
        self.board.forget(key);
    }

    fn answer(&mut self, asker: Asker, outcome: Result<(), Refusal>) {
        let Some((id, reply)) = self.askers.remove(&asker) else { return };
        let supervisor = self.name.clone();
        answer(
            reply,
            outcome.map_err(|refusal| match refusal {
                Refusal::Running => ChildError::Running { id },
                Refusal::Restarting => ChildError::Restarting { id },
                Refusal::Stopped => ChildError::Stopped { id },
                Refusal::StartFailed(exit) => ChildError::StartFailed { id, exit },
                Refusal::Halting => ChildError::ShuttingDown { supervisor },
            }),
        );
    }

    fn record_end(&mut self, key: Key, exit: Exit) {
        if let Some(member) = self.members.get(&key) {
            metrics::actor_exited(&member.path(&self.name), exit.label());
            // Panics were reported where they happened, with their location.
            if exit.is_abnormal() && !matches!(exit, Exit::Panicked { .. }) {
                report::failed(&member.path(&self.name), self.board.generation(key), &exit);
            }
        }
        self.last_end = Some((key, exit));
    }

    fn record_restart(&mut self, key: Key, exit: &Exit) {
        if let Some(member) = self.members.get(&key) {
            let path = member.path(&self.name);
            metrics::actor_restarted(&path, exit.label());
            report::restarting(&self.name, &path, exit.label());
        }
        self.board.count_restart();
        self.update_board(key);
    }

    fn record_escalation(&self) {
        metrics::supervisor_escalated(&self.name);
        tracing::error!(supervisor = %self.name, "gave up: exceeded its restart intensity");
    }

    fn finish(&mut self, stopped: Stopped, culprit: Option<Key>) {
        self.is_finished = true;
        let failure = self.start_failure(&stopped.exit, culprit);
        let remains = self.take_vessels();
        self.board.end();
        if let Some(mut superior) = self.superior.take() {
            superior.tell_ended(stopped, failure, remains);
        }
    }

    fn start_failure(&self, exit: &Exit, culprit: Option<Key>) -> StartFailure {
        let supervisor = self.name.clone();
        let known = culprit.and_then(|key| self.members.get(&key).map(|member| (key, member)));
        let Some((key, member)) = known else {
            return StartFailure { child: supervisor.to_string(), supervisor, exit: exit.clone() };
        };
        let exit = match &self.last_end {
            Some((ended, exit)) if *ended == key => exit.clone(),
            _ => exit.clone(),
        };
        StartFailure { supervisor, child: member.spec.id().to_owned(), exit }
    }

    /// All mailboxes below this supervisor.
    fn take_vessels(&mut self) -> Vec<Arc<dyn Vessel>> {
        let members = std::mem::take(&mut self.members);
        members.into_values().flat_map(|member| member.vessels().collect::<Vec<_>>()).collect()
    }

    fn update_board(&mut self, key: Key) {
        let Some(phase) = self.decision.phase(key) else { return };
        let state = ChildState::from(phase);
        let generation = self.decision.generation(key).unwrap_or_default();
        self.board.update(key, state, generation);
        if state == ChildState::Up
            && let Some(member) = self.members.get_mut(&key)
        {
            member.close_unused_remains();
        }
    }

    fn look_for_hangs(&mut self) {
        let now = Instant::now();
        let Some(every) = self.watch_every.filter(|_| self.watch_at.is_some_and(|at| at <= now))
        else {
            return;
        };
        self.watch_at = Some(now + every);
        let hung: Vec<Key> = self
            .members
            .iter_mut()
            .filter_map(|(key, member)| member.hangs(now).then_some(*key))
            .collect();
        for key in hung {
            let generation = self.decision.generation(key).unwrap_or_default();
            self.apply(Event::Hung { key, generation });
        }
    }
}

impl Drop for Driver {
    /// A supervisor that ends without having stopped its children takes them with it.
    fn drop(&mut self) {
        let Some(superior) = self.superior.take() else { return };
        let mut dying = BTreeMap::new();
        for (key, member) in &self.members {
            if let Some(running) = &member.running {
                running.kill();
                dying.insert(*key, self.decision.generation(*key).unwrap_or_default());
            }
        }
        let failure = self.start_failure(&Exit::Killed, None);
        let remains = self.take_vessels();
        if superior.afterlife() == Afterlife::Close {
            remains.iter().for_each(|vessel| vessel.close());
        }
        self.board.end();
        let (_, nobody) = mpsc::unbounded_channel();
        let signals = std::mem::replace(&mut self.signals, nobody);
        Undertaker { superior, signals, dying, remains, failure }.begin();
    }
}

fn answer(reply: Reply, outcome: Result<(), ChildError>) {
    // Whoever does not wait for the answer does not need it.
    let _ = reply.send(outcome);
}

fn earliest(one: Option<Instant>, other: Option<Instant>) -> Option<Instant> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}
