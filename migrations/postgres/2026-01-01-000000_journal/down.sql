drop function journal_forget_v1, journal_settle_v1, journal_append_v1, journal_generation_v1, journal_slot_v1, journal_now_v1;
drop table journal_feed;
drop table journal_writers;
drop table journal_keys;
drop table journal_publications;
drop table journal_lives;
drop table journal_channels;
drop table journal_meta;
