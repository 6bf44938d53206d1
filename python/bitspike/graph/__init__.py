"""Programs as graphs: what a network computes, captured from one run of it."""

from ._functions import with_entry as with_entry
from ._recorder import is_leaf as is_leaf
from .capture import capture as capture
from .errors import GraphError as GraphError
from .loops import Earlier as Earlier
from .loops import Fixed as Fixed
from .loops import Loop as Loop
from .loops import Place as Place
from .loops import Source as Source
from .loops import Varying as Varying
from .loops import fold as fold
from .program import Graph as Graph
from .values import Attribute as Attribute
from .values import Constant as Constant
from .values import Input as Input
from .values import Node as Node
from .values import Output as Output
from .values import Value as Value
from .values import Variable as Variable
