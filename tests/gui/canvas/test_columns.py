"""Where nodes go when a flow is tidied."""

from __future__ import annotations

from itertools import combinations
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from ryven_llm_nodes.catalogue import DPO, SFT
from ryven_llm_nodes.gui.canvas.columns import Size, placed

WIDE, VIEW = (200.0, 100.0), (1200.0, 700.0)


def columns_of(places: list[Size]) -> list[float]:
    """The column of each node, by where it begins."""
    return [x for x, _ in places]


def test_a_source_stands_next_to_what_reads_it() -> None:
    base, rows, pairs, sft, dpo = range(5)
    places = placed([WIDE] * 5, [(base, sft), (rows, sft), (sft, dpo), (pairs, dpo)], [0.0] * 5, VIEW)
    left = columns_of(places)
    assert left[base] == left[rows] < left[sft] == left[pairs] < left[dpo]


def test_wires_cross_less_than_the_nodes_did() -> None:
    """Three pairs that were drawn in opposite orders."""
    places = placed([WIDE] * 6, [(0, 3), (1, 4), (2, 5)], [0.0, 1.0, 2.0, 2.0, 1.0, 0.0], VIEW)
    order = sorted(range(3), key=lambda node: places[node][1])
    assert [places[node + 3][1] for node in order] == sorted(places[node + 3][1] for node in order)


def test_a_long_chain_is_wrapped_where_that_makes_it_larger() -> None:
    chain = [(i, i + 1) for i in range(11)]
    tops = {y for _, y in placed([WIDE] * 12, chain, [0.0] * 12, VIEW)}
    assert len(tops) > 1
    assert len({y for _, y in placed([WIDE] * 4, chain[:3], [0.0] * 4, VIEW)}) == 1


@given(st.data())
def test_nothing_lies_on_anything_else(data: st.DataObject) -> None:
    count = data.draw(st.integers(0, 14))
    sizes = [(data.draw(st.floats(50, 400)), data.draw(st.floats(30, 300))) for _ in range(count)]
    pairs = [(a, b) for a in range(count) for b in range(count) if a != b]  # circles, too, which a check refuses
    wires = data.draw(st.lists(st.sampled_from(pairs))) if pairs else []
    boxes = list(zip(placed(sizes, wires, [0.0] * count, VIEW), sizes, strict=True))
    for ((x, y), (w, h)), ((u, v), (p, q)) in combinations(boxes, 2):
        assert x + w <= u or u + p <= x or y + h <= v or v + q <= y


def test_nodes_that_were_dragged_anywhere_are_tidied_and_brought_back(shared: Any) -> None:
    sft, dpo = shared.place(SFT, "sft"), shared.place(DPO, "dpo")
    shared.wire(sft, dpo, "model")
    items = [node.gui.item for node in (dpo, sft)]
    for place, item in enumerate(items):
        item.setPos(400.0 * place, 37.0 * place)
    before = [(item.x(), item.y()) for item in items]
    shared.shell.flows.tidy()
    assert items[1].sceneBoundingRect().right() < items[0].sceneBoundingRect().left(), "from left to right"
    shared.view._undo_stack.undo()
    assert [(item.x(), item.y()) for item in items] == before
