"""Training of surrogates from outputs of physics runs: data store, sampling, tasks, trainer."""
