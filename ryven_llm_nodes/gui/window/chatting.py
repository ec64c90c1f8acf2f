"""Opens the chat, with the models of the flow in front and those of earlier runs."""

from __future__ import annotations

from itertools import chain
from typing import Any

from ryven_llm_nodes.errors import FlowError
from ryven_llm_nodes.gui.state.document import Document
from ryven_llm_nodes.gui.window.flows import Flows
from ryven_llm_nodes.host.session import default_output_dir
from ryven_llm_nodes.program import build, read_live_flow
from ryven_llm_nodes.run.chat.models import ChatModel, cached_models, models_of


class Chatting:
    """The chat window, created when it is first shown."""

    def __init__(self, window: Any, document: Document, flows: Flows) -> None:
        self._window, self._document, self._flows = window, document, flows
        self.chat: Any = None

    def show(self, model: ChatModel | None = None) -> None:
        """Brings the chat to the front, for ``model`` if one is given."""
        if self.chat is None:
            from ryven_llm_nodes.gui.chat.window import ChatWindow

            self.chat = ChatWindow(self.models, self._window)
        self.chat.open(model)

    def models(self) -> list[ChatModel]:
        """The models of the flow in front, as far as it can be read, then the cached ones; each once."""
        outputs = default_output_dir("").parent.absolute()
        found = {one.location: one for one in chain(reversed(self._of_flow()), cached_models(outputs))}
        return list(found.values())

    def _of_flow(self) -> list[ChatModel]:
        flow = self._flows.current_flow()
        try:
            program = build(read_live_flow(flow, self._document.folder, self._document.source))
        except FlowError:  # marked on the canvas; the models of earlier runs are there nevertheless
            return []
        return list(models_of(program, default_output_dir(program.graph.title).absolute()))

    def end(self) -> None:
        """Ends the processes of the models."""
        if self.chat is not None:
            self.chat.end()
