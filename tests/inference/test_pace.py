from inference.generator.pace import ALONE_SECONDS, BESIDE_SECONDS, LEAST, TELLING, Pace


def test_chunks_grow_on_a_quick_machine_up_to_what_is_allowed():
    pace = Pace(512, 2048, 128)
    assert (pace.tokens(is_alone=True), pace.tokens(is_alone=False)) == (512, 128)
    pace.add(512, 0.3)
    assert (pace.tokens(is_alone=True), pace.tokens(is_alone=False)) == (2048, 128)


def test_chunks_shrink_when_steps_take_long_and_grow_again():
    pace = Pace(512, 2048, 128)
    pace.add(512, 5.12)  # 100 tokens a second
    assert pace.tokens(is_alone=True) == 100 * ALONE_SECONDS
    assert pace.tokens(is_alone=False) == 100 * BESIDE_SECONDS
    pace.add(150, 0.5)
    assert pace.tokens(is_alone=True) == 200 * ALONE_SECONDS


def test_a_small_step_says_nothing_and_no_chunk_is_tiny():
    pace = Pace(512, 2048, 128)
    pace.add(TELLING - 1, 60)
    assert pace.tokens(is_alone=True) == 512
    pace.add(TELLING, 1000)
    assert pace.tokens(is_alone=True) == LEAST
    assert Pace(16, 16, 8).tokens(is_alone=True) == 16
