"""What we have of Ray: a cluster, its pool of workers, and what Ray Data makes of items on it.

Ray Data hands items to actors, starts those that died again, and gives what they had to do to others.
"""

from __future__ import annotations

import logging
import os
import pickle
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from judge.errors import BackendError, InputError, JudgeError, MissingExtra
from judge.options import LOCAL, JudgeOptions

ENGINE = "ray"
LOCAL_CLUSTER = "local"
"""The address of a cluster that is started for the run, on this machine alone."""

KNOCK_S = 10.0
LOCAL_STORE_BYTES = 200_000_000  # blocks travel as places in files, so Ray's store holds next to nothing
QUIET = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_BACKEND_LOG_LEVEL": "fatal"}
"""What Ray reads from the environment as it is imported: nothing goes out, and our lines stand alone."""

IN_FLIGHT = 2  # blocks that an actor has been given: one that it judges, one that waits


@dataclass(frozen=True, slots=True)
class Cluster:
    """Where to run, and on how much of it.

    Args:
        address: of Ray's head; "" is the cluster of RAY_ADDRESS or of this machine, else one that is started
            for the run; "local" is always started.
        workers: how many judges are loaded at a time; None is as many as there is room for.
        cpus: cores of each.
        gpus: GPUs of each; None is one where the cluster has some and the judge can use it.
    """

    address: str = ""
    workers: int | None = None
    cpus: float = 1.0
    gpus: float | None = None


def cluster_of(on: str, workers: int | None = None, cpus: float = 1.0, gpus: float | None = None) -> Cluster:
    """The cluster that `--on` names: ray, ray:local or ray:ADDRESS. Raises InputError for anything else."""
    engine, _, address = on.partition(":")
    if engine != ENGINE:
        raise InputError(f"--on {on}: must be {ENGINE}, {ENGINE}:{LOCAL_CLUSTER} or {ENGINE}:ADDRESS.")
    return Cluster(address, workers, cpus, gpus)


@dataclass(frozen=True, slots=True)
class Pool:
    """The workers of a run: `size` actors of `kind`, made with `arguments`, each of which needs `needs`.

    An actor judges `threads` blocks at a time.
    """

    kind: type
    arguments: tuple[Any, ...]
    size: int
    needs: Mapping[str, float] = field(default_factory=dict)
    threads: int = 1


def made_of(table: Any, make: Callable[[Any], Any]) -> Any:
    """What is made of each item of a table of Ray's, as such a table."""
    import pyarrow as pa

    made = [pickle.dumps(make(pickle.loads(item))) for item in table["item"].to_pylist()]
    return pa.table({"item": pa.array(made, pa.binary())})


@contextmanager
def connected(cluster: Cluster) -> Iterator[None]:
    """Ray's cluster, left at the end; one that this process is connected to already is used as it is.

    Raises:
        MissingExtra: Ray is not installed.
        BackendError: no cluster answers at that address.
    """
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise MissingExtra(
            f'--on ray needs Ray ({error}): pip install "four-token-judge[ray]", on every machine.'
        ) from error
    if ray.is_initialized():
        yield
        return
    _connect(ray, cluster)
    try:
        yield
    finally:
        ray.shutdown()


def _connect(ray: Any, cluster: Cluster) -> None:
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    if cluster.address != LOCAL_CLUSTER:
        try:
            _knock(cluster.address)
            ray.init(cluster.address or "auto", **quiet)
            return
        except (OSError, ValueError, RuntimeError) as error:
            if cluster.address:
                why = next(iter(str(error).splitlines()), type(error).__name__)
                said = f"--on ray:{cluster.address}: no cluster answers there ({why})."
                raise BackendError(said) from error
    cores = None if cluster.workers is None else max(1, round(cluster.workers * cluster.cpus))
    try:
        ray.init(
            LOCAL_CLUSTER,
            num_cpus=cores,
            include_dashboard=False,
            object_store_memory=LOCAL_STORE_BYTES,
            **quiet,
        )
    except Exception as error:  # Ray has no class of its own for it
        why = next(iter(str(error).splitlines()), type(error).__name__).rstrip(".")
        raise BackendError(f"--on ray:{LOCAL_CLUSTER}: Ray did not start here ({why}).") from error


