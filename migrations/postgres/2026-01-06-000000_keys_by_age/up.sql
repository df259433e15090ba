-- Keys that are too old are forgotten also if their people never come back.
create index idempotency_keys_by_age on idempotency_keys (created_at);
