//! What the scheduler says a process and all its children spent, what they hold, and a quota for them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

/// CPU of a process tree so far.
#[derive(Default)]
pub struct Spent {
    /// Nanoseconds by thread id, with the thread's name: `/proc/PID/task/TID/schedstat`.
    threads: BTreeMap<u32, (String, u64)>,
    /// Microseconds with those of threads that have ended: ten milliseconds coarse.
    ticks: f64,
    /// Those of them in the kernel.
    kernel: f64,
}

/// The process and its descendants that live now.
pub fn tree(root: u32) -> Vec<u32> {
    let mut found = vec![root];
    let mut at = 0;
    while at < found.len() {
        for task in tasks(found[at]) {
            let children = fs::read_to_string(task.join("children")).unwrap_or_default();
            found.extend(children.split_whitespace().filter_map(|pid| pid.parse::<u32>().ok()));
        }
        at += 1;
    }
    found
}

/// What the tree below `root` spent so far.
pub fn spent(root: u32) -> Spent {
    let mut spent = Spent::default();
    for pid in tree(root) {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let [user, kernel, ended_user, ended_kernel] = ticks(&stat);
        let ended = if pid == root { [ended_user, ended_kernel] } else { [0.0; 2] };
        spent.ticks += user + kernel + ended[0] + ended[1];
        spent.kernel += kernel + ended[1];
        for task in tasks(pid) {
            let tid = task.file_name().and_then(|name| name.to_str()).and_then(|name| name.parse().ok());
            let line = fs::read_to_string(task.join("schedstat")).unwrap_or_default();
            let (Some(tid), Some(run)) = (tid, line.split(' ').next().and_then(|run| run.parse().ok()))
            else {
                continue;
            };
            let name = fs::read_to_string(task.join("comm")).unwrap_or_default().trim().to_owned();
            spent.threads.insert(tid, (name, run));
        }
    }
    spent
}

impl Spent {
    /// Microseconds since `before`.
    pub fn since(&self, before: &Self) -> f64 {
        if before.threads.keys().any(|tid| !self.threads.contains_key(tid)) {
            return self.ticks - before.ticks;
        }
        self.by_thread(before).values().sum()
    }

    /// How much of the time since `before` was the kernel's, from 0 to 1.
    pub fn in_kernel(&self, before: &Self) -> f64 {
        (self.kernel - before.kernel) / (self.ticks - before.ticks)
    }

    /// Microseconds since the process began, ten milliseconds coarse, with threads that have ended.
    pub fn all(&self) -> f64 {
        self.ticks
    }

    /// The same by the names of the threads that live.
    pub fn by_thread(&self, before: &Self) -> BTreeMap<String, f64> {
        let mut names = BTreeMap::new();
        for (tid, (name, run)) in &self.threads {
            let former = before.threads.get(tid).map_or(0, |(_, run)| *run);
            *names.entry(name.clone()).or_default() += run.saturating_sub(former) as f64 / 1000.0;
        }
        names
    }
}

/// CPU of this thread so far, in nanoseconds.
pub fn own_cpu() -> f64 {
    // What runs is accounted at the switch; to yield is one.
    std::thread::yield_now();
    let line = fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    line.split(' ').next().and_then(|run| run.parse().ok()).unwrap_or(0.0)
}

/// Resident bytes of one process.
pub fn resident(pid: u32) -> f64 {
    let pages = fs::read_to_string(format!("/proc/{pid}/statm")).unwrap_or_default();
    pages.split(' ').nth(1).and_then(|pages| pages.parse::<f64>().ok()).unwrap_or(0.0) * 4096.0
}

fn tasks(pid: u32) -> Vec<PathBuf> {
    let folder = fs::read_dir(format!("/proc/{pid}/task"));
    folder.map(|tasks| tasks.flatten().map(|task| task.path()).collect()).unwrap_or_default()
}

/// User, system, children's user and children's system time of a `stat` line, in microseconds.
fn ticks(stat: &str) -> [f64; 4] {
    // The fields after the name in parentheses: the state is the third of the file.
    let rest = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let mut fields = rest.split_whitespace().skip(11).map(|ticks| ticks.parse().unwrap_or(0.0));
    // Linux counts 100 ticks a second for user space whatever its own clock.
    std::array::from_fn(|_| fields.next().unwrap_or(0.0) * 10_000.0)
}

/// A cgroup with a CPU quota; removed when dropped, which its processes must not outlive.
pub struct Quota {
    folder: PathBuf,
}

impl Quota {
    /// One with `share` of a core, over the kernel's own periods, as containers have it: in shorter ones a quota is
    /// hardly more than what one CPU takes of it at a time, and the other waits. `None` where this machine does not
    /// let us.
    pub fn new(share: f64) -> Option<Self> {
        let name = format!("callgate-bench-{}", std::process::id());
        let period = 100_000;
        let quota = (share * f64::from(period)).round();
        let (first, second) = (Path::new("/sys/fs/cgroup/cpu"), Path::new("/sys/fs/cgroup"));
        let (folder, files) = if first.join("cpu.cfs_quota_us").exists() {
            let files = [("cpu.cfs_period_us", period.to_string()), ("cpu.cfs_quota_us", quota.to_string())];
            (first.join(name), files.to_vec())
        } else {
            (second.join(name), vec![("cpu.max", format!("{quota} {period}"))])
        };
        fs::create_dir_all(&folder).ok()?;
        let group = Self { folder };
        let wrote = files.iter().all(|(file, text)| fs::write(group.folder.join(file), text).is_ok());
        wrote.then_some(group)
    }

    /// Puts the tree below `root` into it.
    pub fn hold(&self, root: u32) {
        for pid in tree(root) {
            fs::write(self.folder.join("cgroup.procs"), pid.to_string()).expect("a process of ours");
        }
    }
}

impl Drop for Quota {
    fn drop(&mut self) {
        // Those that were killed leave it when init has buried them.
        for _ in 0..100 {
            match fs::remove_dir(&self.folder) {
                Ok(()) => return,
                Err(_) => thread::sleep(Duration::from_millis(20)),
            }
        }
        eprintln!("{} stays", self.folder.display());
    }
}