def _knock(address: str) -> None:
    """Raises OSError where nobody listens at HOST:PORT: Ray itself would try for minutes."""
    host, _, port = address.rpartition("://")[2].rpartition(":")
    if host and port.isdecimal():
        socket.create_connection((host, int(port)), KNOCK_S).close()


def resources_there() -> Mapping[str, float]:
    """The cores and GPUs of the cluster, as Ray names them."""
    import ray

    connected_to: Any = ray  # whose own types are those of some functions only
    found: Mapping[str, float] = connected_to.cluster_resources()
    return found


def needs_of(cluster: Cluster, options: JudgeOptions, there: Mapping[str, float]) -> dict[str, float]:
    """The cores and GPUs of one worker, as Ray names them."""
    gpus = cluster.gpus
    if gpus is None:
        can_use = options.backend.partition(":")[0] in LOCAL and options.settings.device != "cpu"
        gpus = 1.0 if can_use and there.get("GPU", 0) >= 1 else 0.0
    return {"num_cpus": cluster.cpus, "num_gpus": gpus}


def size_of_pool(cluster: Cluster, needs: Mapping[str, float], there: Mapping[str, float]) -> int:
    """How many workers there are. Raises BackendError where there is no room for one."""
    if cluster.workers is not None:
        return cluster.workers
    names = {"num_cpus": "CPU", "num_gpus": "GPU"}
    room = [int(there.get(names[name], 0) / needed) for name, needed in needs.items() if needed > 0]
    if (size := min(room, default=1)) < 1:
        has = ", ".join(f"{there.get(name, 0):g} {name}" for name in names.values())
        wants = ", ".join(f"{needed:g} {names[name]}" for name, needed in needs.items() if needed)
        raise BackendError(
            f"--on ray: the cluster has {has}, and a worker needs {wants}. Give --worker-cpus or "
            "--worker-gpus, or --workers where machines join later."
        )
    return size


def mapped(items: Sequence[Any], n_parts: int, work: Any, **how: Any) -> Iterator[Any]:
    """What Ray Data makes of the items, in any order, as soon as it is there. `work` is for `map_batches`.

    Raises JudgeError that a worker raised as it was made.
    """
    import ray

    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    rows = [{"item": pickle.dumps(item)} for item in items]
    data = ray.data.from_items(rows, override_num_blocks=max(1, min(n_parts, len(rows))))
    made: Any = data.map_batches(work, batch_size=None, batch_format="pyarrow", **how)
    try:
        for batch in made.iter_batches(batch_size=None, batch_format="pyarrow", prefetch_batches=0):
            yield from map(pickle.loads, batch["item"].to_pylist())
    except Exception as error:
        if (cause := judge_error_in(error)) is not None:
            raise cause from None
        raise


def judge_error_in(error: BaseException | None) -> JudgeError | None:
    """The expected error that one of Ray's was caused by."""
    while error is not None:
        if type(error).__module__.startswith("judge.") and isinstance(error, JudgeError):
            return error
        error = getattr(error, "cause", None) or error.__cause__
    return None


def worked(items: Sequence[Any], pool: Pool) -> Iterator[Any]:
    """What the pool makes of the items, each of which one worker gets by itself; in any order."""
    import ray

    compute = ray.data.ActorPoolStrategy(
        size=min(pool.size, len(items)),
        max_tasks_in_flight_per_actor=IN_FLIGHT * pool.threads,
        max_concurrent_calls_per_actor=pool.threads,
        enable_true_multi_threading=pool.threads > 1,
    )
    return mapped(
        items, len(items), pool.kind, compute=compute, fn_constructor_args=pool.arguments, **pool.needs
    )
