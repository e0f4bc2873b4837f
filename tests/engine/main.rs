//! Scripted dialogues with the engine: what comes in, what must go out, and why.
//!
//! - `script`: reads a dialogue. `world`: plays it against an engine. `peer`: whoever talks to it.
//! - `many`: dialogues too long to write down. `whole_call`: one call and its cost, `allocations` of it, by `counting`.

mod allocations;
mod counting;
mod many;
mod peer;
mod script;
mod whole_call;
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
    advertise
    after_hang_up
    both_ends_vanish
    bye_before_ack_of_reinvite
    bye_crosses_reinvite
    bye_from_both_sides
    bye_in_early_dialog
    caller_without_a_way_back
    caller_id_main
    cancel_against_200
    cancel_before_1xx
    cancel_of_our_own_spiral
    cancel_of_reinvite
    cancel_while_asking
    capabilities
    dial_action_headers
    dial_durations
    dial_timeout
    dial_policy
    digest_inside
    digest_invite
    digest_loser
    digest_refused
    early_bye_of_target
    early_dialog_meets_second_invite
    early_dialog_over
    emergency
    emergency_gateways
    emergency_identity
    emergency_service
    follow_302
    follow_302_answered
    follow_302_by_gateway
    follow_302_in_fork
    follow_302_known
    follow_302_loop
    follow_302_silent
    force_rport
    fork_bad_nouns
    fork_best_response
    fork_cancel
    fork_early_dialogs
    fork_failover
    fork_first_answer_wins
    fork_global_failure
    fork_late_loser
    fork_loser_forgets_its_dialog
    fork_loser_speaks_on
    fork_max_breadth
    fork_single_early_dialog
    fork_timeout
    go_on_from_outside
    gateway_checks
    gateway_draining
    gateway_digest
    gateway_group
    gateway_groups
    gateway_retry_after
    hand_over
    hand_over_fails
    hangup_from_outside
    hangup_while_held
    header_rules
    header_rules_of_noun
    held_bye_meets_bye
    history_info
    hold_and_resume
    hold_bye_until_ack
    hops_inside_dialog
    identity_of_targets
    in_dialog_notify
    in_dialog_requests
    invite_expires
    ipv6
    large_invite
    large_invite_silent
    late_offer_two_successes
    limits
    loser_after_prack
    lost_ack
    merged_invite
    merged_late
    message
    message_redirects
    message_redirects_nowhere
    message_refused
    message_replies
    message_tcp
    name_not_found_inside_dialog
    names_inside_dialogs
    nat_auto_private
    nat_auto_recorded
    nat_off
    nat_on
    no_rport
    noun_callbacks
    noun_callbacks_cancelled
    noun_callbacks_unwanted
    number_through_gateway
    options_without_hops
    panic_while_ringing
    panic_while_talking
    plain_call
    prack
    prack_after_challenge
    prack_answer_waits
    prack_in_forks
    prack_late_offer
    prack_never
    prack_required
    prack_single_early_dialog
    privacy_of_untrusted_trunk
    privacy_trusted
    privacy_untrusted
    private_contact
    record_route
    redirect_mode
    redirect_mode_emergency
    redirects_and_pauses
    refer_before_ack
    refer_by_callee
    refer_byes_cross
    refer_call_ends
    refer_challenged
    refer_ends_session
    refer_by_caller
    refer_ends_in_refusal
    refer_fails
    refer_follow_302
    refer_keeps_session
    refer_rings_several
    refer_serial
    restart_transferred_legs
    refer_glare
    refer_identity
    refer_meets_bye
    refer_out_of_dialog
    refer_offer_refused
    refer_origin
    refer_refused
    refer_replaced_repeats
    refer_target_leaves
    refer_time_limits
    refer_two_successes
    refusals
    reinvite_from_both_sides
    reinvite_glare_ends
    relay_not_sent
    restart_ack_lost
    restart_answered
    restart_before_ack
    restart_bye_unwritten
    restart_cancelled_leg
    restart_emergency
    restart_gateway
    restart_gateway_digest
    restart_gateway_untrusted
    restart_in_transfer
    restart_over_tcp
    restart_over_tls
    restart_ringing
    restart_service_over_tls
    restart_silent_peer
    restart_transferred
    restart_transferred_ack_lost
    restart_transferred_caller
    rfc2543_peers
    ringing_each_minute
    ringing_each_minute_reliably
    serial_retry_after_183
    session_inserted
    session_of_target
    session_of_target_too_short
    session_too_short
    silent_target
    sips_in_clear
    spiral
    stale_name_inside_dialog
    strict_route_of_target
    success_after_refusal
    target_302
    target_407
    target_503
    target_dead
    target_facts
    target_rang_then_503
    target_srv
    target_with_headers
    targets_of_many
    tcp_2xx_not_sent
    tcp_bye_not_sent
    tcp_closed_before_answer
    tcp_closed_in_mid_call
    tcp_response_not_sent
    time_limit
    timer_c
    told_of_diversion
    told_of_history
    two_successes
    unknown_source
    unknown_source_by_default
    unknown_source_dropped
    unreachable_peer_ends
    update_glare
    webhook_failure
}
