"""Looking at a network: what its layers do, what it costs, and what revives silent neurons."""

from .diagnose import diagnose as diagnose
from .diagnosis import Diagnosis as Diagnosis
from .diagnosis import LayerDiagnosis as LayerDiagnosis
from .energy import Energy as Energy
from .energy import NeuronEnergy as NeuronEnergy
from .energy import SynapseEnergy as SynapseEnergy
from .energy import energy as energy
from .rescue import rescue as rescue
