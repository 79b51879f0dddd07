"""Research as a workflow: plan, then look for one sub-question after the other, then write.

The library's types stay in this module. Its steps run in an event loop of the worker's own thread, and call
the investigation in that same thread, which holds the worker's database connection.
"""

from asgiref.sync import async_to_sync, sync_to_async
from llama_index.core.workflow import Event, StartEvent, StopEvent, Workflow, step

from knowledge import jobs
from knowledge.exhaustive import finish
from knowledge.investigation import Ended, Investigation
from knowledge.models import Run
from knowledge.subquestions import Plan


class Next(Event):
    """Look for the sub-question at this place of the plan."""

    place: int


class Enough(Event):
    """Everything was looked for, or the time is up."""


class Research(Workflow):
    def __init__(self, investigation: Investigation) -> None:
        super().__init__(timeout=None)  # the investigation keeps the time, over all workers that had it
        self._investigation = investigation
        self._plan: Plan | None = None

    @step
    async def make_plan(self, event: StartEvent) -> Next:  # noqa: ARG002 - the type is what starts the step
        self._plan = await sync_to_async(self._investigation.plan)()
        return Next(place=0)

    @step
    async def look(self, event: Next) -> Next | Enough:
        plan = self._known_plan()
        await sync_to_async(self._investigation.look)(plan, event.place)
        is_last = event.place + 1 >= len(plan.parts)
        return Enough() if is_last or self._investigation.is_late() else Next(place=event.place + 1)

    @step
    async def write(self, event: Enough) -> StopEvent:  # noqa: ARG002 - the type is what starts the step
        await sync_to_async(self._investigation.write)(self._known_plan())
        return StopEvent()

    def _known_plan(self) -> Plan:
        if self._plan is None:
            raise RuntimeError("A step ran before the plan was made.")
        return self._plan


def work(lease: jobs.Lease, run: Run) -> None:
    """Go through the research of this lease to its end."""
    try:
        async_to_sync(_run)(Investigation(lease, run))
    except Ended as error:
        finish(lease, Run.State.CANCELLED, str(error))
        return
    run.refresh_from_db(fields=["note"])
    finish(lease, Run.State.DONE, run.note)


async def _run(investigation: Investigation) -> None:
    await Research(investigation).run()
