"""The trials of a sweep, in Optuna's journal: which come next, and what became of them."""

import contextlib
import dataclasses
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from inkwise.errors import ArgumentError, DataError, TrainingError
from inkwise.runs.directory import INTERRUPTED, Run
from inkwise.system.files import storage
from inkwise.system.progress import Progress
from inkwise.system.tables import write_csv
from inkwise.training.history import Epoch, validation_losses
from inkwise.training.recipe import Recipe
from inkwise.trials.folder import mend_lines
from inkwise.trials.outcome import ACCURACY, METRICS, Trial
from inkwise.trials.ranges import Space, Value, vary_recipe
from inkwise.trials.trainings import Job, Train

if TYPE_CHECKING:
    import optuna

FACTOR = 3
"""Of so many trials that have come as far, one goes on (successive halving)."""

UNPRUNED = 4
"""So many trials are trained to the end before any is ended early: there is little to go by."""

FEWEST = 8
"""With fewer trials that were trained to the end, nothing is said about what matters."""

_JOURNAL = "journal.log"


@contextlib.contextmanager
def open_journal(folder: Path) -> Iterator["optuna.Study"]:
    """Open the journal of a sweep, of which a kill may have cut the last line."""
    import optuna
    from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock

    path = folder / _JOURNAL
    mend_lines(path)
    # This process has the folder for itself: a lock that is there was left by a killed one.
    Path(f"{path}.lock").unlink(missing_ok=True)
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with storage(path, "write"):
            backend = JournalFileBackend(str(path), JournalFileOpenLock(str(path)))
            study = optuna.create_study(
                storage=optuna.storages.JournalStorage(backend),
                study_name="sweep",
                load_if_exists=True,
                direction="maximize",
            )
        yield study
    finally:
        optuna.logging.set_verbosity(before)


