"""Native functions to autograd: the only folder with an ``autograd.Function``."""

from .call import Call as Call
from .call import Kind as Kind
from .firing import fire as fire
from .firing import lend as lend
from .layer import Layer as Layer
from .layer import run_layer as run_layer
from .recurrent import Recurrent as Recurrent
from .recurrent import run_recurrent as run_recurrent
from .rounding import StateQuant as StateQuant
from .scan import Scan as Scan
from .spikes import Counts as Counts
from .spikes import Linear as Linear
from .spikes import MaxPool as MaxPool
from .spikes import Pack as Pack
from .spikes import SpikeTimes as SpikeTimes
