drop index idempotency_keys_by_age;
