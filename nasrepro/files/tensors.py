"""Tensors in files: safetensors with a checksum of the content, written atomically."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save as safetensors_bytes
from torch import Tensor

from nasrepro.errors import CorruptData
from nasrepro.files.storage import write_atomically


def write_tensors(path: Path, tensors: Mapping[str, Tensor], meta: Mapping[str, Any]) -> None:
    """Write tensors and JSON-able metadata as safetensors, atomically, with a checksum of the content."""
    tensors = {k: v.detach().cpu().contiguous() for k, v in tensors.items()}
    header = {"meta": json.dumps(meta, sort_keys=True), "sha256": _content_hash(tensors, meta)}
    write_atomically(path, safetensors_bytes(tensors, header))


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read what `write_tensors` wrote; raise `CorruptData` if the file is truncated or altered."""
    try:
        with safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
            tensors = {k: file.get_tensor(k) for k in file.keys()}  # noqa: SIM118 -- not a dict
        meta = json.loads(header["meta"])
        if header["sha256"] != _content_hash(tensors, meta):
            raise ValueError("its content does not have the checksum that it states")
    except (SafetensorError, KeyError, ValueError, OSError) as error:
        raise CorruptData(f"{path} is damaged ({error}). Delete it and repeat the command.") from error
    return tensors, meta


def _content_hash(tensors: Mapping[str, Tensor], meta: Mapping[str, Any]) -> str:
    digest = hashlib.sha256(json.dumps(meta, sort_keys=True).encode())
    names: Sequence[str] = sorted(tensors)
    for name in names:
        digest.update(name.encode())
        digest.update(tensors[name].numpy().tobytes())
    return digest.hexdigest()
