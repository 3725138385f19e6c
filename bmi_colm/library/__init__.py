"""The user's own build of the ParFlow-coupled CoLM as a BMI component; see docs/colm_library.md.

The shared library keeps its state in global variables, reads its files from the working directory and ends the process
on errors. So each block of the domain gets a child process of its own (`worker`), with a private copy of the library
and a working directory (`directory`); the arrays of a call (`arguments`) lie in memory that both processes share
(`shared`). `process` starts, steps and watches the children, `component` is the BMI class.
"""

from bmi_colm.library.component import BmiColmLibrary

__all__ = ["BmiColmLibrary"]
