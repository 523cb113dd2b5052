"""Durable jobs: pictures and films that are paid once and finished, whatever happens meanwhile.

from doubao_core.jobs import Jobs

with Jobs(ledger="sqlite:///jobs.sqlite3") as jobs:
    job = jobs.submit(order, key="scene-7")      # again: the same job, no second payment
    film = jobs.wait("scene-7").result
    jobs.resume()                                # in any process, after any crash

Pure parts: ``machine`` (states and moves) and ``reconcile`` (what became of a request whose answer
was lost). ``ledger`` keeps the jobs in a database, ``work`` and ``finish`` are the flows,
``driver`` runs them, :class:`Jobs` and :class:`AsyncJobs` are their faces.
"""

from doubao_core.jobs.batch import AsyncBatch, Batch, Done
from doubao_core.jobs.budget import Budget
from doubao_core.jobs.configured import LEDGER, Order
from doubao_core.jobs.drive import AsyncJobs, Jobs
from doubao_core.jobs.errors import LedgerError
from doubao_core.jobs.job import Job
from doubao_core.jobs.machine import State
from doubao_core.jobs.record import OUTPUT_DIR

__all__ = [
    "LEDGER",
    "OUTPUT_DIR",
    "AsyncBatch",
    "AsyncJobs",
    "Batch",
    "Budget",
    "Done",
    "Job",
    "Jobs",
    "LedgerError",
    "Order",
    "State",
]
