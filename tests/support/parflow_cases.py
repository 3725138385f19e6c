"""A double of ParFlow: an executable that reads a run's files as ParFlow would, and solves it with Richards' kernel.

The executable hands its working directory to a thread of the test process, which reads run definition, fields, `.dist`
files and solid with pftools, refuses what ParFlow could not read, makes hourly steps, and writes what ParFlow writes.
"""

from __future__ import annotations

import contextlib
import json
import socket
import struct
import sys
import tempfile
import threading
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from parflow.tools.io import read_pfb, read_pfidb, write_pfb

from bmi_common.slopes import PARFLOW_NAMES
from bmi_richards import RichardsSolver, SolverConfig

Floats = NDArray[np.float64]

_CLIENT = """\
#!{python} -SE
import json, os, socket, sys, time
here = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
mark = os.path.join(here, "behaviour")
request = {{
    "home": here, "folder": os.getcwd(), "run": sys.argv[1], "processes": os.environ.get("DOUBLE_PROCESSES", "1"),
    "behaviour": open(mark).read() if os.path.exists(mark) else "",
}}
if request["behaviour"] == "hang":
    open(os.path.join(here, "pid"), "w").write(str(os.getpid()))
    print("Node 0: Using process grid", flush=True)
    time.sleep(1000)
client = socket.socket(socket.AF_UNIX)
client.connect({address!r})
client.sendall(json.dumps(request).encode())
client.shutdown(socket.SHUT_WR)
reply = json.loads(b"".join(iter(lambda: client.recv(65536), b"")))
print(reply["said"])
sys.exit(reply["code"])
"""

_MPIEXEC = """\
#!/bin/sh
printf '%s ' "$@" > "{home}/mpiexec.arguments"
[ "$1" = "-n" ] || exit 9
DOUBLE_PROCESSES="$2"; export DOUBLE_PROCESSES
shift 2
exec "$@"
"""

_SETTINGS = 'PARFLOW_VERSION="3.99.0"\nMPIEXEC="{home}/bin/mpiexec"\nMPIEXEC_NUMPROC_FLAG="-n"\nMPIEXEC_POSTFLAGS=""\n'


class RefusedError(Exception):
    """What ParFlow would stop at."""


@dataclass
class Call:
    """One start of the double: what it read."""

    keys: dict[str, Any]
    hour: int
    hours: int
    head: Floats
    source: Floats
    domain: SimpleNamespace


@dataclass
class Double:
    """An installation; `behaviour` is how it fails, if it does."""

    home: Path
    calls: list[Call] = field(default_factory=list)

    def behave(self, how: str) -> None:
        """From now on: exit, diverge, silent, shape, nan, cut, split, hang, or nothing for a good run."""
        (self.home / "behaviour").write_text(how)


_SCRATCH = tempfile.gettempdir()  # not that of a test, whose path is too long for a socket
_doubles: dict[str, Double] = {}


def install(home: Path) -> Double:
    """Make an installation in a folder."""
    for name in ("bin", "config"):
        (home / name).mkdir(parents=True, exist_ok=True)
    _script(home / "bin" / "parflow", _CLIENT.format(python=sys.executable, address=_address()))
    _script(home / "bin" / "mpiexec", _MPIEXEC.format(home=home))
    (home / "config" / "pf-cmake-env.sh").write_text(_SETTINGS.format(home=home))
    double = Double(home.resolve())
    _doubles[str(double.home)] = double
    return double


def _script(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)


@cache
def _address() -> str:
    """Start the thread that answers; a Unix socket's path must be short."""
    address = str(Path(tempfile.mkdtemp(prefix="pf", dir=_SCRATCH)) / "s")
    server = socket.socket(socket.AF_UNIX)
    server.bind(address)
    server.listen()
    threading.Thread(target=_serve, args=(server,), daemon=True).start()
    return address


def _serve(server: socket.socket) -> None:
    while True:
        client, _ = server.accept()
        with client, contextlib.suppress(OSError):
            request = json.loads(b"".join(iter(lambda: client.recv(65536), b"")))  # noqa: B023
            try:
                said, code = _answer(**request)
            except RefusedError as error:
                said, code = f"Node 0: {error}", 1
            except Exception as error:
                said, code = f"the double broke: {type(error).__name__}: {error}", 70
            client.sendall(json.dumps({"said": said, "code": code}).encode())


def _answer(home: str, folder: str, run: str, processes: str, behaviour: str) -> tuple[str, int]:
    if behaviour == "exit":
        return "Node 0: something is wrong with this machine", 3
    if behaviour == "diverge":
        return "Error: Time step failed for time   1.0000e+00.\nShutting down.\nNode 0: Problem solved ", 0
    if behaviour == "split":
        return "AMPS Error: Can't open the file\n      Opening as 'split' file so a file should exist for each rank", 1
    call = read(Path(folder), run)
    if call.keys["Process.Topology.P"] * call.keys["Process.Topology.Q"] != int(processes):
        raise RefusedError(f"process grid does not match {processes} processes")
    _doubles[home].calls.append(call)
    if behaviour != "silent":
        _solve(Path(folder), run, call, behaviour)
    return "Node 0: Problem solved ", 0


