"""How many samples' labels are drawn together."""

from types import SimpleNamespace

from each import each

from posegen.build.worker import cut_batches


def label(*shape):
    return SimpleNamespace(spec=SimpleNamespace(shape=shape))


@each(
    "labels, sizes",
    [
        ([], [16, 16, 8]),
        ([label(19, 46, 46)], [16, 16, 8]),
        # Eight MiB of float32 at the most: 128 * 128 are 64 KiB, so that 16 channels are one MiB.
        ([label(16, 128, 128)], [8] * 5),
        ([label(10, 128, 128), label(6, 128, 128)], [8] * 5),
        ([label(17, 128, 128)], [7] * 5 + [5]),
        ([label(500, 128, 128)], [1] * 40),
    ],
)
def test_samples_are_cut_by_their_number_and_by_the_bytes_of_their_labels(labels, sizes):
    batches = list(cut_batches(range(40), labels))
    assert [len(batch) for batch in batches] == sizes
    assert [sample for batch in batches for sample in batch] == list(range(40))
