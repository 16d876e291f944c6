"""How many threads OpenCV has, while somebody wants it to have one and afterwards."""

import cv2
import pytest

from posegen.images.parallel import one_thread


@pytest.fixture(autouse=True)
def _threads_as_before():
    before = cv2.getNumThreads()
    yield
    cv2.setNumThreads(before)


def test_opencv_has_one_thread_until_the_last_is_done_and_then_what_it_had():
    cv2.setNumThreads(3)
    first, second = one_thread(), one_thread()
    first.__enter__()
    second.__enter__()
    assert cv2.getNumThreads() == 1
    first.__exit__(None, None, None)
    assert cv2.getNumThreads() == 1
    second.__exit__(None, None, None)
    assert cv2.getNumThreads() == 3


def test_opencv_has_what_it_had_after_an_error_too():
    cv2.setNumThreads(2)
    with pytest.raises(ValueError, match="it"), one_thread():
        raise ValueError("it")
    assert cv2.getNumThreads() == 2


def test_who_asks_for_another_number_meanwhile_keeps_it():
    cv2.setNumThreads(2)
    with one_thread():
        cv2.setNumThreads(3)
    assert cv2.getNumThreads() == 3


def test_one_thread_stays_one():
    cv2.setNumThreads(1)
    with one_thread():
        assert cv2.getNumThreads() == 1
    assert cv2.getNumThreads() == 1