# ---------------------------------------------------------------------- reading


def read(folder: Path, run: str) -> Call:
    """Read a run as ParFlow does, by the file names and numbers of its definition."""
    keys = read_pfidb(str(folder / f"{run}.pfidb"))
    p, q = keys["Process.Topology.P"], keys["Process.Topology.Q"]
    nx, ny, nz = (keys[f"ComputationalGrid.N{c}"] for c in "XYZ")
    dx, dy, dz = (keys[f"ComputationalGrid.D{c}"] for c in "XYZ")
    require(keys, {
        "Process.Topology.R": 1, "Solver": "Richards", "Gravity": 1.0, "Solver.TerrainFollowingGrid": True,
        "Solver.TerrainFollowingGrid.SlopeUpwindFormulation": "Upwind", "Solver.EvapTransFile": True,
        "Solver.Nonlinear.VariableDz": True, "dzScale.Type": "nzList", "dzScale.nzListNumber": nz,
        "Perm.TensorType": "TensorByFile", "Geom.domain.Perm.Type": "Constant", "Geom.domain.Perm.Value": 1.0,
        "Phase.Saturation.Type": "VanGenuchten", "Phase.Saturation.VanGenuchten.File": 1,
        "Phase.RelPerm.Type": "VanGenuchten", "Phase.RelPerm.VanGenuchten.File": 1, "SpecificStorage.Type": "Constant",
        "TimeStep.Type": "Constant", "TimeStep.Value": 1.0, "TimingInfo.DumpInterval": 1.0,
        "Solver.SurfacePredictor": True, "Solver.SurfacePredictor.PressureValue": 1.0e-5,
        "Solver.PrintPressure": True, "Solver.PrintSaturation": True, "TopoSlopesX.Type": "PFBFile",
        "TopoSlopesY.Type": "PFBFile", "Mannings.Type": "PFBFile", "ICPressure.Type": "PFBFile",
        "Geom.domain.RelPerm.Alpha.Filename": keys["Geom.domain.Saturation.Alpha.Filename"],
        "Geom.domain.RelPerm.N.Filename": keys["Geom.domain.Saturation.N.Filename"],
    })  # fmt: skip

    def field_of(key: str, layers: int = nz) -> Floats:
        return distributed(folder / keys[key], (layers, ny, nx), p, q)

    domain = SimpleNamespace(
        dx=dx,
        dy=dy,
        dz=np.array([dz * keys[f"Cell.{k}.dzScale.Value"] for k in range(nz)]),
        porosity=field_of("Geom.domain.Porosity.FileName"),
        alpha=field_of("Geom.domain.Saturation.Alpha.Filename"),
        n=field_of("Geom.domain.Saturation.N.Filename"),
        residual_saturation=field_of("Geom.domain.Saturation.SRes.Filename"),
        maximum_saturation=field_of("Geom.domain.Saturation.SSat.Filename"),
        conductivity_x=field_of("Geom.domain.Perm.TensorFileX"),
        conductivity_y=field_of("Geom.domain.Perm.TensorFileY"),
        conductivity_z=field_of("Geom.domain.Perm.TensorFileZ"),
        slope_formulation=PARFLOW_NAMES[keys["Solver.TerrainFollowingGrid.SlopeUpwindFormulation"]],
        top_layer=None,
        relative_permeability_alpha=None,
        relative_permeability_n=None,
        slope_x=field_of("TopoSlopesX.FileName", 1)[0],
        slope_y=field_of("TopoSlopesY.FileName", 1)[0],
        manning=field_of("Mannings.FileName", 1)[0] * 3600.0,  # ParFlow's is in h m-1/3
        mask=_mask(folder, keys, (ny, nx), (dx, dy, nz * dz)),
    )
    domain.specific_storage = _specific_storage(keys, field_of, (nz, ny, nx))
    start, stop = keys["TimingInfo.StartTime"], keys["TimingInfo.StopTime"]
    if start != keys["TimingInfo.StartCount"]:
        raise RefusedError("files would be numbered by another time than that of the run")
    return Call(
        keys=keys,
        hour=int(start),
        hours=int(stop - start),
        head=field_of("Geom.domain.ICPressure.FileName"),
        source=field_of("Solver.EvapTrans.FileName"),
        domain=domain,
    )


def require(keys: dict[str, Any], expected: dict[str, Any]) -> None:
    """Refuse a definition in which a key has another value."""
    for key, value in expected.items():
        if keys.get(key) != value:
            raise RefusedError(f"invalid value <{keys.get(key)}> for key <{key}>, the double knows {value!r}")


