//! Scripted dialogues with the engine: what comes in, what must go out, and why.
//!
//! - `script`: reads a dialogue. `world`: plays it against an engine. `peer`: whoever talks to it.

mod peer;
mod script;
mod world;

macro_rules! dialogues {
    ($($name:ident)*) => {
        $(
            #[test]
            fn $name() {
                world::play(include_str!(concat!("scripts/", stringify!($name), ".rpl")));
            }
        )*

        #[test]
        fn every_dialogue_is_played() {
            let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/engine/scripts");
            let listed = [$(stringify!($name)),*];
            for file in std::fs::read_dir(folder).expect("the folder is there") {
                let name = file.expect("readable").file_name().into_string().expect("text");
                assert!(listed.contains(&name.trim_end_matches(".rpl")), "{name} is not in the list");
            }
        }
    };
}

dialogues! {
    bye_before_ack_of_reinvite
    bye_crosses_reinvite
    bye_from_both_sides
    cancel_against_200
    cancel_before_1xx
    cancel_of_our_own_spiral
    cancel_while_asking
    dial_timeout
    emergency
    fork_bad_nouns
    fork_best_response
    fork_cancel
    fork_early_dialogs
    fork_failover
    fork_first_answer_wins
    fork_global_failure
    fork_late_loser
    fork_loser_forgets_its_dialog
    fork_max_breadth
    fork_single_early_dialog
    fork_timeout
    hangup_from_outside
    held_bye_meets_bye
    hold_bye_until_ack
    in_dialog_requests
    large_invite
    lost_ack
    merged_invite
    no_rport
    number_through_gateway
    options_without_hops
    plain_call
    private_contact
    record_route
    redirect_mode
    redirects_and_pauses
    refusals
    reinvite_from_both_sides
    relay_not_sent
    serial_retry_after_183
    silent_target
    spiral
    target_302
    target_407
    target_503
    tcp_2xx_not_sent
    tcp_bye_not_sent
    tcp_closed_before_answer
    tcp_closed_in_mid_call
    tcp_response_not_sent
    time_limit
    two_successes
    unknown_source
    webhook_failure
}