@dataclasses.dataclass
class Search:
    """The trials of a sweep: which come next, and what became of them.

    Parameters
    ----------
    study : optuna.Study
    folder : Path
        The folder of the sweep.
    recipe, space, metric, sampler, pruning, seed, progress, on_trial
        As for `inkwise.sweep`, but that the space is what `read_space` returns.
    count : int
        Number of trials in all.
    grid : sequence of mapping, or None
        The combinations that the sampler ``grid`` tries.
    parallel : bool
        Whether several trials are trained at a time.
    """

    study: "optuna.Study"
    folder: Path
    recipe: Recipe
    space: Space
    metric: str
    count: int
    sampler: str
    grid: Sequence[Mapping[str, Value]] | None
    seed: int
    pruning: bool
    parallel: bool
    progress: Progress
    on_trial: Callable[[Trial], object] | None

    def __post_init__(self) -> None:
        # Optuna maximises, whatever the metric is.
        self._sign = 1.0 if self.metric == ACCURACY else -1.0
        self._lock = threading.Lock()
        self._running = self._frozen("RUNNING")

    @contextlib.contextmanager
    def _journalled(self) -> Iterator[None]:
        """Let one thread at a time write to the journal."""
        with self._lock, storage(self.folder / _JOURNAL, "write"):
            yield

    def _frozen(self, *states: str) -> list["optuna.trial.FrozenTrial"]:
        from optuna.trial import TrialState

        wanted = tuple(TrialState[state] for state in states)
        return self.study.get_trials(deepcopy=False, states=wanted or None)

    @property
    def left(self) -> int:
        """How many trials are to be begun or to go on."""
        begun = len(self._frozen()) - len(self._frozen("WAITING"))
        return len(self._running) + max(0, self.count - begun)

    def work(self, train: Train) -> None:
        """Do trials until none is left."""
        while (begun := self._begin()) is not None:
            self._do(*begun, train)

    def _begin(self) -> "tuple[optuna.trial.Trial, dict[str, Value]] | None":
        """Return the next trial with its values; one that was left in the middle comes first."""
        import optuna

        with self._journalled():
            if self._running:
                left = self._running.pop(0)
                self.study.sampler = self._make_sampler(left.number)
                trial = optuna.trial.Trial(self.study, left._trial_id)
            else:
                waiting = self._frozen("WAITING")  # of a process that was killed
                number = len(self._frozen()) - len(waiting)
                if number >= self.count:
                    return None
                self.study.sampler = self._make_sampler(number)
                if self.grid is not None and not waiting:
                    order = np.random.default_rng(self.seed).permutation(len(self.grid))
                    self.study.enqueue_trial(dict(self.grid[order[number]]))
                trial = self.study.ask()
            values = {}
            for draw, (place, each) in enumerate(self.space.items(), 1):
                self.study.sampler = self._make_sampler(trial.number, draw)
                values[place] = each.suggest(trial, place)
            return trial, values

    def _make_sampler(self, number: int, draw: int = 0) -> "optuna.samplers.BaseSampler":
        """Return a sampler for one value of a trial, or for those that it draws together.

        So a trial that goes on draws what it would have, also behind values that it had drawn.
        """
        import optuna

        seed = int(np.random.SeedSequence([self.seed, number, draw]).generate_state(1)[0])
        if self.sampler == "tpe":
            return optuna.samplers.TPESampler(
                seed=seed, multivariate=True, constant_liar=self.parallel
            )
        return optuna.samplers.RandomSampler(seed=seed)

    def _do(self, trial: "optuna.trial.Trial", values: Mapping[str, Value], train: Train) -> None:
        from optuna.trial import TrialState

        reported = {*self.study.get_trials(deepcopy=False)[trial.number].intermediate_values}
        path = self._path(trial.number)
        pruned = False

        def on_epoch(epoch: Epoch) -> bool:
            nonlocal pruned
            with self._journalled():
                if epoch.epoch not in reported:  # before the trial was interrupted
                    trial.report(self._sign * getattr(epoch, METRICS[self.metric]), epoch.epoch)
                    reported.add(epoch.epoch)
                if epoch.epoch == max(reported):
                    pruned = epoch.epoch < recipe.epochs and self._is_behind(trial, epoch.epoch)
            return not pruned

        error = ""
        try:
            recipe = vary_recipe(self.recipe, values)
            train(Job("validated", recipe, path), on_epoch)
        except (ArgumentError, DataError, TrainingError) as raised:
            error = str(raised)
        with self._journalled():
            if error:
                trial.set_user_attr("error", error)
                self.study.tell(trial, state=TrialState.FAIL)
            elif pruned:
                Run(path).set_status(INTERRUPTED)
                self.study.tell(trial, state=TrialState.PRUNED)
            else:
                history = Run(path).history
                kept = history[recipe.keeps(validation_losses(history)) - 1]
                self.study.tell(trial, self._sign * getattr(kept, METRICS[self.metric]))
            done = self._read(self.study.get_trials(deepcopy=False)[trial.number])
            finished = len(self._frozen("COMPLETE", "PRUNED", "FAIL"))
        with self._lock:
            self.progress.step("trials", finished, max(self.count, finished))
            if self.on_trial is not None:
                self.on_trial(done)

    def _is_behind(self, trial: "optuna.trial.Trial", epoch: int) -> bool:
        """Tell whether a trial is ended early, by successive halving (Li et al. 2020).

        Optuna's own pruner remembers what it has looked at, but not what it has decided, which
        a kill in between would lose.
        """
        rung = max(1, self.recipe.epochs // 8)
        while rung < epoch:
            rung *= FACTOR
        if not self.pruning or rung != epoch or len(self._frozen("COMPLETE")) < UNPRUNED:
            return False
        trials = self.study.get_trials(deepcopy=False)
        reached = sorted(
            each.intermediate_values[epoch] for each in trials if epoch in each.intermediate_values
        )
        kept = max(1, len(reached) // FACTOR)
        return trials[trial.number].intermediate_values[epoch] < reached[-kept]

    def _path(self, number: int) -> Path:
        return self.folder / "trials" / f"{number:03}"

    def trials(self) -> Iterator[Trial]:
        """Yield the trials that have begun, in their order."""
        for frozen in self._frozen():
            if frozen.state.name != "WAITING":
                yield self._read(frozen)

    def _read(self, frozen: "optuna.trial.FrozenTrial") -> Trial:
        state = {"FAIL": "failed"}.get(frozen.state.name, frozen.state.name.lower())
        value = frozen.value if state == "complete" else None
        return Trial(
            frozen.number,
            {place: frozen.params[place] for place in self.space if place in frozen.params},
            state,
            None if value is None else self._sign * value,
            tuple(self._sign * each for _, each in sorted(frozen.intermediate_values.items())),
            self._path(frozen.number),
            frozen.user_attrs.get("error", ""),
        )

    def importances(self) -> dict[str, float]:
        """Return how much each varied value matters, the most important first."""
        from optuna.importance import FanovaImportanceEvaluator, get_param_importances

        done = self._frozen("COMPLETE")
        if len(self.space) < 2 or len(done) < FEWEST or len({each.value for each in done}) < 2:
            return {}
        evaluator = FanovaImportanceEvaluator(seed=self.seed)
        shares = get_param_importances(self.study, evaluator=evaluator)
        return {place: float(share) for place, share in shares.items()}

    def report(self) -> None:
        """Write the trials as a table, which spreadsheets read."""
        rows = [
            (
                each.number,
                each.state,
                each.value,
                len(each.curve),
                *map(each.values.get, self.space),
            )
            for each in self.trials()
        ]
        header = ["trial", "state", "value", "epochs", *self.space]
        write_csv(self.folder / "trials.csv", header, rows)
