# ---
# jupyter:
#   jupytext:
#     text_representation:
#       format_name: percent
# ---

# %% [markdown]
# # Records as data frames
#
# A script in the percent format: `jupytext --to notebook records_notebook.py` makes a notebook of it, editors run it cell by cell, and
# `python records_notebook.py [DIR]` runs it whole. Without a results folder it reads the records that come with swanbench.

# %%
import sys

import swanbench

source = sys.argv[1] if len(sys.argv) > 1 else "reference"

# %% [markdown]
# One row a run: numbers, counts, hyper-parameters (`param.NAME`), split options (`split.OPTION`), libraries, code and machine.

# %%
runs = swanbench.results(source)
print(runs[["name", "auroc", "precision", "param.optim.lr", "numerics_class"]].to_string(index=False))

# %% [markdown]
# Runs of one series may be averaged: they are equal in everything but their seeds.

# %%
series = runs.groupby("series").agg(
    run=("name", "first"), runs=("auroc", "size"), mean=("auroc", "mean"), std=("auroc", "std")
)
print(series.round(3).to_string(index=False))

# %% [markdown]
# One row a cell of a table: published and measured value, verdict, and the names of the runs behind it.

# %%
cells = swanbench.cells("2", source)
measured = cells[cells["n"] > 0]
columns = ["dataset", "known_class", "method", "published_mean", "measured_mean", "n", "verdict", "would_be", "reasons"]
print(measured[columns].round(3).to_string(index=False))

# %% [markdown]
# One row a test image of each run, where scores are stored (those that come with swanbench have none).

# %%
if source != "reference":
    scores = swanbench.scores(source)
    print(scores.groupby(["run", "class"])["score"].describe().round(3).to_string())
