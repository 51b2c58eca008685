"""What may happen to an escalation: pure rules, no I/O, no clock, no logging.

Start with `machines.escalation`: its table is the whole machine. `machines.decide` is the only way in.
"""
