//! Runs `number` of the properties on whatever libFuzzer thinks of.
#![no_main]

#[path = "../properties.rs"]
mod properties;

libfuzzer_sys::fuzz_target!(|data: &[u8]| properties::number(data));
