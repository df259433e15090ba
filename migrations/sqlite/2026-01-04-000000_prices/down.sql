drop index strategy_steps_watched;
alter table strategy_steps drop column fires_until;
alter table strategy_steps drop column fires_from;
alter table strategy_steps drop column watched_token;
drop index strategies_by_token;
drop index holdings_by_token;
drop table leases;
