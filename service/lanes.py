"""What waits for the engine: a lane for requests, one for the items of bulks, one for timers, served in turn."""

from __future__ import annotations

from collections import deque

from service.batch import Job

BATCH = 64
LANES = ("request", "bulk", "timer")


class Lanes:
    """Jobs in the order in which they came. `busy` are the subjects of the batches in flight."""

    def __init__(self) -> None:
        self._lanes: dict[str, deque[Job]] = {lane: deque() for lane in LANES}
        self.busy: set[str] = set()
        self.waiting = 0

    def put(self, job: Job, *, first: bool = False) -> None:
        """Let a job wait; `first`: it waited before."""
        lane = self._lanes[job.lane]
        (lane.appendleft if first else lane.append)(job)
        self.waiting += 1

    def take(self) -> list[Job]:
        """A batch, round robin over the lanes: a long bulk delays a request by one batch at most.

        What the other batch is busy with stays, in its order: arrival order holds, and nobody waits for a lock of ours.
        Who will wait for a lock held elsewhere goes without the others, who need not.
        """
        taken = list[Job]()
        lanes = [lane for lane in self._lanes.values() if lane]
        stay: list[Job] = []
        busy = set(self.busy)
        while lanes and len(taken) < BATCH:
            for lane in list(lanes):
                job = lane.popleft()
                if job.subject in busy or (taken and job.waits != taken[0].waits):
                    stay.append(job)
                    busy.add(job.subject)
                else:
                    self.waiting -= 1
                    if not job.reply.done():
                        taken.append(job)
                if not lane:
                    lanes.remove(lane)
                if len(taken) == BATCH:
                    break
        for job in reversed(stay):
            self._lanes[job.lane].appendleft(job)
        return taken
