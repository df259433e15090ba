alter table people drop column computed;
