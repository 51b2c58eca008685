"""Kills the service and its Postgres at random moments under load, and counts what was lost: it must be nothing.

    python -m tests.chaos --kills 20 --postgres-kills 5 --seed 1

A real embedded Postgres (fsync on), the real service as a subprocess, and clients that live whole escalations over
HTTP and keep a log of their own. After each group of kills that log is held against the database (V1: every
acknowledged change is present; V2: refused ones absent, unknown ones applied 0 or 1 times), and the product's verifier
(V3 to V7) is run.
"""
