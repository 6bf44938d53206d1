"""Recordings of event cameras: files in, packed spikes out.

`read` and `write` know eight formats of files, `from_events` and `from_file` pack events in one
pass, `Binner` does so while a camera is running, and `collate` joins recordings in a batch.
`datasets` reads local copies of data sets.
"""

from bitspike.ops.events import FORMATS as FORMATS
from bitspike.ops.events import Placed as Placed
from bitspike.ops.events import Report as Report

from . import datasets as datasets
from ._batches import Batch as Batch
from ._batches import collate as collate
from ._filters import Filters as Filters
from ._frames import Binned as Binned
from ._frames import binned as binned
from ._frames import counts as counts
from ._frames import from_events as from_events
from ._frames import from_file as from_file
from ._hot_pixels import hot_pixels as hot_pixels
from ._live import Binner as Binner
from ._transforms import ToPacked as ToPacked
from .columns import Recording as Recording
from .files import chunks as chunks
from .files import read as read
from .files import write as write
