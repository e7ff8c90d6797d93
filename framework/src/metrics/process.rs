//! The state of the process: processor time, memory, file descriptors, threads.
//!
//! `metrics-process` reads it from the system; the names are given here, as all others are. What
//! a platform does not tell is not exported, rather than exported as zero.

use metrics_process::collector;

use super::{
    PROCESS_CPU, PROCESS_MAX_FDS, PROCESS_OPEN_FDS, PROCESS_RESIDENT_MEMORY, PROCESS_START_TIME,
    PROCESS_THREADS, PROCESS_VIRTUAL_MEMORY, PROCESS_VIRTUAL_MEMORY_MAX,
};

/// Measures the process and sets its series; reads a few small files of the system.
pub(super) fn measure_process() {
    let measured = collector::collect();
    if let Some(seconds) = measured.cpu_seconds_total {
        PROCESS_CPU.with([]).absolute(seconds as u64);
    }
    if let Some(seconds) = measured.start_time_seconds {
        PROCESS_START_TIME.with([]).set(seconds as f64);
    }
    let counts = [
        (&PROCESS_OPEN_FDS, measured.open_fds),
        (&PROCESS_MAX_FDS, measured.max_fds),
        (&PROCESS_VIRTUAL_MEMORY, measured.virtual_memory_bytes),
        (&PROCESS_VIRTUAL_MEMORY_MAX, measured.virtual_memory_max_bytes),
        (&PROCESS_RESIDENT_MEMORY, measured.resident_memory_bytes),
        (&PROCESS_THREADS, measured.threads),
    ];
    for (family, count) in counts {
        if let Some(count) = count {
            family.with([]).set(count as f64);
        }
    }
}
