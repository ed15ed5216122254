"""Your own meshes as objects: OBJ, STL and MJCF, read by MuJoCo."""

from __future__ import annotations

import hashlib
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, Literal

import numpy as np
from scipy.spatial.transform import Rotation

from handsight.errors import HandsightError
from handsight.worlds.graphics import load_mujoco, without_log
from handsight.worlds.objects.parts import MAIN, Part
from handsight.worlds.objects.shapes import Mesh, box, cylinder, ellipsoid, lathe

MESH_ENDINGS = (".obj", ".stl")


@dataclass(frozen=True)
class MeshObject:
    """An object from a file.

    Args:
        category: name of its folder or file.
        seed: a hash of its name, which stands where the factory's objects have their seed.
        parts: what it is made of.
    """

    category: str
    seed: int
    parts: list[Part]

    @property
    def triangles_n(self) -> int:
        """Number of triangles."""
        return sum(len(part.mesh.faces) for part in self.parts)


def read_objects(folder: Path, up: Literal["y", "z"] = "z") -> list[list[MeshObject]]:
    """Read every object under `folder`: a list per category, in the order of their names.

    A category is a file, or a sub-folder with everything in it. An object is an OBJ or an STL file; or what
    an MJCF file shows, its geoms of groups 0 to 2. A mesh that is not where an MJCF file says is looked for
    by name in that file's folder. Meshes that an MJCF file uses, or that lie in a sub-folder with one, are
    not objects by themselves, nor is XML that another file includes.

    Raises:
        HandsightError: there is no such folder, no mesh in it, or one that cannot be read; names the file.
    """
    if not folder.is_dir():
        raise HandsightError(f"objects_dir {folder} is not a folder; give one that holds OBJ, STL or MJCF")
    models = _models(folder)
    opened = {path: _open_model(path) for path in models}
    used = {file for _, files in opened.values() for file in files}
    described = {path.parent for path in models} - {folder}
    meshes = [
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in MESH_ENDINGS
        and path.resolve() not in used
        and described.isdisjoint(path.parents)
    ]
    objects = []
    for path in sorted([*models, *meshes], key=lambda path: path.relative_to(folder).as_posix()):
        relative = path.relative_to(folder)
        category = relative.parts[0] if len(relative.parts) > 1 else path.stem
        seed = int.from_bytes(hashlib.sha256(relative.as_posix().encode()).digest()[:8], "big") >> 2
        spec = opened[path][0] if path in opened else _open_mesh(path)
        objects.append(MeshObject(category, seed, _parts(path, spec, up)))
    if not objects:
        raise HandsightError(
            f"objects_dir {folder} holds no OBJ, STL or MJCF; each file or sub-folder is to be an object"
        )
    objects.sort(key=lambda one: one.category)
    return [list(group) for _, group in groupby(objects, key=lambda one: one.category)]


def _models(folder: Path) -> list[Path]:
    """Return the MJCF files under `folder` that no other one includes."""
    models, included = [], set()
    for path in sorted(folder.rglob("*.xml")):
        try:
            root = ElementTree.parse(path).getroot()
        except (ElementTree.ParseError, OSError) as error:
            raise HandsightError(f"{path} is not XML ({error}); mend it or take it away") from error
        included |= {(path.parent / include.get("file", "")).resolve() for include in root.iter("include")}
        if root.tag == "mujoco":
            models.append(path)
    return [path for path in models if path.resolve() not in included]


def _open_model(path: Path) -> tuple[Any, set[Path]]:
    """Open an MJCF file and leave in it what is seen; return it and every mesh file that it used."""
    mujoco = load_mujoco()
    try:
        with without_log(mujoco):
            spec = mujoco.MjSpec.from_file(str(path))
    except ValueError as error:
        raise _unreadable(path, error) from error
    for geom in list(spec.geoms):
        if geom.group > 2 or geom.type == mujoco.mjtGeom.mjGEOM_PLANE:
            spec.delete(geom)
    shown = {geom.meshname for geom in spec.geoms}
    used = set()
    for mesh in list(spec.meshes):
        if mesh.file:
            file = _find(mesh.file, path.parent / spec.meshdir, path, needed=mesh.name in shown)
            used.add(file)
            mesh.file = str(file)
        if mesh.name in shown:
            _check_obj(Path(mesh.file))
            mesh.inertia = mujoco.mjtMeshInertia.mjMESH_INERTIA_SHELL  # so that a mesh may be open
        else:
            spec.delete(mesh)
    spec.meshdir = ""
    for texture in spec.textures:  # none is shown: colours are drawn
        texture.file, texture.builtin = "", mujoco.mjtBuiltin.mjBUILTIN_FLAT
        texture.width = texture.height = 1
    return spec, used


