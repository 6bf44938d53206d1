"""Spikes from data, and from targets: encoders with snnTorch's names.

`constant`, `population`, `phase`, `rank_order` and `time_to_first_spike` are additions.

Spikes are ``[T, B, *]``, time first. Where there is ``packed=True`` they come as a `SpikeTensor`.
"""

from ._analog import constant as constant
from ._analog import population as population
from ._delta import delta as delta
from ._latency import latency as latency
from ._one_hot import from_one_hot as from_one_hot
from ._one_hot import to_one_hot as to_one_hot
from ._one_hot import to_one_hot_inverse as to_one_hot_inverse
from ._order import rank_order as rank_order
from ._order import time_to_first_spike as time_to_first_spike
from ._phase import phase as phase
from ._ramps import latency_interpolate as latency_interpolate
from ._ramps import rate_interpolate as rate_interpolate
from ._rate import rate as rate
from ._rate import rate_conv as rate_conv
from ._spike_times import latency_code as latency_code
from ._spike_times import latency_code_linear as latency_code_linear
from ._spike_times import latency_code_log as latency_code_log
from ._target_rates import target_rate_code as target_rate_code
from ._target_rates import targets_rate as targets_rate
from ._targets import targets_convert as targets_convert
from ._targets import targets_latency as targets_latency
