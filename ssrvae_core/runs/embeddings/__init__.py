"""Embeddings in the store: learnt once per data set, listed, and asked with whatever labels there are.

An embedding has a directory as a run has, ``<store>/embeddings/<id>/``, with the same ``config.json``, ``status.json``,
``progress.json``, ``environment.json``, ``log.txt``, ``lock`` and ``cancel`` (:mod:`ssrvae_core.runs.directory`), and

- ``checkpoint.pt``, from which its unsupervised stage goes on, until that is trained;
- ``stage.safetensors``, the weights of the stage, where its features need one;
- ``features.npz``, what label questions are answered from (:mod:`ssrvae_core.runs.embeddings.files`).

Whoever lists runs does not see it: it has no validation images, no epochs and no classes of its own.
"""
