//! The fuzzer's end: one program for all targets, CALLGATE_FUZZ names which.
#![no_main]

use std::sync::LazyLock;

static TARGET: LazyLock<fn(&[u8])> = LazyLock::new(|| {
    let wanted = std::env::var("CALLGATE_FUZZ").unwrap_or_default();
    let found = callgate_fuzz::ALL.into_iter().find(|(name, _)| *name == wanted);
    let names = callgate_fuzz::ALL.map(|(name, _)| name).join(", ");
    found.unwrap_or_else(|| panic!("CALLGATE_FUZZ={wanted}: one of {names}")).1
});

libfuzzer_sys::fuzz_target!(|data: &[u8]| (*TARGET)(data));
