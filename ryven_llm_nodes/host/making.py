"""What ryvencore_qt makes for every node and needs once, or only if it is ever used."""

from __future__ import annotations

from functools import lru_cache
from types import ModuleType
from typing import Any

from ryvencore_qt.src.flows.nodes import NodeErrorIndicator as indicators
from ryvencore_qt.src.flows.nodes import NodeItem as items
from ryvencore_qt.src.flows.nodes import NodeItem_TitleLabel as titles
from ryvencore_qt.src.flows.nodes import PortItem as ports
from ryvencore_qt.src.flows.nodes.NodeItemAnimator import NodeItemAnimator

from ryven_llm_nodes.host.versions import CORE_QT, workaround


class _Shared:
    """Stands for a class of Qt whose objects are never changed: equal arguments give the same object."""

    def __init__(self, kind: type) -> None:
        self._kind = kind
        self._made = lru_cache(maxsize=64)(lambda *given: kind(*given))  # of a class, PySide would write its help first

    def __call__(self, *given: Any) -> Any:
        return self._made(*given)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._kind, name)


def _share(module: ModuleType, *names: str) -> None:
    for name in names:
        setattr(module, name, _Shared(getattr(module, name)))


@workaround(CORE_QT)
def shared_by_nodes() -> None:
    """flows/nodes/NodeErrorIndicator.py:17: the picture of a warning is read from its file for each node.

    flows/nodes/PortItem.py:349, flows/nodes/NodeItem_TitleLabel.py:18: the same font is measured for each label.
    """
    _share(indicators, "QPixmap")
    _share(ports, "QFont", "QFontMetricsF")
    _share(titles, "QFont", "QFontMetricsF")


class _LaterAnimator:
    """The animation of a node, made when it is first used: never, unless its user has turned animations on."""

    def __init__(self, item: Any) -> None:
        self._item = item
        self._made: NodeItemAnimator | None = None

    def reload_values(self) -> None:
        """The colours of the node have changed."""
        if self._made is not None:
            self._made.reload_values()

    def __getattr__(self, name: str) -> Any:
        if self._made is None:
            self._made = NodeItemAnimator(self._item)
            self._made.reload_values()
        return getattr(self._made, name)


@workaround(CORE_QT)
def animations_on_demand() -> None:
    """flows/nodes/NodeItem.py:82: each node has five objects for an animation, which is off."""
    items.NodeItemAnimator = _LaterAnimator
