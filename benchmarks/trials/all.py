"""All trials by name, in the order in which they are run."""

from benchmarks.trials.key_flood import KEY_FLOOD
from benchmarks.trials.memory import MEMORY
from benchmarks.trials.outage import GONE, OUTAGE
from benchmarks.trials.revocation import REVOCATION
from benchmarks.trials.slow_callers import SLOW
from benchmarks.trials.stampede import STAMPEDE

TRIALS = {trial.name: trial for trial in (STAMPEDE, OUTAGE, GONE, REVOCATION, KEY_FLOOD, MEMORY, SLOW)}
