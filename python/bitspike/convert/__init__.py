"""From a network of rectifiers to one of spikes: by rates, or by times of first spikes."""

from .errors import ConversionError as ConversionError
from .latency import LatencyNetwork as LatencyNetwork
from .latency import Window as Window
from .latency import ann_to_ttfs as ann_to_ttfs
from .layerwise import LayerReport as LayerReport
from .layerwise import Report as Report
from .layerwise import report as report
from .network import Block as Block
from .network import RateNetwork as RateNetwork
from .neuron import RateIF as RateIF
from .normalise import local_threshold_balancing as local_threshold_balancing
from .pooling import RateMaxPool as RateMaxPool
from .qcfs import QCFS as QCFS
from .rate import ann_to_snn as ann_to_snn
from .tuning import fine_tune as fine_tune
