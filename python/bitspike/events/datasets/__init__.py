"""Data sets of events in local folders, none of which is downloaded.

Each says which files it expects, and where what it has read of is told, the MD5 of their archives.
Items are pairs of a recording and a label; ``transform=events.ToPacked(...)`` makes spikes of
recordings, and ``DataLoader(..., collate_fn=events.collate)`` batches of these, with workers too.
"""

from ._cifar10_dvs import CIFAR10DVS as CIFAR10DVS
from ._dvs_gesture import DVSGesture as DVSGesture
from ._files import EventFiles as EventFiles
from ._heidelberg import SHD as SHD
from ._heidelberg import SSC as SSC
from ._nmnist import NMNIST as NMNIST
