-- Raised when a forecast of a person's is computed, which changes nothing else that is theirs: what forecasts are cached under.
alter table people add column computed bigint not null default 0;
