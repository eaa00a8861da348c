//! Each bound of src/limits.rs, and the test that tries it at what it allows and one beyond.

use Held::{By, Measure, Not, Waited};

/// How a bound is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Held {
    /// By a test that tries it at the bound and beyond: in this file below the root of the sources, by this name.
    By(&'static str, &'static str),
    /// Nobody can exceed it: it is a measure of ours, for speed or memory, and everything works on either side of it.
    Measure,
    /// A time, which a test waits for: in this file, by this name.
    Waited(&'static str, &'static str),
    /// Not tried at its size, for this reason.
    Not(&'static str),
}

const HERE: &str = "tests/bounds.rs";
const MESSAGES: &str = "src/wire/message_tests.rs";
const BEYOND: &str = "each_bound_holds_one_beyond_it";
const CONFIGURATION: Held = By(HERE, "what_a_configuration_may_say");
const LINES: Held = By(HERE, "what_a_line_of_a_specification_may_hold");
const PATHS: Held = By(HERE, "names_and_paths");
const AS_LONG: Held =
    By("src/session/text_tests.rs", "a_text_may_be_as_long_as_the_limit_and_not_a_byte_longer");
const ANSWER: &str = "an_answer_is_as_long_as_the_name_of_a_host_and_comes_in_time";
const RULES: Held = By(HERE, "files_of_rules");

