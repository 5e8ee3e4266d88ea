"""The trials of a sweep, in Optuna's journal: which come next, and what became of them."""

import contextlib
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from inkwise.errors import ArgumentError, DataError, TrainingError
from inkwise.runs.directory import INTERRUPTED, Run
from inkwise.system.files import storage
from inkwise.system.progress import SILENT, Progress
from inkwise.system.tables import write_csv
from inkwise.training.history import Epoch, validation_losses
from inkwise.training.recipe import Recipe
from inkwise.trials.folder import mend_lines
from inkwise.trials.jobs import Job, Train
from inkwise.trials.outcome import ACCURACY, METRICS, Trial
from inkwise.trials.ranges import Space, Value, vary_recipe

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


class Search:
    """The trials of a sweep: which come next, and what became of them."""

    progress: Progress = SILENT
    on_trial: Callable[[Trial], object] | None = None
    parallel = False

    def __init__(
        self,
        study: "optuna.Study",
        folder: Path,
        recipe: Recipe,
        space: Space,
        metric: str,
        count: int,
        sampler: str,
        grid: Sequence[Mapping[str, Value]] | None,
        seed: int,
        pruning: bool,
    ) -> None:
        import optuna

        self._study, self._folder, self._recipe, self._space = study, folder, recipe, space
        self._count, self._sampler, self._seed, self._pruning = count, sampler, seed, pruning
        self._field = METRICS[metric]
        # Optuna maximises, whatever the metric is.
        self._sign = 1.0 if metric == ACCURACY else -1.0
        self._order = None
        if grid is not None:
            self._order = [
                grid[place] for place in np.random.default_rng(seed).permutation(len(grid))
            ]
        study.pruner = optuna.pruners.SuccessiveHalvingPruner(
            min_resource=max(1, recipe.epochs // 8), reduction_factor=FACTOR
        )
        self._lock = threading.Lock()
        self._running = self._frozen("RUNNING")

    @contextlib.contextmanager
    def _journalled(self) -> Iterator[None]:
        """Let one thread at a time write to the journal."""
        with self._lock, storage(self._folder / _JOURNAL, "write"):
            yield

    def _frozen(self, *states: str) -> list["optuna.trial.FrozenTrial"]:
        from optuna.trial import TrialState

        wanted = tuple(TrialState[state] for state in states)
        return self._study.get_trials(deepcopy=False, states=wanted or None)

    @property
    def left(self) -> int:
        """How many trials are to be begun or to go on."""
        begun = len(self._frozen()) - len(self._frozen("WAITING"))
        return len(self._running) + max(0, self._count - begun)

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
                self._study.sampler = self._make_sampler(left.number)
                trial = optuna.trial.Trial(self._study, left._trial_id)
            else:
                waiting = self._frozen("WAITING")  # of a process that was killed
                number = len(self._frozen()) - len(waiting)
                if number >= self._count:
                    return None
                self._study.sampler = self._make_sampler(number)
                if self._order is not None and not waiting:
                    self._study.enqueue_trial(dict(self._order[number]))
                trial = self._study.ask()
            return trial, {place: each.suggest(trial, place) for place, each in self._space.items()}

    def _make_sampler(self, number: int) -> "optuna.samplers.BaseSampler":
        """Return a sampler for one trial, so that one that goes on draws what it would have."""
        import optuna

        seed = int(np.random.SeedSequence([self._seed, number]).generate_state(1)[0])
        if self._sampler == "tpe":
            return optuna.samplers.TPESampler(
                seed=seed, multivariate=True, constant_liar=self.parallel
            )
        return optuna.samplers.RandomSampler(seed=seed)

    def _do(self, trial: "optuna.trial.Trial", values: Mapping[str, Value], train: Train) -> None:
        from optuna.trial import TrialState

        reported = {*self._study.get_trials(deepcopy=False)[trial.number].intermediate_values}
        path = self._path(trial.number)
        pruned = False

        def on_epoch(epoch: Epoch) -> bool:
            nonlocal pruned
            if epoch.epoch in reported:  # before the trial was interrupted
                return True
            with self._journalled():
                trial.report(self._sign * getattr(epoch, self._field), epoch.epoch)
                pruned = (
                    self._pruning
                    and epoch.epoch < recipe.epochs
                    and len(self._frozen("COMPLETE")) >= UNPRUNED
                    and trial.should_prune()
                )
            return not pruned

        error = ""
        try:
            recipe = vary_recipe(self._recipe, values)
            train(Job("validated", recipe, path), on_epoch)
        except (ArgumentError, DataError, TrainingError) as raised:
            error = str(raised)
        with self._journalled():
            if error:
                trial.set_user_attr("error", error)
                self._study.tell(trial, state=TrialState.FAIL)
            elif pruned:
                Run(path).set_status(INTERRUPTED)
                self._study.tell(trial, state=TrialState.PRUNED)
            else:
                history = Run(path).history
                kept = history[recipe.keeps(validation_losses(history)) - 1]
                self._study.tell(trial, self._sign * getattr(kept, self._field))
            done = self._read(self._study.get_trials(deepcopy=False)[trial.number])
            finished = len(self._frozen("COMPLETE", "PRUNED", "FAIL"))
        with self._lock:
            self.progress.step("trials", finished, max(self._count, finished))
            if self.on_trial is not None:
                self.on_trial(done)

    def _path(self, number: int) -> Path:
        return self._folder / "trials" / f"{number:03}"

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
            {place: frozen.params[place] for place in self._space if place in frozen.params},
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
        if len(self._space) < 2 or len(done) < FEWEST or len({each.value for each in done}) < 2:
            return {}
        evaluator = FanovaImportanceEvaluator(seed=self._seed)
        shares = get_param_importances(self._study, evaluator=evaluator)
        return {place: float(share) for place, share in shares.items()}

    def report(self) -> None:
        """Write the trials as a table, which spreadsheets read."""
        rows = [
            (
                each.number,
                each.state,
                each.value,
                len(each.curve),
                *map(each.values.get, self._space),
            )
            for each in self.trials()
        ]
        header = ["trial", "state", "value", "epochs", *self._space]
        write_csv(self._folder / "trials.csv", header, rows)
