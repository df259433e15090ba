drop table journal_feed;
drop table journal_writers;
drop table journal_keys;
drop table journal_publications;
drop table journal_lives;
drop table journal_channels;
drop table journal_meta;