def _find(name: str, folder: Path, model: Path, needed: bool) -> Path:
    """Return the file that `model` calls `name`: in `folder`, or by its name below the model's own folder."""
    given = (folder / name).resolve()
    if given.is_file():
        return given
    for path in sorted(model.parent.rglob(given.name)):
        return path.resolve()
    if not needed:
        return given
    raise HandsightError(f"{model} uses {name}, which is not there; put it into {model.parent}")


def _open_mesh(path: Path) -> Any:
    """Return a model of one mesh."""
    _check_obj(path)
    mujoco = load_mujoco()
    spec = mujoco.MjSpec()
    spec.add_mesh(name="mesh", file=str(path.resolve()), inertia=mujoco.mjtMeshInertia.mjMESH_INERTIA_SHELL)
    spec.worldbody.add_geom(type=mujoco.mjtGeom.mjGEOM_MESH, meshname="mesh")
    return spec


def _check_obj(path: Path) -> None:
    """Refuse an OBJ with lines that MuJoCo would make up numbers for, or without faces, as cut files have.

    It says nowhere how long it is: of one that ends between two faces the rest is taken.
    """
    if path.suffix.lower() != ".obj" or not path.is_file():
        return
    faces = 0
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            kind, *fields = line.split() or [b""]
            faces += kind == b"f"
            if (kind == b"v" and not _is_point(fields)) or (kind == b"f" and len(fields) < 3):
                what = (
                    "is no point of three finite numbers" if kind == b"v" else "is no face of three corners"
                )
                said = line.decode(errors="replace").strip()[:40]
                raise _unreadable(path, f"line {number}, '{said}', {what}")
    if not faces:
        raise _unreadable(path, "it has no faces")


def _is_point(fields: list[bytes]) -> bool:
    try:
        return len(fields) >= 3 and bool(np.isfinite([float(each) for each in fields[:3]]).all())
    except ValueError:
        return False


def _parts(path: Path, spec: Any, up: str) -> list[Part]:
    """Return what a model shows, as parts of one finish."""
    mujoco = load_mujoco()
    try:
        with without_log(mujoco):
            model = spec.compile()
    except ValueError as error:
        raise _unreadable(path, error) from error
    data = mujoco.MjData(model)
    mujoco.mj_kinematics(model, data)
    upright = Rotation.from_euler("x", np.pi / 2 if up == "y" else 0)
    parts = []
    for geom in range(model.ngeom):
        mesh = _geom_mesh(mujoco, model, geom)
        if mesh is not None:
            placed = (
                Rotation.from_matrix(data.geom_xmat[geom].reshape(3, 3)).apply(mesh.vertices)
                + data.geom_xpos[geom]
            )
            parts.append(Part(Mesh(upright.apply(placed), mesh.faces), MAIN))
    if not parts:
        raise HandsightError(f"{path} shows nothing; it needs a mesh or another shape in groups 0 to 2")
    if (
        not all(np.isfinite(part.mesh.vertices).all() for part in parts)
        or max(np.ptp(part.mesh.vertices) for part in parts) <= 0
    ):
        raise HandsightError(
            f"{path} cannot be read as a mesh (points coincide or are not finite); mend it or take it away"
        )
    return parts


def _geom_mesh(mujoco: Any, model: Any, geom: int) -> Mesh | None:
    """Return a geom's shape in its own frame; None for what has no surface of its own."""
    kinds, kind = mujoco.mjtGeom, model.geom_type[geom]
    x, y, z = (float(size) for size in model.geom_size[geom])
    if kind == kinds.mjGEOM_MESH:
        mesh = int(model.geom_dataid[geom])
        vertex, face = model.mesh_vertadr[mesh], model.mesh_faceadr[mesh]
        vertices = model.mesh_vert[vertex : vertex + model.mesh_vertnum[mesh]].astype(float)
        return Mesh(vertices, model.mesh_face[face : face + model.mesh_facenum[mesh]].astype(np.int64))
    if kind == kinds.mjGEOM_BOX:
        return box(2 * x, 2 * y, 2 * z).moved(z=-z)
    if kind == kinds.mjGEOM_CYLINDER:
        return cylinder(x, 2 * y).moved(z=-y)
    if kind == kinds.mjGEOM_SPHERE:
        return ellipsoid(x, x, x)
    if kind == kinds.mjGEOM_ELLIPSOID:
        return ellipsoid(x, y, z)
    if kind == kinds.mjGEOM_CAPSULE:
        angle = np.linspace(-np.pi / 2, np.pi / 2, 10)
        return lathe(np.column_stack([x * np.cos(angle), x * np.sin(angle) + np.where(angle < 0, -y, y)]))
    return None


def _unreadable(path: Path, error: Exception | str) -> HandsightError:
    reason = " ".join(str(error).split()).removeprefix("Error: ").split(" Element name")[0]
    return HandsightError(f"{path} cannot be read as a mesh ({reason[:160]}); mend it or take it away")
