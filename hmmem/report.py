"""What a fit did: the objective after every update, why it stopped, and what a person should know."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any, NamedTuple


class Note(NamedTuple):
    """One remark about a fit: its kind (``starved``, ``floor``, ``start``, ...) and a sentence."""

    kind: str
    text: str


class Restart(NamedTuple):
    """One row of the table of restarts."""

    number: int
    start: float  #: objective of the start
    short: float  #: objective after the short run
    objective: float  #: objective at the end
    n_iter: int
    stop_reason: str  #: ``short`` if only its short run was done
    polished: bool


@dataclass(repr=False)
class FitReport:
    """The course of one fit.

    Attributes
    ----------
    history : list of float
        ``history[i]`` is the objective (the log-likelihood, in nats) after ``i`` updates; ``history[-1]`` belongs
        to the model that is returned.
    stop_reason : str
        ``loglik`` (gain below ``tol`` per frame), ``params`` (largest change below ``param_tol``), ``max_iter``,
        ``time``, ``callback``, ``singular`` (a variance reached zero without a floor) or ``interrupted`` (Ctrl-C).
    weight : float
        Number of frames behind the objective, weighted.
    n_impossible : int
        Sequences of probability zero, which the objective leaves out.
    seconds : float
        Duration of the whole fit, restarts included.
    notes : list of Note
        Starved states, bounds that bind, moved starts, constant features, restarts.
    restarts : list of Restart
        One row for each start; empty if there was one.
    fall : float
        Largest fall of the objective between two updates beyond rounding, in nats; 0.0 in a sound fit.
    impossible_sequences : list of int
        Indices of the sequences that the objective leaves out.
    """

    history: list[float]
    stop_reason: str
    weight: float
    n_impossible: int = 0
    seconds: float = 0.0
    notes: list[Note] = field(default_factory=list)
    restarts: list[Restart] = field(default_factory=list)
    fall: float = 0.0
    impossible_sequences: list[int] = field(default_factory=list)

    @property
    def n_iter(self) -> int:
        """Number of updates behind the returned model."""
        return len(self.history) - 1

    @property
    def converged(self) -> bool:
        """Whether a stopping rule was met; running out of iterations or time is not convergence."""
        return self.stop_reason in {"loglik", "params"}

    @property
    def objective(self) -> float:
        """Objective of the returned model."""
        return self.history[-1]

    def about(self, kind: str) -> list[str]:
        """Return the sentences of one kind of note."""
        return [note.text for note in self.notes if note.kind == kind]

    @property
    def starved(self) -> list[str]:
        """States, components and transition rows without data, which kept their parameters."""
        return self.about("starved")

    @property
    def floors(self) -> list[str]:
        """Variances that the floor holds up."""
        return self.about("floor")

    def to_json(self) -> dict[str, Any]:
        """Return the report as JSON values, without the seconds: the same fit gives the same file."""
        return {f.name: getattr(self, f.name) for f in fields(self) if f.name != "seconds"}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> FitReport:
        """Return the report of :meth:`to_json`, checked."""
        report = cls(**values)
        history: Any = report.history
        reason: Any = report.stop_reason
        if not isinstance(history, list) or not history or not isinstance(reason, str):
            raise ValueError("the report must hold a history and a stop reason")
        numbers = [*history, report.weight, report.fall, report.n_impossible]
        if not all(isinstance(x, (int, float)) for x in numbers):
            raise ValueError("the report must hold numbers in its history")
        report.notes = [Note(*note) for note in report.notes]
        report.restarts = [Restart(*restart) for restart in report.restarts]
        str(report)  # what cannot be shown is refused here, not when somebody looks
        return report

    def __repr__(self) -> str:
        return (
            f"FitReport(objective={self.objective!r}, n_iter={self.n_iter}, stop_reason={self.stop_reason!r},"
            f" notes={len(self.notes)}, restarts={len(self.restarts)})"
        )

    def __str__(self) -> str:
        gain = self.history[-1] - self.history[-2] if self.n_iter else 0.0
        updates = f"{self.n_iter} update{'' if self.n_iter == 1 else 's'}"
        lines = [
            f"objective {self.objective:.6f} nats after {updates} ({self.objective / self.weight:.6f} per frame, last"
            f" gain {gain:.3g} in all); stopped by {self.stop_reason}"
            + (f"; {self.seconds:.3g} s" if self.seconds else "")  # a file does not tell
        ]
        lines += [f"- {note.text}" for note in self.notes]
        if self.restarts:
            lines.append("restart      start      short        end  updates  stopped by")
            lines += [
                f"{r.number:7d} {r.start:10.3f} {r.short:10.3f} {r.objective:10.3f} {r.n_iter:8d}  {r.stop_reason}"
                for r in self.restarts
            ]
        return "\n".join(lines)
