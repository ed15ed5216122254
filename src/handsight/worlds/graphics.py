"""Off-screen graphics: MuJoCo with an OpenGL context that needs no display."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from typing import Any

from handsight.errors import HandsightError


def load_mujoco() -> Any:
    """Import MuJoCo and return it; without a display it is asked to draw through EGL.

    Raises:
        HandsightError: MuJoCo finds no OpenGL to draw with.
    """
    if sys.platform == "linux" and not os.environ.get("DISPLAY"):
        os.environ.setdefault("MUJOCO_GL", "egl")
    try:
        import mujoco
    except Exception as error:  # it looks for OpenGL on import, and what it raises depends on what is missing
        raise _no_graphics(error) from error
    return mujoco


@contextmanager
def without_log(mujoco: Any) -> Iterator[None]:
    """Keep MuJoCo from writing its warnings into a file in the folder where the user happens to be."""
    mujoco.set_mju_user_warning(_keep_quiet)
    try:
        yield
    finally:
        mujoco.set_mju_user_warning(None)


def _keep_quiet(message: str) -> None:
    """Leave a warning unsaid: whoever asks for this looks at what came of it."""


def _load_compiler_first() -> None:
    """Load Triton, which PyTorch's optimisers load sooner or later, before OpenGL's software renderer.

    Both bring an LLVM of their own: Triton's, loaded after Mesa's, ends the process without a word.
    """
    with suppress(ImportError):
        import_module("triton")


def open_context(width: int, height: int) -> tuple[Any, str]:
    """Open an OpenGL context and make it current; return it and the name of the device that draws.

    Args:
        width: of the largest picture, pixels.
        height: of the largest picture, pixels.

    Raises:
        HandsightError: there is no OpenGL; says what to install.
    """
    _load_compiler_first()
    mujoco = load_mujoco()
    try:
        context = mujoco.GLContext(width, height)
        context.make_current()
        from OpenGL import GL  # type: ignore[import-untyped]

        device = GL.glGetString(GL.GL_RENDERER)
        if device is None:
            raise RuntimeError("the OpenGL context does not answer")
    except Exception as error:  # each back end raises its own
        raise _no_graphics(error) from error
    return context, device.decode()


class Closing:
    """A holder of a graphics context, `_gl` (OpenGL's) and `_context` (MuJoCo's), that gives it back once."""

    _gl: Any
    _context: Any
    _closed: bool = True  # until it is open

    def close(self) -> None:
        """Give the graphics context back; may be called more than once."""
        if not self._closed:
            self._closed = True
            self._gl.make_current()
            self._context.free()
            self._gl.free()

    def __del__(self) -> None:
        # Where nobody closed it: left to MuJoCo, its textures and meshes would be deleted, by their numbers,
        # from whichever context is current then, which is another one's.
        with suppress(Exception):
            self.close()


def _no_graphics(error: Exception) -> HandsightError:
    reason = " ".join(str(error).split()) or type(error).__name__
    return HandsightError(
        f"no OpenGL to draw with (MUJOCO_GL={os.environ.get('MUJOCO_GL', '')}: {reason[:120]}); on Debian or "
        "Ubuntu install libegl1 and libgl1-mesa-dri, or libosmesa6 and set MUJOCO_GL=osmesa"
    )
