"""The postprocess stage: on a thread of its own or by its giver where there is time, always in order."""

from __future__ import annotations

import threading
import time

from edgecam.pipeline.postprocess_stage import PostprocessStage


def test_a_second_step_that_dies_frees_the_giver() -> None:
    ended = threading.Event()

    def fail(_: int) -> None:
        raise ValueError("broken")

    step = PostprocessStage("second", fail, ended.set)
    assert step.put(0, 0)
    giver_answers: list[bool] = []
    giver = threading.Thread(target=lambda: giver_answers.extend(step.put(i, i) for i in (1, 2)), daemon=True)
    giver.start()  # 0 is not being done yet: 1 waits
    step.thread.start()
    giver.join(5)
    assert not giver.is_alive() and giver_answers == [False, False]
    assert ended.wait(5)
    step.thread.join(5)
    assert isinstance(step.thread.error, ValueError)


def test_what_was_given_before_the_end_is_done() -> None:
    done: list[int] = []
    ended = threading.Event()
    step = PostprocessStage("second", done.append, ended.set)
    assert step.put(0, 7)
    step.close()
    assert not step.put(1, 8)
    step.thread.start()
    assert ended.wait(5)
    step.thread.join(5)
    assert done == [7]


def test_one_step_is_at_most_one_ahead_of_the_other() -> None:
    allow, begun = threading.Semaphore(0), threading.Semaphore(0)

    def work(_: int) -> None:
        begun.release()
        assert allow.acquire(timeout=10)

    step = PostprocessStage("second", work, lambda: None)
    step.thread.start()
    assert step.put(0, 0) and begun.acquire(timeout=5)
    giver = threading.Thread(target=step.put, args=(1, 1), daemon=True)
    giver.start()
    giver.join(0.2)
    assert giver.is_alive(), "1 has to wait while 0 is being done"
    allow.release(2)
    giver.join(5)
    assert not giver.is_alive()
    step.close()
    step.thread.join(5)


def test_a_giver_with_time_to_spare_does_it_itself_and_in_order() -> None:
    done: list[tuple[int, str]] = []
    ended = threading.Event()
    step: PostprocessStage[int] = PostprocessStage(
        "second", lambda item: done.append((item, threading.current_thread().name)), ended.set
    )
    step.thread.start()
    own = threading.current_thread().name
    a_minute_ns = 60 * 10**9
    # the first, whose length nobody knows; time enough; none; enough again
    for item, spare_ns in enumerate((a_minute_ns, a_minute_ns, 0, a_minute_ns)):
        assert step.put(item, item, spare_ns)
    step.close()
    assert ended.wait(5)
    step.thread.join(5)
    assert done == [(0, "second"), (1, own), (2, "second"), (3, own)]


def test_things_of_several_givers_are_done_in_the_order_of_turns() -> None:
    count, done, at_once = 2000, [], threading.Lock()

    def work(item: int) -> None:
        assert at_once.acquire(blocking=False), "two at a time"
        done.append(item)
        at_once.release()

    ended = threading.Event()
    step: PostprocessStage[int] = PostprocessStage("second", work, ended.set, givers=3)
    step.thread.start()
    turns, taking = iter(range(count)), threading.Lock()

    def give(giver: int) -> None:
        while True:
            with taking:
                turn = next(turns, None)
            if turn is None:
                return
            if turn % 7 == 0:
                time.sleep(0.0005)  # so that later ones are ready before it
            assert step.put(turn, turn, giver=giver)

    givers = [threading.Thread(target=give, args=(giver,), daemon=True) for giver in range(3)]
    for giver in givers:
        giver.start()
    for giver in givers:
        giver.join(30)
        assert not giver.is_alive()
    assert not ended.is_set()
    step.close()
    assert ended.wait(5) and not step.put(count, count)
    step.thread.join(5)
    assert done == list(range(count))


def test_a_turn_that_is_too_far_ahead_waits_and_is_freed_by_the_end() -> None:
    step: PostprocessStage[int] = PostprocessStage("second", lambda _: None, lambda: None, givers=2)
    step.thread.start()
    answers: list[bool] = []
    giver = threading.Thread(target=lambda: answers.extend(step.put(i, i) for i in (1, 2)), daemon=True)
    giver.start()  # 0 never comes
    giver.join(0.2)
    assert giver.is_alive() and len(answers) < 2
    step.close()
    giver.join(5)
    step.thread.join(5)
    assert answers == [True, False]


def test_several_givers_do_it_themselves_in_order_and_leave_nothing() -> None:
    done: list[tuple[int, str]] = []
    ended = threading.Event()
    step: PostprocessStage[int] = PostprocessStage(
        "second", lambda item: done.append((item, threading.current_thread().name)), ended.set, givers=2
    )
    step.thread.start()

    def give(giver: int) -> None:
        for turn in range(giver, 200, 2):
            assert step.put(turn, turn, giver=giver)

    givers = [threading.Thread(target=give, args=(i,), name=f"giver-{i}", daemon=True) for i in (0, 1)]
    for thread in givers:
        thread.start()
    for thread in givers:
        thread.join(30)
    step.close()
    assert ended.wait(5)
    step.thread.join(5)
    assert [item for item, _ in done] == list(range(200))
    assert {who for _, who in done} <= {"giver-0", "giver-1"}, "the stage's thread has no processor left"
