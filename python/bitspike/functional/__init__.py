"""Losses, accuracies, regularisers, probes, quantised states and STDP, with snnTorch's names.

``import bitspike.functional as SF``. Losses, accuracies and regularisers take what neurons
return for a sequence, ``[T, B, C]``, packed or not, and counts of packed spikes are those of bits.
"""

from . import acc as acc
from . import distance as distance
from . import loss as loss
from . import probe as probe
from . import quant as quant
from . import reg as reg
from . import stdp_learner as stdp_learner
from .acc import accuracy_rate as accuracy_rate
from .acc import accuracy_temporal as accuracy_temporal
from .acc import confusion as confusion
from .distance import victor_purpura as victor_purpura
from .loss import LossFunctions as LossFunctions
from .loss import SpikeTime as SpikeTime
from .loss import ce_count_loss as ce_count_loss
from .loss import ce_max_membrane_loss as ce_max_membrane_loss
from .loss import ce_rate_loss as ce_rate_loss
from .loss import ce_temporal_loss as ce_temporal_loss
from .loss import mse_count_loss as mse_count_loss
from .loss import mse_membrane_loss as mse_membrane_loss
from .loss import mse_rate_loss as mse_rate_loss
from .loss import mse_relative_temporal_loss as mse_relative_temporal_loss
from .loss import mse_temporal_loss as mse_temporal_loss
from .loss import spike_max_loss as spike_max_loss
from .loss import tet_loss as tet_loss
from .loss import van_rossum_loss as van_rossum_loss
from .probe import AttributeMonitor as AttributeMonitor
from .probe import BaseMonitor as BaseMonitor
from .probe import GradInputMonitor as GradInputMonitor
from .probe import GradOutputMonitor as GradOutputMonitor
from .probe import InputMonitor as InputMonitor
from .probe import OutputMonitor as OutputMonitor
from .probe import unpack_len1_tuple as unpack_len1_tuple
from .reg import kl_rate as kl_rate
from .reg import l1_rate_sparsity as l1_rate_sparsity
from .reg import l2_rate as l2_rate
from .reg import lower_neuron as lower_neuron
from .reg import lower_population as lower_population
from .reg import upper_neuron as upper_neuron
from .reg import upper_population as upper_population
