"""The papers' tables: published and measured values side by side, verdicts, the gate."""
