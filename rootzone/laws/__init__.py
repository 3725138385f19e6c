"""Laws that land and groundwater must keep together, whatever computes the groundwater: experiments and verdicts."""

from rootzone.laws.findings import Finding, Status
from rootzone.laws.laboratory import Laboratory, Lengths
from rootzone.laws.probing import LAWS, probe

__all__ = ["LAWS", "Finding", "Laboratory", "Lengths", "Status", "probe"]
