drop index strategies_by_token;
drop index holdings_by_token;
drop table leases;
