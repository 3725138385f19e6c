"""Counts what compiled code executes, by kind of instruction, with Valgrind's callgrind and objdump.

An operation is what the counters of processors count: an addition, subtraction, multiplication, division, square root,
minimum or maximum of two numbers, in every lane of a vector, also in those whose result is masked away; a fused product
and sum are two. Comparisons, conversions, selections and whole numbers are none.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

KINDS = ("arithmetic", "division, root", "comparison, bits", "gather, shuffle", "load, store, copy", "others")
"""Of instructions; `bits` are selections, conversions and whole numbers in vectors, `others` indices and branches."""

_ARITHMETIC = re.compile(r"v?(add|sub|mul|min|max|div|sqrt|fn?m(?:add|sub)(?:132|213|231)?)(p|s)(d|s)$")
_BITS = re.compile(
    r"v?(cmp|ucomis|comis|blend|and|or|xor|pand|por|pxor|pcmp|ptest|test|round|cvt|pmov|movmsk|padd|psub|psll|psrl|psra|pmul)"
)
_SHUFFLE = re.compile(r"v?(gather|pgather|perm|shuf|unpck|insert|extract|broadcast|pshuf|punpck|pinsr|pextr|movddup)")
_VECTOR_BYTES = {"x": 16, "y": 32, "z": 64}
_LINE = re.compile(r"^\s*([0-9a-f]+):\s+(\S+)\s*(.*)$")


class NoCountError(Exception):
    """Operations cannot be counted here."""


@dataclass(frozen=True)
class Count:
    """What was executed.

    Attributes
    ----------
    operations, divisions : float
        All operations, and divisions and square roots alone.
    in_vectors : float
        Operations of vectors; the rest had one number at a time.
    instructions : dict
        By `KINDS`.
    """

    operations: float
    divisions: float
    in_vectors: float
    instructions: dict[str, float]

    def per(self, units: float) -> Count:
        """Divide by a number of units of work."""
        shares = {kind: n / units for kind, n in self.instructions.items()}
        return Count(self.operations / units, self.divisions / units, self.in_vectors / units, shares)


@contextmanager
def counted() -> Iterator[None]:
    """Count within, in a process that `count` has started; each part by itself."""
    _control("--instr=on")
    yield
    _control("--instr=off")
    _control("--dump")


def _control(order: str) -> None:
    subprocess.run(["callgrind_control", order, str(os.getpid())], check=True, stdout=subprocess.DEVNULL)


def count(command: Sequence[str], objects: str) -> tuple[str, list[Count]]:
    """Run Python with arguments `command`, and count what it executes in each part that is `counted`.

    Parameters
    ----------
    command : sequence of str
        A script and its arguments.
    objects : str
        Regular expression of the shared libraries whose instructions count.

    Returns
    -------
    told : str
        What the script printed.
    counts : list of Count
        Of the parts.

    Raises
    ------
    NoCountError
        Where Valgrind or objdump is missing, or cannot run the code.
    """
    for program in ("valgrind", "callgrind_control", "objdump"):
        if shutil.which(program) is None:
            raise NoCountError(f"{program} is missing: apt-get install valgrind binutils")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "callgrind.out"
        options = ["--instr-atstart=no", "--dump-instr=yes", "--dump-line=no"]
        options += ["--compress-pos=no", "--compress-strings=no", f"--callgrind-out-file={file}"]
        tool = ["valgrind", "--quiet", "--tool=callgrind", *options]
        done = subprocess.run([*tool, sys.executable, *command], capture_output=True)
        if done.returncode == -signal.SIGILL:
            raise NoCountError(
                "Valgrind does not know all instructions of the kernels (it has none of AVX-512): build them for an "
                "older processor (pip install -Csetup-args=-Dnative=false .) and set ROOTZONE_KERNEL=v3, or give "
                "counts from another machine"
            )
        if done.returncode:
            raise NoCountError(f"the counted run failed: {done.stderr.decode(errors='replace')[-2000:]}")
        dumps = sorted(Path(folder).glob(f"{file.name}.*"), key=lambda dump: int(dump.suffix[1:]))
        kinds = _Listing()
        told = done.stdout.decode()
        return told, [kinds.summarise(read_callgrind(dump.read_text(), objects)) for dump in dumps]


def read_callgrind(text: str, objects: str) -> dict[str, Counter[int]]:
    """How often the instruction at each address was executed, by shared library."""
    wanted = re.compile(objects)
    executed: dict[str, Counter[int]] = {}
    here: Counter[int] | None = None
    inclusive = False
    for line in text.splitlines():
        if line.startswith("ob="):
            name = line[3:]
            here = executed.setdefault(name, Counter()) if wanted.search(name) else None
        elif line.startswith("calls="):
            inclusive = True  # the next line has what the called function cost
        elif line.startswith("0x"):
            if here is not None and not inclusive:
                address, times = line.split()
                here[int(address, 16)] += int(times)
            inclusive = False
    return executed


class _Listing:
    """What the instructions of shared libraries are, looked up once."""

    def __init__(self) -> None:
        self._known: dict[str, dict[int, tuple[str, int, int]]] = {}

    def summarise(self, executed: dict[str, Counter[int]]) -> Count:
        """Add up what was executed at the addresses of each library."""
        operations = divisions = in_vectors = 0
        kinds: Counter[str] = Counter(dict.fromkeys(KINDS, 0))
        for name, times in executed.items():
            if name not in self._known:
                self._known[name] = _disassembled(name)
            known = self._known[name]
            for address, n in times.items():
                kind, each, lanes = known[address]
                kinds[kind] += n
                operations += n * each
                divisions += n * each * (kind == "division, root")
                in_vectors += n * each * (lanes > 1)
        if not operations:
            raise NoCountError(f"no operation was seen in {', '.join(executed) or 'any of the libraries'}")
        return Count(operations, divisions, in_vectors, dict(kinds))


def _disassembled(name: str) -> dict[int, tuple[str, int, int]]:
    """Classify the instructions of a library by their addresses."""
    command = ["objdump", "--disassemble", "--no-show-raw-insn", name]
    listing = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    lines = filter(None, map(_LINE.match, listing.splitlines()))
    return {int(line[1], 16): classify(line[2], line[3]) for line in lines}


def classify(mnemonic: str, operands: str) -> tuple[str, int, int]:
    """Kind of an instruction, its operations, and the lanes they are in."""
    arithmetic = _ARITHMETIC.match(mnemonic)
    if arithmetic:
        what, packed, precision = arithmetic.groups()
        size = 8 if precision == "d" else 4
        register = re.search(r"%([xyz])mm", operands)
        lanes = _VECTOR_BYTES[register[1]] // size if packed == "p" and register else 1
        kind = "division, root" if what in ("div", "sqrt") else "arithmetic"
        return kind, lanes * (2 if what.startswith(("fm", "fnm")) else 1), lanes
    vector = re.search(r"%[xyz]mm", operands) is not None
    if vector and _SHUFFLE.match(mnemonic):
        return "gather, shuffle", 0, 0
    if vector and _BITS.match(mnemonic):
        return "comparison, bits", 0, 0
    if mnemonic.startswith(("vmov", "vmaskmov", "mov")):
        return "load, store, copy", 0, 0
    return "others", 0, 0
