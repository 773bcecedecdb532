"""The actions by topic. Each module is a table of rows, ACTIONS; `services` registers them all."""
