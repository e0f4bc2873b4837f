//! The thread that was there first starts what comes before all else.
//!
//! Where there is less CPU than work, answering calls comes before telling of them: *control*, the store's workers
//! and whatever they start stand back (nice, which Linux has per thread, and which threads and processes inherit:
//! sched(7)). As nobody may step forward again, shards, the journal and a process that follows are started here.

use std::io;
use std::sync::mpsc;
use std::thread::{Builder, JoinHandle};

use thread_priority::{
    NormalThreadSchedulePolicy, ThreadPriority, ThreadSchedulePolicy, set_thread_priority_and_policy,
    thread_native_id,
};

/// How far *control* stands back: about a third of a shard's part of a CPU that both want.
const BEHIND: i32 = 5;

type Job = Box<dyn FnOnce() + Send>;

/// Starts what is not to stand back. Cheap to clone.
#[derive(Clone)]
pub struct Front(mpsc::Sender<Job>);

/// What the thread at the front does.
pub struct Jobs(mpsc::Receiver<Job>);

impl Front {
    /// A handle, and the work that comes over it.
    #[must_use]
    pub fn new() -> (Self, Jobs) {
        let (sender, jobs) = mpsc::channel();
        (Self(sender), Jobs(jobs))
    }

    /// What `job` gives, from the thread at the front.
    pub fn run<T: Send + 'static>(&self, job: impl FnOnce() -> T + Send + 'static) -> T {
        let (reply, answer) = mpsc::sync_channel(1);
        let job = Box::new(move || reply.send(job()).expect("who asked waits"));
        self.0.send(job).expect("the thread at the front works while there is a handle");
        answer.recv().expect("a job ends")
    }

    /// A thread at the front.
    ///
    /// # Errors
    /// The system starts no more threads.
    pub fn thread(&self, name: String, work: impl FnOnce() + Send + 'static) -> io::Result<JoinHandle<()>> {
        self.run(move || Builder::new().name(name).spawn(work))
    }
}

impl Jobs {
    /// Works until there is no handle any more.
    pub fn work(self) {
        for job in self.0 {
            job();
        }
    }
}

/// This thread, and what it starts from here on, stands back.
pub fn stand_back() {
    if let Err(error) = rustix::process::nice(BEHIND) {
        tracing::warn!(%error, "callbacks get as much of the CPU as calls");
    }
}

/// This thread, and what it starts from here on, has the CPU where nobody else wants it.
pub fn come_last() {
    let idle = ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Idle);
    if let Err(error) = set_thread_priority_and_policy(thread_native_id(), ThreadPriority::Min, idle) {
        tracing::warn!(?error, "a full load gets as much of the CPU as callbacks");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nice() -> i32 {
        rustix::process::getpriority_process(None).unwrap()
    }

    #[test]
    fn what_is_started_at_the_front_does_not_stand_back_with_who_asked() {
        let (front, jobs) = Front::new();
        let before = nice();
        let asking = std::thread::spawn(move || {
            stand_back();
            let (sender, heard) = mpsc::channel();
            let started = front.thread("one".into(), move || sender.send(nice()).unwrap()).unwrap();
            started.join().unwrap();
            let own = std::thread::spawn(nice).join().unwrap();
            (heard.recv().unwrap(), front.run(nice), own)
        });
        jobs.work();
        assert_eq!(asking.join().unwrap(), (before, before, before + BEHIND));
    }

    /// The policy of this thread: the 41st field of proc_pid_stat(5), 5 is SCHED_IDLE.
    fn policy() -> u32 {
        let stat = std::fs::read_to_string("/proc/thread-self/stat").unwrap();
        let (_, fields) = stat.rsplit_once(')').unwrap();
        fields.split_whitespace().nth(38).unwrap().parse().unwrap()
    }

    #[test]
    fn what_comes_last_is_last_with_all_that_it_starts() {
        let policies = std::thread::spawn(|| {
            let before = policy();
            come_last();
            (before, policy(), std::thread::spawn(policy).join().unwrap())
        });
        assert_eq!(policies.join().unwrap(), (0, 5, 5));
    }
}
