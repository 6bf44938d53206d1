"""Pictures of spikes and membranes, with matplotlib: ``pip install 'bitspike[plot]'``.

Every function draws into the axes that it is given, returns what it drew, and leaves matplotlib's
global style alone. Only those that open a figure or make an animation import matplotlib.
"""

from ._outputs import animator as animator
from ._outputs import spike_count as spike_count
from ._spikes import raster as raster
from ._spikes import rates as rates
from ._states import membrane as membrane
from ._states import traces as traces
