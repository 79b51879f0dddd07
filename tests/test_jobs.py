"""Leases, fences, attempts: the row is the truth."""

from datetime import timedelta

import pytest
from django.utils import timezone

from knowledge import documents, jobs
from knowledge.models import Job, Version


@pytest.fixture
def job(people) -> Job:
    return documents.add(people.matter, "a.txt", [b"text"], people.owner).version.job


def expire(job: Job) -> None:
    Job.objects.filter(pk=job.pk).update(lease_until=timezone.now() - timedelta(seconds=1))


def due_now(job: Job) -> None:
    Job.objects.filter(pk=job.pk).update(due_at=timezone.now())


def test_only_one_worker_gets_a_job(job):
    assert jobs.claim(job.pk) is not None
    assert jobs.claim(job.pk) is None


def test_a_silent_worker_loses_the_job_and_can_write_nothing_more(job):
    first = jobs.claim(job.pk)
    expire(job)
    second = jobs.claim(job.pk)
    assert second is not None
    assert second.fence > first.fence
    with pytest.raises(jobs.LeaseLost):
        first.report("embedding")
    with pytest.raises(jobs.LeaseLost):
        jobs.finish(first)
    jobs.finish(second)
    job.refresh_from_db()
    assert job.state == Job.State.DONE


def test_transient_failures_come_back_later_three_times_at_most(job):
    for attempt in (1, 2, 3):
        due_now(job)
        lease = jobs.claim(job.pk)
        assert lease.attempt == attempt
        jobs.retry_later(lease, "The index was away.")
    job.refresh_from_db()
    assert job.state == Job.State.FAILED
    version = Version.objects.get(pk=job.version_id)
    assert version.state == Version.State.FAILED
    assert "The index was away." in version.note


def test_a_job_whose_workers_always_die_is_given_up(job):
    for _ in range(3):
        assert jobs.claim(job.pk) is not None
        expire(job)
    assert jobs.claim(job.pk) is None
    job.refresh_from_db()
    assert job.state == Job.State.FAILED
    assert "Given up" in job.reason


def test_a_failed_document_can_be_tried_again(job):
    jobs.fail(jobs.claim(job.pk), "The file is damaged.")
    again = documents.retry(job.version.document)
    assert jobs.claim(again.pk).attempt == 1


def test_a_job_that_is_not_due_yet_is_left_alone(job):
    jobs.retry_later(jobs.claim(job.pk), "Later.")
    assert jobs.claim(job.pk) is None
    assert not jobs.claimable().exists()


def test_an_interruption_is_no_failed_attempt_but_has_an_end(job):
    for _ in range(jobs.INTERRUPTIONS):
        assert jobs.claim(job.pk).attempt == 1
        assert jobs.release_interrupted() == 1
    jobs.claim(job.pk)
    assert jobs.release_interrupted() == 0
    job.refresh_from_db()
    assert job.state == Job.State.FAILED
    assert "ended 10 times" in job.reason
