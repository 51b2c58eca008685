"""What people would otherwise build this on, doing the same change the way its own docs show.

One change is: over HTTP, a level change of one of 20,000 escalations, allowed by a guard, with its
row of history, in one transaction that is committed before the reply. The rivals do *less* than
the product: no timer, no outbox message, no hash, no key against repeats, no policy; DBOS's service
has no authentication either. Each connection changes escalations that no other touches, so that
nobody waits for a lock.

Each runs in an environment of its own (`environment.py`), made when it is first asked for from the
pinned requirements beside this file, so that no rival enters the product's lock. The programs in
`apps/` run there and import nothing of the product.
"""
