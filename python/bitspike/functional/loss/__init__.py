"""Losses of recordings: of counts, of membranes, of times, of spike trains."""

from ._loss import LossFunctions as LossFunctions
from .count import ce_count_loss as ce_count_loss
from .count import ce_rate_loss as ce_rate_loss
from .count import mse_count_loss as mse_count_loss
from .count import mse_rate_loss as mse_rate_loss
from .membrane import ce_max_membrane_loss as ce_max_membrane_loss
from .membrane import mse_membrane_loss as mse_membrane_loss
from .spike_max import spike_max_loss as spike_max_loss
from .temporal import SpikeTime as SpikeTime
from .temporal import ce_temporal_loss as ce_temporal_loss
from .temporal import mse_relative_temporal_loss as mse_relative_temporal_loss
from .temporal import mse_temporal_loss as mse_temporal_loss
from .tet import tet_loss as tet_loss
from .trains import van_rossum_loss as van_rossum_loss
