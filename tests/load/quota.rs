//! A control group of this test's own that holds processes to a part of one CPU; version 1 or 2, whichever
//! the machine has. Removed when it is dropped, after its processes have ended.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Short, so that being held up looks like a slow CPU and not like pauses; a hundredth of it twenty times
/// over is the least quota there can be.
const PERIOD_MICROS: u32 = 20_000;

/// A control group.
pub struct Quota(PathBuf);

impl Quota {
    /// One that gets `percent` of a CPU, and that much whatever else the machine does.
    ///
    /// # Errors
    /// When this machine lets nobody make one, with the reason.
    pub fn of(percent: u32) -> Result<Self, String> {
        let quota = PERIOD_MICROS * percent / 100;
        let root = Path::new("/sys/fs/cgroup");
        let name = format!("callgate-load-{}", std::process::id());
        let write = |path: PathBuf, text: &str| {
            fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))
        };
        let make = |path: &Path| match fs::create_dir(path) {
            Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
                Err(format!("{}: {error}", path.display()))
            }
            _ => Ok(()),
        };
        let second = fs::read_to_string(root.join("cgroup.controllers"))
            .is_ok_and(|known| known.split_whitespace().any(|one| one == "cpu"));
        if second {
            write(root.join("cgroup.subtree_control"), "+cpu")?;
            let group = Self(root.join(name));
            make(&group.0)?;
            write(group.0.join("cpu.max"), &format!("{quota} {PERIOD_MICROS}"))?;
            write(group.0.join("cpu.weight"), "10000")?;
            return Ok(group);
        }
        let group = Self(root.join("cpu").join(name));
        make(&group.0)?;
        write(group.0.join("cpu.cfs_period_us"), &PERIOD_MICROS.to_string())?;
        write(group.0.join("cpu.cfs_quota_us"), &quota.to_string())?;
        write(group.0.join("cpu.shares"), "262144")?;
        Ok(group)
    }

    /// From here on that process and all its threads are in it.
    pub fn hold(&self, process: u32) {
        fs::write(self.0.join("cgroup.procs"), process.to_string()).expect("a process that runs");
    }
}

impl Drop for Quota {
    fn drop(&mut self) {
        // A process that was killed leaves a moment later.
        let until = Instant::now() + Duration::from_secs(2);
        while let Err(error) = fs::remove_dir(&self.0) {
            if Instant::now() > until {
                eprintln!("{} stays: {error}", self.0.display());
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}