/// Every constant of src/limits.rs.
pub(super) const ALL: &[(&str, Held)] = &[
    ("PORT", Measure),
    ("NAME", PATHS),
    ("PATH", PATHS),
    ("DEPTH", PATHS),
    ("LINK", LINES),
    ("OWNER", LINES),
    ("OWNERS", By("src/plan/owners.rs", "0..=limits::OWNERS")),
    ("SPEC_LINE", LINES),
    ("XATTR_NAME", LINES),
    ("XATTR_VALUE", LINES),
    ("SPEC_ENTRIES", By(HERE, "entries_of_a_specification")),
    ("SPEC_BYTES", By("src/session/text_tests.rs", "gigabytes_of_a_specification")),
    ("SPEC_ENTRY", AS_LONG),
    ("SPEC_GIVEN", AS_LONG),
    ("SPEC_RATIO", By("src/session/text_tests.rs", "limits::SPEC_RATIO")),
    ("SPEC_WINDOW", By("src/session/text_tests.rs", "window")),
    ("DIALECT_BYTES", By(HERE, "gigabytes_of_a_specification_in_other_words")),
    ("RECORD", By("src/wire/channel_tests.rs", "limits::RECORD + noise::TAG")),
    ("RECORDS_PER_KEY", By("src/wire/noise/tests/interop.rs", "limits::RECORDS_PER_KEY")),
    ("USER", CONFIGURATION),
    ("MODULE", CONFIGURATION),
    ("TEXT", CONFIGURATION),
    ("MODULES", CONFIGURATION),
    ("MOTD", By(MESSAGES, BEYOND)),
    ("SCOPE", By(MESSAGES, BEYOND)),
    ("PATHS", By(HERE, "paths_ahead_of_a_round")),
    ("PATHS_BYTES", By(HERE, "paths_ahead_of_a_round")),
    ("FILTER_FILE", RULES),
    ("FILTER_RULES", RULES),
    ("FILTER_BYTES", RULES),
    ("MAPPING", By(HERE, "lists_of_owners_and_problems")),
    ("FILE_SIZE", LINES),
    ("PROBLEMS", By(HERE, "lists_of_owners_and_problems")),
    ("REFUSED", By(HERE, "names_of_a_refusal")),
    ("LINK_DEST", By(MESSAGES, BEYOND)),
    ("PARTIAL", Measure),
    ("PARTIALS", By("src/session/ranges.rs", "as_many_are_gone_on_with_as_the_limit_says")),
    ("DELTA", Measure),
    ("COMPARED_AT_ONCE", Measure),
    ("BLOCKS", Measure),
    ("SUMS", By("src/session/ranges.rs", "as_many_digests_of_blocks_come_as_the_limit_says")),
    ("BASE", Measure),
    ("BASELINE", Measure),
    ("RENEWALS", Measure),
    ("RENEWED_BYTES", Measure),
    ("BASELINES", Measure),
    ("BASELINES_ALIKE", Measure),
    ("BASELINE_BYTES", Measure),
    ("BASELINE_EDITS", Measure),
    ("BASELINE_PARTS", Measure),
    ("BASELINE_SHARE", Measure),
    ("DIGEST_FILES", Measure),
    ("DIGEST_BYTES", Measure),
    ("DIGEST_SHARE", Measure),
    ("DIGEST_PARTS", Measure),
    ("DIGESTS_PER_QUESTION", Measure),
    ("TOGETHER", Measure),
    ("REMEMBERED", Measure),
    ("YOUNG", Measure),
    ("SLOW_TO_FREE", Measure),
    ("NAMELESS", Measure),
    ("HANDS", Measure),
    ("SCANNERS", Measure),
    ("SCAN_ALONE", Measure),
    ("SCAN_NAMES", Measure),
    ("SCAN_SIBLINGS", Measure),
    ("SCAN_DIRECTORIES", Measure),
    ("SCAN_BATCH", Measure),
    ("SCAN_BATCH_BYTES", Measure),
    ("SCAN_BATCHES", Measure),
    ("SCAN_WAITING", Measure),
    ("TICK", Measure),
    ("RATE", CONFIGURATION),
    (
        "HANDSHAKE",
        Waited("tests/hostile/silence.rs", "the_greeting_is_over_after_ten_seconds_whatever_comes"),
    ),
    ("HANDSHAKES", CONFIGURATION),
    ("IDLE", Waited("tests/hostile/tardy.rs", "twelve_kinds_of_slow_or_silent_clients_end_at_their_limits")),
    (
        "PROGRESS",
        Waited("tests/hostile/tardy.rs", "twelve_kinds_of_slow_or_silent_clients_end_at_their_limits"),
    ),
    ("ALIVE", Waited("src/wire/channel_tests.rs", "limits::ALIVE")),
    ("DRAIN", Waited("src/wire/channel_tests.rs", "limits::DRAIN")),
    ("CONNECT", Waited("tests/network.rs", "a_server_that_takes_no_connection")),
    ("THREAD", Not("a thread that is not gone is a kernel that hangs")),
    ("HOOK", Waited("src/sys/broker/hook.rs", "what_takes_too_long_is_killed_with_its_children")),
    ("CONFIG", By("src/server/config/tests/files.rs", "limits::CONFIG")),
    ("INCLUDE_DEPTH", CONFIGURATION),
    ("INCLUDE_FILES", CONFIGURATION),
    ("SECRETS", CONFIGURATION),
    ("SYSLOG_TAG", CONFIGURATION),
    ("HOST_NAME", By("src/sys/process.rs", ANSWER)),
    ("LOOKUP", Waited("src/sys/process.rs", ANSWER)),
    ("SOCKETS", By(HERE, "sockets_that_are_handed_down")),
    ("BACKLOG", CONFIGURATION),
    ("PROCESSES", By("src/server/listen/tests.rs", "as_many_processes_as_the_limit_says")),
    ("STRANGERS", By("tests/strangers.rs", "are_no_obstacle")),
    ("ADMISSION", Measure),
    ("PLACE", Measure),
    ("SESSIONS", Measure),
    ("ROLL", Measure),
    ("NOTES", Waited("src/server/notes.rs", "limits::NOTES")),
    ("COMPLAINT", By("tests/kept.rs", "limits::COMPLAINT")),
    ("REFUSALS", Waited("tests/status.rs", "limits::REFUSALS")),
    ("NOTE", By("src/sys/broker/message.rs", "limits::NOTE + 2")),
    ("WHY", By("src/server/notes.rs", "the_longest_reason_is_taken_down")),
    ("PARTING", Waited("tests/taken_over.rs", "went on without its broker")),
    ("METRICS", By("src/server/metrics.rs", "more_than_there_can_be_of_them_begins_anew")),
    ("PAUSE", Waited("src/server/listen/tests.rs", "PAUSE")),
    ("END", Waited("src/server/listen/tests.rs", "END")),
    ("DESCRIPTORS", Measure),
    ("LOG_TEXT", By("src/server/log/tests.rs", "limits::LOG_TEXT")),
    ("LOG_RECORDS", By("src/server/log/tests.rs", "limits::LOG_RECORDS + 7")),
];
