"""Spikes from data, and from targets: encoders with snnTorch's names.

Additions are `constant`, `population`, `phase`, `burst`, `rank_order` and `time_to_first_spike` of
values; `step_forward`, `moving_window`, `bsa` and `pwm` of recordings, with what reads them back;
and `dvs` of frames.

Data are tensors, or what ``torch.as_tensor`` takes, such as NumPy arrays; what is sparse, quantised
or complex raises a ``TypeError``. Spikes are ``[T, B, *]``, time first. Where there is
``packed=True`` they come as a `SpikeTensor` on the CPU, in the dtype that they have without it:
float64 data, for which there is none, raise a ``TypeError``.
"""

from ._analog import constant as constant
from ._analog import population as population
from ._bsa import bsa as bsa
from ._bsa import bsa_inverse as bsa_inverse
from ._burst import burst as burst
from ._delta import delta as delta
from ._dvs import dvs as dvs
from ._latency import latency as latency
from ._order import rank_order as rank_order
from ._order import time_to_first_spike as time_to_first_spike
from ._phase import phase as phase
from ._pwm import pwm as pwm
from ._pwm import pwm_inverse as pwm_inverse
from ._ramps import latency_interpolate as latency_interpolate
from ._ramps import rate_interpolate as rate_interpolate
from ._rate import rate as rate
from ._rate import rate_conv as rate_conv
from ._spike_times import latency_code as latency_code
from ._spike_times import latency_code_linear as latency_code_linear
from ._spike_times import latency_code_log as latency_code_log
from ._step_forward import moving_window as moving_window
from ._step_forward import step_forward as step_forward
from ._step_forward import step_forward_inverse as step_forward_inverse
from ._target_rates import target_rate_code as target_rate_code
from ._target_rates import targets_rate as targets_rate
from ._targets import targets_convert as targets_convert
from ._targets import targets_latency as targets_latency
from .one_hot import from_one_hot as from_one_hot
from .one_hot import to_one_hot as to_one_hot
from .one_hot import to_one_hot_inverse as to_one_hot_inverse
