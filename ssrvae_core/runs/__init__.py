"""Runs: the store on disk (:mod:`~ssrvae_core.runs.store`) and the one road that trains into it.

Embeddings stand beside them (:mod:`~ssrvae_core.runs.embeddings`).
"""

from ssrvae_core.runs.embeddings.config import StoredEmbeddingConfig, embedding_config
from ssrvae_core.runs.embeddings.execute import train_embedding
from ssrvae_core.runs.embeddings.store import EmbeddingRun, EmbeddingStore
from ssrvae_core.runs.store import BrokenRun, Run, RunStore, Status

__all__ = [
    "BrokenRun",
    "EmbeddingRun",
    "EmbeddingStore",
    "Run",
    "RunStore",
    "Status",
    "StoredEmbeddingConfig",
    "embedding_config",
    "train_embedding",
]
