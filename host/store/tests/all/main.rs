//! What every store promises, asked of each of them.

mod conform;
mod make;
mod on_disk;

/// Makes a test of each function in `conform` for a kind of store.
macro_rules! conform {
    ($($test:ident),* $(,)?) => {
        mod memory {
            $(#[test] fn $test() { crate::conform::$test(&crate::make::memory); })*
        }
        mod disk {
            $(#[test] fn $test() { crate::conform::$test(&crate::make::disk); })*
        }
    };
}

conform! {
    a_block_is_there_once_it_was_put,
    blocks_of_all_sizes_come_back,
    one_content_under_several_cids_is_one_block,
    the_same_block_twice_at_once_is_one,
    what_has_another_hash_is_not_there,
    what_is_larger_than_a_block_is_refused,
    a_cid_may_hold_its_block,
    staged_blocks_are_there_at_once,
    blocks_are_listed_in_pages,
    no_more_is_taken_than_the_quota_allows,
    many_threads_put_and_get,
    pins_have_labels,
    a_pin_of_the_same_label_replaces_the_one_before,
    names_lead_somewhere_else_later,
    a_name_is_swapped_only_by_who_knows_where_it_leads,
    receipts_are_found_by_what_was_run,
    several_say_what_came_of_one_instruction,
    only_what_the_instruction_decides_is_reused,
    only_who_is_believed_answers,
    thousands_are_found_at_once,
    receipts_are_listed_newest_first,
    a_forgotten_receipt_is_a_block_like_others,
    receipts_count_against_the_quota,
    what_nothing_needs_is_collected,
    pins_keep_what_they_name,
    names_keep_where_they_lead,
    receipts_keep_all_that_they_are_about,
    the_codec_decides_what_a_block_links,
    what_is_put_within_a_session_stays,
    a_session_holds_what_was_there_before,
    collecting_takes_nothing_from_those_at_work,
}
