//! What an administrator moves over from rsyncd.conf(5). Each row is run under smsyncd's own listener, under the real
//! xinetd and under the real inetd, but for those whose test is named with another file.
//!
//! | row | what | test |
//! |---|---|---|
//! | RD-01, RD-02, RD-03, RD-05, RD-06 | our own listener, inetd, xinetd, systemd | every test; `starters`, `listener` |
//! | RD-04 | stopping | `listener::the_listener_outlives_its_connections`, `starters` |
//! | RD-08 | the configuration is read for each connection | every test: its starter is started once; `rd_08_*` |
//! | RD-09, RD-11, RD-13, RD-14 | `-c`, `--address`, `-p`, `-f`, the log | every test; `listener` |
//! | RD-16 | names of modules | `rd_16_ways_to_name_a_module`, `client::remote` |
//! | RD-20, RD-22, RD-23, RD-24 | the language | `rd_20_24_as_one_may_write_it`, `config::tests` |
//! | RD-21, RD-26 | `[global]` and files that are included | `config::tests`, `rd_26_a_module_of_an_included_file` |
//! | RD-28 | what is unknown or doubled is an error | `listener::a_bad_configuration_is_refused_with_every_error` |
//! | RD-30, RD-31, RD-32, RD-35 | `address`, `port`, `listen backlog`, `pid file` | `listener` |
//! | RD-34 | `motd file` | `rd_34_who_has_proven_a_secret_is_told` |
//! | RD-37 | `daemon uid`, `daemon gid` | `rd_37_connections_are_another_user` |
//! | RD-40, RD-42, RD-43 | `path`, `comment`, `list` | `rd_43_a_listing_names_what_may_be_opened` |
//! | RD-44, RD-45 | `read only`, `write only` | `rd_44_45_one_way_only` |
//! | RD-46 | `use chroot`, and what confines besides | `confined`, `sandbox` |
//! | RD-47 | `munge symlinks` | `rd_47_links_lead_nowhere` |
//! | RD-49, RD-50 | `uid`, `gid` | `rd_49_50_a_module_is_written_by_its_user` |
//! | RD-51 | `numeric ids` | `rd_51_owners_are_numbers` |
//! | RD-54, RD-55 | `max connections`, `lock file` | `rd_54_55_places_are_shared_by_a_lock_file`, `connections` |
//! | RD-56 | `log file` | `rd_56_a_module_has_its_own_log` |
//! | RD-57, RD-58 | `syslog facility`, `syslog tag` | `config::tests`, `sys::syslog`, `log::tests` |
//! | RD-59 | `max verbosity` | there is none: a client has no say in the log |
//! | RD-60, RD-61 | `transfer logging`, `log format` | `rd_60_61_each_file_is_logged` |
//! | RD-62, RD-63, RD-64 | `exclude`, `include`, `exclude from`, `include from` | `rd_62_*`, `rd_64_rules_in_files` |
//! | RD-65, RD-66 | `incoming chmod`, `outgoing chmod` | `rd_65_66_modes_on_their_way` |
//! | RD-67, RD-68 | `auth users`, `secrets file` | `rd_67_*`, `rd_68_two_secrets_are_good_at_once` |
//! | RD-69 | files that hold secrets are private | `refusals` |
//! | RD-71, RD-72, RD-73 | `hosts allow`, `hosts deny`, `reverse lookup` | `rd_71_72_*`, `rd_73_*`, `config::hosts` |
//! | RD-76, RD-81 | `ignore nonreadable`, `open noatime` | `rd_76_what_cannot_be_read_is_not_there`, `rd_81_*` |
//! | RD-77 | `timeout` | `hostile::silence` |
//! | RD-78 | `refuse options` | `rd_78_*`, `terms::capability` |
//! | RD-79 | `dont compress` | `rd_79_what_is_not_compressed` |
//! | RD-84 | `pre-xfer exec` refuses | `rd_84_a_hook_refuses`, `hooks` |
//! | RD-85, RD-86 | `post-xfer exec`, and what hooks are told | `rd_85_86_hooks_are_told_of_the_session`, `hooks` |
//! | RD-90 | `handshake timeout` | `rd_90_who_does_not_greet_in_time_is_given_up` |
//! | RD-91 | `max delete` | `rd_91_a_module_limits_what_is_removed` |
//! | RD-92 | `require marker` | `rd_92_without_its_marker_a_module_is_left_alone` |
//! | RD-94, RD-95 | `durable`, `keep versions` | `power`, `keeping::a_module_keeps_versions` |
//! | RD-96 | `max file size`, `max files` | `rd_96_what_is_too_large_stays_away` |
//! | RD-97 | `bandwidth` | `slow` |
//! | RD-98 | digests are remembered | `remembered` |
//! | RD-99 | `metrics file` | `status` |

#[path = "daemon/site.rs"]
mod site;

#[path = "daemon/around.rs"]
mod around;
#[path = "daemon/policy.rs"]
mod policy;
#[path = "daemon/refused.rs"]
mod refused;
#[path = "daemon/running.rs"]
mod running;
#[path = "daemon/who.rs"]
mod who;
