"""TensorBoard event files, written without a background thread so that a failure is raised at once."""

from __future__ import annotations

import os
import socket
import struct
import time
import warnings
from collections.abc import Mapping
from typing import Any

from iamm.files import plain, sync
from iamm.record.run_folder import RunFolder

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # of TensorBoard's own imports
    from tensorboard.compat.proto.event_pb2 import Event, SessionLog
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.summary.writer.record_writer import RecordWriter
    from torch.utils.tensorboard import summary

PREFIX = "events.out.tfevents."


class Events:
    """An event file whose name sorts after those of earlier files, since TensorBoard reads them in this order.

    Args:
        folder: of the run.
        step: of a resumed run, after which a running TensorBoard drops its events; 0 for a new run.
    """

    def __init__(self, folder: RunFolder, step: int) -> None:
        number = max([int(time.time()), *(1 + int(path.name.split(".")[3]) for path in folder.events())])
        path = folder.path / f"{PREFIX}{number:010d}.{socket.gethostname()}.{os.getpid()}"
        self.file = open(path, "xb", opener=plain)  # noqa: SIM115
        self.records = RecordWriter(self.file)
        self.write(Event(file_version="brain.Event:2"))
        if step:
            self.write(Event(step=step + 1, session_log=SessionLog(status=SessionLog.START)))

    def write(self, event: Event) -> None:
        event.wall_time = time.time()
        self.records.write(event.SerializeToString())

    def add(self, part: Any, step: int = 0) -> None:
        """Write a summary, such as that of a scalar."""
        self.write(Event(step=step, summary=part))

    def scalars(self, values: Mapping[str, float], step: int) -> None:
        for name, value in values.items():
            self.add(summary.scalar(name, value), step)
        self.flush()

    def text(self, name: str, text: str, step: int) -> None:
        """Write a text in Markdown."""
        self.add(summary.text(name, text), step)
        self.flush()

    def picture(self, name: str, png: bytes, step: int) -> None:
        """Write a picture; width and height are read from the PNG's header."""
        width, height = struct.unpack(">II", png[16:24])
        image = Summary.Image(encoded_image_string=png, width=width, height=height, colorspace=4)
        self.add(Summary(value=[Summary.Value(tag=name, image=image)]), step)
        self.flush()

    def flush(self) -> None:
        self.file.flush()

    def sync(self) -> None:
        """Flush to the disk."""
        self.flush()
        sync(self.file.fileno())

    def close(self) -> None:
        self.file.close()
