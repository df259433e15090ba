drop table barred;
