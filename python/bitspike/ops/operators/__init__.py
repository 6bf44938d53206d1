"""The native functions as torch operators: the only folder that uses ``torch.library``.

Eager code calls the functions directly, which costs less; what torch traces, compiles or runs on
fake tensors goes through the operators.
"""

from . import conv as conv
from . import matmul as matmul
from . import program as program
from . import recurrent as recurrent
from . import scan as scan
from . import sequence as sequence
from . import spikes as spikes
