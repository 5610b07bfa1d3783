"""What a step takes on 1, 2 and 4 processes of this machine, and what it is made of."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

sys.path.insert(0, str(Path(__file__).parent.parent))
import brain_mri  # noqa: F401  # it tells of packages that are missing

# isort: split
import pandas as pd
from training import CLASSES, LAYERS, mapped, settings
from turns import READINGS, median_seconds

WORKERS, SIZES = (1, 2, 4), (64, 128)
STEPS, ROUNDS = 10, 3
REDUCED = (1, 1_000_000, 8_000_000)  # float32 numbers, to tell what a call and what a byte takes


def main() -> None:
    """Start the processes of each training, and write what their chief measured."""
    if len(sys.argv) > 1:
        work(int(sys.argv[1]), int(sys.argv[2]))
        return
    rows = []
    for number in range(ROUNDS):
        for size in SIZES:
            for workers in WORKERS:
                for line in together(workers, size).splitlines():
                    reading = {"round": number, "size": size, "workers": workers}
                    rows.append(reading | json.loads(line))
                    print(rows[-1], file=sys.stderr)
    READINGS.mkdir(exist_ok=True)
    table = pd.DataFrame(rows)
    table.to_csv(READINGS / "replicas.csv", index=False, lineterminator="\n", float_format="%.4g")


def together(workers: int, size: int) -> str:
    """Run as many processes, which meet at ports of their own; give what the chief printed."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(workers)]
    addresses = [f"127.0.0.1:{each.getsockname()[1]}" for each in sockets]
    for each in sockets:
        each.close()
    processes = []
    for index in range(workers):
        task = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}}
        config = {"TF_CONFIG": json.dumps(task)} if workers > 1 else {}
        threads = max(1, (os.cpu_count() or 1) // workers)
        processes.append(
            subprocess.Popen(
                [sys.executable, __file__, str(size), str(threads)],
                env=os.environ | config,
                stdout=subprocess.PIPE,
                text=True,
            )
        )
    said = [process.communicate()[0] for process in processes]
    if any(process.returncode for process in processes):
        sys.exit(f"a worker of {workers} failed")
    return said[0]


def work(size: int, threads: int) -> None:
    """Train model_1 for some steps as stages.train does, and time what they are made of."""
    from brain_mri.models import building, distribution, runtime, stepping

    taken = settings("model_1")
    taken.threads = threads
    runtime.configure(taken)
    with distribution.joined(taken, "00" * 32) as replicas:
        model = building.build("model_1", size, CLASSES, **LAYERS)
        optimizer = stepping.make_optimizer(taken, 0.001, 1, model)
        step = stepping.training_step(model, optimizer, model.input)
        examples, rows = mapped(size)
        here = distribution.rows_here(rows)

        def train():
            step(examples, rows, False)[0].numpy()

        def tell(what, function, **facts):
            seconds = median_seconds(function, STEPS)
            print(json.dumps({"what": what, "seconds": seconds} | facts), flush=True)

        with distribution.own_dropout(model):
            tell("step", train, parameters=model.count_params())
        tell("read", lambda: examples.images.images(here))
        for count in REDUCED if replicas > 1 else ():
            tell("reduce", adding(count), bytes=4 * count)


def adding(count: int):
    """Compile the addition of so many numbers of each replica."""
    import tensorflow as tf

    from brain_mri.models import distribution

    numbers = tf.Variable(tf.zeros(count))

    @tf.function
    def added():
        return distribution.on_each(lambda: distribution.add_up(numbers + 1.0))[0]

    return lambda: added().numpy()


if __name__ == "__main__":
    main()