def distributed(path: Path, shape: tuple[int, ...], p: int, q: int) -> Floats:
    """Read a PFB file through its `.dist` file: each process finds its part at the offset that stands there."""
    dist = path.with_name(path.name + ".dist")
    if not path.is_file() or not dist.is_file():
        raise RefusedError(f"AMPS Error: Can't open the file {path.name if not path.is_file() else dist.name}")
    offsets = [int(line) for line in dist.read_text().split()]
    data = path.read_bytes()
    if len(offsets) != p * q or struct.unpack(">i", data[60:64])[0] != p * q:
        raise RefusedError(f"{path.name} is divided into {len(offsets)} parts for {p * q} processes")
    seen = np.zeros(shape, dtype=int)
    values = np.empty(shape)
    for number, offset in enumerate(offsets):
        begin = offset if number else 64  # the first process reads the header of the file before its part
        x, y, z, nx, ny, nz, *_ = struct.unpack(">9i", data[begin : begin + 36])
        part = np.frombuffer(data, dtype=">f8", count=nx * ny * nz, offset=begin + 36).reshape(nz, ny, nx)
        seen[z : z + nz, y : y + ny, x : x + nx] += 1
        values[z : z + nz, y : y + ny, x : x + nx] = part
    if not (seen == 1).all():
        raise RefusedError(f"the parts of {path.name} do not make up the grid")
    np.testing.assert_array_equal(values, read_pfb(str(path)))
    return values


def _mask(folder: Path, keys: dict[str, Any], shape: tuple[int, int], size: tuple[float, ...]) -> NDArray[np.bool_]:
    patches = keys["Geom.domain.Patches"].split()
    surface = {"Box": "z_upper", "SolidFile": "top"}
    kind = keys[f"GeomInput.{keys['GeomInput.Names'].split()[0]}.InputType"]
    require(keys, {"BCPressure.PatchNames": " ".join(patches)})
    for patch in patches:
        require(keys, {
            f"Patch.{patch}.BCPressure.Type": "OverlandKinematic" if patch == surface[kind] else "FluxConst",
            f"Patch.{patch}.BCPressure.alltime.Value": 0.0,
        })  # fmt: skip
    if kind == "Box":
        upper = (shape[1] * size[0], shape[0] * size[1], size[2])
        require(keys, {f"Geom.domain.Upper.{c}": v for c, v in zip("XYZ", upper, strict=True)})
        return np.ones(shape, dtype=bool)
    solid = read_solid(folder / keys["GeomInput.solid.FileName"])
    centres = solid.vertices[solid.triangles[solid.patches[patches.index("top")]]].mean(axis=1)
    assert np.allclose(centres[:, 2], size[2])
    mask = np.zeros(shape, dtype=bool)
    mask[(centres[:, 1] // size[1]).astype(int), (centres[:, 0] // size[0]).astype(int)] = True
    return mask


def read_solid(path: Path) -> SimpleNamespace:
    """Vertices, triangles and patches of a `.pfsol` file with one solid."""
    words = iter(path.read_text().split())
    take = lambda count, kind: [kind(next(words)) for _ in range(count)]  # noqa: E731
    assert take(1, int) == [1]
    vertices = np.array(take(3 * take(1, int)[0], float)).reshape(-1, 3)
    assert take(1, int) == [1]
    triangles = np.array(take(3 * take(1, int)[0], int)).reshape(-1, 3)
    patches = [take(take(1, int)[0], int) for _ in range(take(1, int)[0])]
    assert next(words, None) is None
    return SimpleNamespace(vertices=vertices, triangles=triangles, patches=patches)


def _specific_storage(keys: dict[str, Any], field_of: Any, shape: tuple[int, ...]) -> Floats:
    names = keys["SpecificStorage.GeomNames"].split()
    if names == ["domain"]:
        return np.full(shape, keys["Geom.domain.SpecificStorage.Value"])
    classes = field_of("Geom.storage_classes.FileName")
    values = np.full(shape, np.nan)
    for name in names:
        values[classes == keys[f"GeomInput.{name}.Value"]] = keys[f"Geom.{name}.SpecificStorage.Value"]
    return values


# ---------------------------------------------------------------------- solving


def _solve(folder: Path, run: str, call: Call, behaviour: str) -> None:
    solver = RichardsSolver(call.domain, call.head, SolverConfig(threads=1))
    rows = ["  000000     0.000000e+00   0.000000e+00 i       000000          n"]
    parts = 2 if behaviour == "cut" else 1
    for hour in range(call.hour, call.hour + call.hours + 1):
        for part in range(parts if hour > call.hour else 0):  # the state at the start is written, too
            solver.step(call.source, dt=1.0 / parts)
            time = hour - 1 + (part + 1) / parts
            rows.append(f"  {len(rows):06d}     {time:.6e}   {1.0 / parts:.6e} f       {hour:06d}          y")
        for kind, values in (("press", solver.head), ("satur", solver.saturation)):
            array = np.where(call.domain.mask, values, -3.4e38)
            if behaviour == "shape":
                array = array[:-1]
            if behaviour == "nan":
                array[0, -1, -1] = np.nan
            write_pfb(str(folder / f"{run}.out.{kind}.{hour:05d}.pfb"), np.ascontiguousarray(array))
    table = "Sequence #       Time         \\Delta t         Dumpfile #   Recompute?\n" + "\n".join(rows)
    overland = "\n\nOverland flow Results\n  000000     0.000000e+00   0.000000e+00\n"
    (folder / f"{run}.out.log").write_text(table + overland)
