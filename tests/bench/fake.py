"""A contender's program that needs no library and no time: it does what its name says."""

import os
import signal
import sys
import time
from pathlib import Path

from inkwise.bench.programs.task import Task, time_predictions


def main() -> None:
    task = Task.read()
    train, test = task.load()
    clock = task.ready()
    match task.name:
        case "crashing":
            raise ValueError("the lion ate it")
        case "failing in round 2" if task.seed == 1:
            sys.exit(3)
        case "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        case "silent":
            sys.stdout.write("no figures, but words")
            return
        case "sleeping":
            Path(os.environ["FAKE_PID_FILE"]).write_text(str(os.getpid()))
            time.sleep(60)
    clock.stop()
    sys.stdout.write("a library that greets")
    clock.report(
        [0.5 + 0.1 * task.seed],
        training_images=len(train),
        evaluation_seconds=0.1,
        model_bytes=7,
        **time_predictions(len, test.images),
    )


if __name__ == "__main__":
    main()
