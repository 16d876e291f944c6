"""Builds a dataset on nodes of a Slurm cluster, which dask-jobqueue asks for: python dask_slurm.py COCO OUT [JOBS].

    pip install 'posegen[dask]' dask-jobqueue

All nodes have to see both paths and have the same posegen. Nodes that come late are given work, what a lost one had is
done by another, and the same call goes on where it stopped. In a cluster that runs already, this is
`posegen build ... --backend dask --scheduler ADDRESS`.
"""

from __future__ import annotations

import sys

from dask_jobqueue import SLURMCluster

import posegen
from posegen.build.executors.dask import DaskExecutor


def main() -> None:
    coco, out, *rest = sys.argv[1:]
    jobs = int(rest[0]) if rest else 8
    # One worker a job, with a thread for each core: every thread builds one shard at a time, in a process of its own.
    with SLURMCluster(cores=4, processes=1, memory="6GB", walltime="04:00:00") as cluster:
        cluster.scale(jobs=jobs)
        executor = DaskExecutor(cluster.scheduler_address, notify=print)
        manifest = posegen.build(coco, out, posegen.BuildConfig.preset("tf-pose"), executor=executor, notify=print)
    print(f"{manifest.samples} samples in {len(manifest.shards)} shards: {out}")


if __name__ == "__main__":
    main()
