"""Visitors of the dashboard without a browser: they speak Streamlit's own messages over a websocket."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs, urlencode

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.asyncio.client import ClientConnection, connect

LARGEST_MESSAGE = 2**28
SLIDER = "latent--angle"
"""Key of the slider a visitor moves: the angle of the manifold, which is in the address."""
TURNS = range(-180, 181, 15)
FINISHED = (ForwardMsg.FINISHED_SUCCESSFULLY, ForwardMsg.FINISHED_FRAGMENT_RUN_SUCCESSFULLY)


@dataclass
class Visitor:
    """One session: a run of its own to look at, and what it met.

    Attributes
    ----------
    address : str
        The server's, as ``http://...``.
    run_id : str
        The run it asks for; an answer that speaks of another one is another session's.
    number : int
        Seed of what it clicks.
    errors : list of str
        What went wrong, a sentence each.
    times : dict of str to list of float
        Seconds each kind of step took.
    """

    address: str
    run_id: str
    number: int
    errors: list[str] = field(default_factory=list)
    times: dict[str, list[float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._random = random.Random(self.number)
        self._query: dict[str, list[str]] = {}
        self._pages: dict[str, str] = {}
        self._slider: tuple[str, str] | None = None
        self._page = ""

    async def __aenter__(self) -> Visitor:
        where = self.address.replace("http://", "ws://") + "/_stcore/stream"
        self._socket: ClientConnection = await connect(
            where, max_size=LARGEST_MESSAGE, subprotocols=["streamlit"], origin=self.address, ping_timeout=None
        )
        await self.open("latent_space")
        return self

    async def __aexit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self._socket.close()

    async def open(self, page: str) -> None:
        """Go to a page, at the address of one's own run."""
        message = BackMsg()
        state = message.rerun_script
        state.query_string = urlencode({"left": self.run_id} if page in ("latent_space", "confusion", "learn") else {})
        if page in self._pages:
            state.page_script_hash = self._pages[page]
        else:
            state.page_name = page
        self._page, self._slider = page, None
        await self._step("page", message)

    async def turn(self) -> None:
        """Move the slider of the manifold, and see that the address says what it was moved to."""
        if self._slider is None:
            self.errors.append("the latent space has no slider for the angle")
            return
        widget, fragment = self._slider
        angle = self._random.choice([turn for turn in TURNS if str(turn) not in self._query.get("angle", ["0"])])
        message = BackMsg()
        state = message.rerun_script
        state.page_script_hash, state.fragment_id = self._pages[self._page], fragment
        state.query_string = urlencode(self._query, doseq=True)
        value = state.widget_states.widgets.add(id=widget)
        value.double_array_value.data.append(angle)
        await self._step("slider", message)
        if self._query.get("angle", ["0"]) != [str(angle)]:
            self.errors.append(f"turned to {angle}, and the address says {self._query.get('angle')}")

    async def wander(self, pages: list[str]) -> None:
        """Do what a visitor does next: move the slider, or go to another page."""
        if self._page == "latent_space" and self._random.random() < 0.6:
            await self.turn()
        else:
            await self.open(self._random.choice(["latent_space", *pages]))

    def pause(self) -> float:
        """Seconds until the next click."""
        return self._random.uniform(1, 3)

    async def _step(self, kind: str, message: BackMsg) -> None:
        began = time.perf_counter()
        await self._socket.send(message.SerializeToString())
        while True:
            answer = ForwardMsg()
            answer.ParseFromString(await self._socket.recv())  # type: ignore[arg-type]
            self._take(answer)
            if answer.WhichOneof("type") == "script_finished" and answer.script_finished in FINISHED:
                break
        self.times.setdefault(kind, []).append(time.perf_counter() - began)
        if self._query.get("left", [self.run_id]) != [self.run_id]:
            self.errors.append(f"asked for run {self.run_id}, and was shown {self._query['left']}")

    def _take(self, answer: Any) -> None:
        kind = answer.WhichOneof("type")
        if kind == "navigation":
            self._pages = {page.url_pathname: page.page_script_hash for page in answer.navigation.app_pages}
        elif kind == "page_info_changed":
            self._query = parse_qs(answer.page_info_changed.query_string)
        elif kind == "script_finished" and answer.script_finished == ForwardMsg.FINISHED_WITH_COMPILE_ERROR:
            self.errors.append("a page does not compile")
        elif kind == "delta" and answer.delta.WhichOneof("type") == "new_element":
            element = answer.delta.new_element
            if element.WhichOneof("type") == "exception":
                self.errors.append(f"{self._page}: {element.exception.type}: {element.exception.message}")
            elif element.WhichOneof("type") == "slider" and element.slider.id.endswith(SLIDER):
                self._slider = (element.slider.id, answer.delta.fragment_id)
