"""Speeds, each a ratio measured side by side in one run. Nothing here is a test.

    python -m tests.benchmarks [NAME …]      from the project's folder, in its environment

Absolute times on a shared machine drift, so a figure alone says little. What is compared is
measured in turns, round by round, by the same client, against the same Postgres on the same
machine with `fsync` and `synchronous_commit` on (refused otherwise), and the medians are compared.
Contenders are started afresh for each turn, each with a database of its own, and only one is up at
a time; what may be set differently for a rival (workers, threads) is tried first, and the best is
taken, so that no rival loses by its settings.

`bench.py` holds the turns, `load.py` the one HTTP client, `pgbench.py` the one for SQL, and each
further module one contender, whose docstring says what is fair and what is not.
"""
