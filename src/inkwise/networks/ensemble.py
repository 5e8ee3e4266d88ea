"""Ensembles: several networks whose predictions are averaged."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from inkwise.errors import ArgumentError, ModelError
from inkwise.networks.layer_summaries import Summary
from inkwise.networks.network import Network


@dataclasses.dataclass(frozen=True)
class Ensemble:
    """Networks of one image size and the same classes, whose probabilities are averaged.

    The score of a network is the logsumexp of its logits. The ensemble's logits are the logarithm
    of the members' mean probabilities plus the members' mean score. So the softmax of its logits is
    the mean probability, and their logsumexp the mean score.

    Parameters
    ----------
    members : tuple of Network
        The networks, two or more.

    Raises
    ------
    ArgumentError
        There are fewer than two networks, or they differ in image size or number of classes.

    References
    ----------
    L. K. Hansen, P. Salamon, "Neural network ensembles", IEEE Transactions on Pattern Analysis
    and Machine Intelligence 12 (1990) 993–1001.
    """

    members: tuple[Network, ...]

    def __post_init__(self) -> None:
        if len(self.members) < 2:
            raise ArgumentError(f"an ensemble takes two networks or more, not {len(self.members)}")
        if len({(member.image_size, member.classes) for member in self.members}) > 1:
            raise ArgumentError(
                "the networks of an ensemble must have the same image size and number of classes"
            )

    @property
    def image_size(self) -> tuple[int, int]:
        """Height and width of the images, in pixels."""
        return self.members[0].image_size

    @property
    def classes(self) -> int:
        """Number of classes that the networks tell apart."""
        return self.members[0].classes

    @property
    def parameter_count(self) -> int:
        """Number of trained parameters of all members."""
        return sum(member.parameter_count for member in self.members)

    @property
    def flops(self) -> int:
        """Floating-point operations of a forward pass of one image through all members."""
        return sum(member.flops for member in self.members)

    def summary(self) -> Summary:
        """Return the summaries of all members, with names such as ``member1.conv1``."""
        return Summary(
            dataclasses.replace(
                line,
                name=prefix + line.name,
                parameters={prefix + name: shape for name, shape in line.parameters.items()},
            )
            for prefix, member in members(self)
            for line in member.summary()
        )


def members(network: Network | Ensemble) -> Iterator[tuple[str, Network]]:
    """Yield each member, or the single network, after the prefix of its layers' names."""
    if isinstance(network, Network):
        yield "", network
    else:
        for number, member in enumerate(network.members, start=1):
            yield f"member{number}.", member


def to_json(network: Network | Ensemble) -> Any:
    """Return JSON values: a list of layers, or for an ensemble its members, each such a list."""
    if isinstance(network, Network):
        return network.to_list()
    return {"members": [member.to_list() for member in network.members]}


def from_json(
    image_size: tuple[int, int], document: Sequence[Any] | Mapping[str, Any]
) -> Network | Ensemble:
    """Make a network or an ensemble from what `to_json` returned.

    Raises
    ------
    ModelError
        As for `Network.from_list`; or the members do not form an `Ensemble`.
    """
    if not isinstance(document, Mapping):
        return Network.from_list(image_size, document)
    try:
        return Ensemble(
            tuple(Network.from_list(image_size, layers) for layers in document["members"])
        )
    except (KeyError, TypeError, ArgumentError) as error:
        raise ModelError(f"the network's description is damaged: {error}") from error


def require_single(network: Network | Ensemble, purpose: str) -> Network:
    """Return a network that is not an ensemble.

    Parameters
    ----------
    network : Network or Ensemble
        The network to check.
    purpose : str
        What needs a single network; it becomes the subject of the error's sentence.

    Raises
    ------
    ArgumentError
        `network` is an ensemble.
    """
    if isinstance(network, Ensemble):
        raise ArgumentError(f"{purpose} takes a single network, and this is an ensemble of several")
    return network
