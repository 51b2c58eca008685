"""The cast: people who answer, decline, are late, decide, overstep, tell the customer or forget to, and end it.

`members.py` says who they are, `words.py` what they say. `asking.py`, `answering.py`, `working.py` and `endings.py` say
what each does next, by how an escalation stands; `playing.py` does it, at its instant.
"""
