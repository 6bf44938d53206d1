"""Learning without errors that travel through all layers: perturbation, feedback, local losses.

Each rule takes an ordinary network of ``nn.Linear``, convolutions and neurons, and leaves it so:
parameters stay its own, for ``torch.optim`` and ``state_dict``.
"""

from .feedback import Feedback as Feedback
from .feedback import feedback as feedback
from .forward_forward import ForwardForward as ForwardForward
from .forward_forward import label_input as label_input
from .losses import Layerwise as Layerwise
from .node_perturbation import NodePerturbation as NodePerturbation
from .pepita import PEPITA as PEPITA
from .perturbation import WeightPerturbation as WeightPerturbation
