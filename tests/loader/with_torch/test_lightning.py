"""What a plain `Trainer` of Lightning gets; where it is not installed, what it relies on."""

import pytest
import torch
from torch.utils.data import DataLoader, DistributedSampler

from posegen import PoseDataset
from posegen.loader.torch import PoseLoader, ShardShuffleSampler, TorchPoseDataset, collate

READ = {"fields": ["image_id", "affine"], "views": "scale=0.8-1.1,rotate=30,shift=9,flip=0.5", "seed": 5}


def note(batches):
    """Write down which samples came, and the maps of their views."""
    return [
        (number, *affine)
        for batch in batches
        for number, affine in zip(batch["image_id"].tolist(), batch["affine"].flatten(1).tolist(), strict=True)
    ]


def test_who_only_tries_to_iterate_has_had_no_pass(dataset):
    expected = [note(PoseLoader(dataset, batch_size=3, **READ).epoch(epoch)) for epoch in range(3)]
    loader = PoseLoader(dataset, batch_size=3, **READ)
    iter(loader)
    begun = iter(loader)
    assert note(begun) == expected[0]
    begun = iter(loader)
    loader.sampler.set_epoch(2)
    assert note(begun) == expected[2]
    # What is loaded outlasts what Lightning says of it then.
    state = PoseLoader(dataset, batch_size=3, **READ).state_dict() | {"epoch": 1, "done": 3}
    loader.load_state_dict(state)
    iter(loader)
    loader.sampler.set_epoch(1)
    assert note(loader) == expected[1][3:]


def test_the_sampler_is_not_split_over_processes_a_second_time(dataset):
    sampler = ShardShuffleSampler(TorchPoseDataset(dataset), rank=1, ranks=3)
    assert isinstance(sampler, DistributedSampler)
    assert len(sampler) == len(list(sampler)) == 3


@pytest.mark.filterwarnings("ignore")
def test_a_plain_trainer_reads_every_sample_in_views_of_its_epoch(dataset, tmp_path):
    lightning = pytest.importorskip("lightning")

    class Network(lightning.LightningModule):
        def __init__(self):
            super().__init__()
            self.weight, self.read = torch.nn.Parameter(torch.zeros(1)), {}

        def training_step(self, batch, _):
            self.read.setdefault(self.current_epoch, []).extend(note([batch]))
            return self.weight * batch["affine"].float().mean()

        def configure_optimizers(self):
            return torch.optim.SGD(self.parameters(), 0.1)

    def fit(batches, epochs, checkpoint=None):
        network, quiet = Network(), ("logger", "enable_progress_bar", "enable_model_summary", "enable_checkpointing")
        trainer = lightning.Trainer(max_epochs=epochs, accelerator="cpu", **dict.fromkeys(quiet, False))
        trainer.fit(network, batches, ckpt_path=checkpoint)
        trainer.save_checkpoint(tmp_path / "checkpoint")
        return network.read

    def open_both():
        data = TorchPoseDataset(dataset, **READ)
        sampler = ShardShuffleSampler(data, seed=5)
        return PoseLoader(dataset, batch_size=3, **READ), DataLoader(data, 3, sampler=sampler, collate_fn=collate)

    numbers = PoseDataset(dataset, **READ)
    for of_first, of_other in zip(open_both(), open_both(), strict=True):
        read = fit(of_first, 2)
        for epoch in range(2):
            numbers.epoch = epoch
            views = {(sample["image_id"], *sample["affine"].ravel().tolist()) for sample in numbers}
            assert len(read[epoch]) == len(views) == 8
            assert set(read[epoch]) == views
        gone_on = fit(of_other, 3, tmp_path / "checkpoint")
        numbers.epoch = 2
        assert list(gone_on) == [2]
        assert set(gone_on[2]) == {(sample["image_id"], *sample["affine"].ravel().tolist()) for sample in numbers}
