"""How the stages of `audit` are put together into things a person runs, and the command line."""
